//! What a task does, at each of its stations.

use allhome::nursery;
use allhome::task::{TaskState, Tree};
use allhome_runs::{Opened, Stepped};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// What a tree says of its first task.
fn first(tree: &Tree) -> (TaskState, u32) {
    let task = &tree.nurseries()[0].tasks[0];
    (task.state, task.polls)
}

#[test]
fn u10_a_task_that_was_woken_is_queued_until_it_is_polled() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let (kept, n) = (Arc::new(Mutex::new(None::<Waker>)), opened.n.clone());
    let keeps = kept.clone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let spawned = opened.n.task("one").spawn(poll_fn(move |cx| {
        *keeps.lock().unwrap() = Some(cx.waker().clone());
        sees.lock().unwrap().push(first(&n.tree()));
        Poll::<Result<(), _>>::Pending
    }));
    let id = spawned.id().expect("it is admitted");
    let handle = opened.n.task_handle(id).expect("it is there");
    let look = || {
        let (state, polls) = first(&opened.n.tree());
        assert_eq!(handle.state(), state, "a handle says the same");
        (state, polls)
    };
    assert_eq!(look(), (TaskState::Queued, 0));
    assert_eq!(stepped.run_until_stalled(), 1);
    assert_eq!(look(), (TaskState::Waiting, 1));
    // On the stack of the woken, and, after the carrier has come for it once, in the queue.
    let wake = || kept.lock().unwrap().as_ref().map(Waker::wake_by_ref);
    wake();
    assert_eq!(look(), (TaskState::Queued, 1));
    assert_eq!(look(), (TaskState::Queued, 1), "a look changes nothing");
    stepped.run_until_stalled();
    assert_eq!(look(), (TaskState::Waiting, 2));
    assert_eq!(*seen.lock().unwrap(), [(TaskState::Running, 1), (TaskState::Running, 2)]);
    drop(kept.lock().unwrap().take());
    opened.n.abort();
    assert_eq!(handle.state(), TaskState::Ended);
    assert!(opened.finish().is_ready());
}
