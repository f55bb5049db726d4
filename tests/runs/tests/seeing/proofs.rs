//! Which tasks can never go on: what is claimed, and what is not.

use allhome::see::{self, NextPoll, Tree};
use allhome::task::TaskId;
use allhome::{Child, Nursery, cancelled, move_on_after, nursery, sleep};
use allhome_runs::{Opened, Stepped, world};
use futures_channel::oneshot;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

type Never = Nursery<Infallible>;

const SECOND: Duration = Duration::from_secs(1);

fn next_poll(tree: &Tree, name: &str) -> NextPoll {
    let mut tasks = tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
    tasks.find(|task| task.name.as_deref() == Some(name)).expect("it is there").next_poll
}

#[test]
fn u17_a_task_without_a_waker_is_named_at_once() {
    let (stepped, _, runtime) = world();
    let mut opened = Opened::new(nursery().on(&runtime));
    let n = opened.n.clone();
    let kept = Arc::new(Mutex::new(None::<Waker>));
    let keeps = kept.clone();
    n.task("pending").go(pending());
    n.task("dropped").go(poll_fn(|cx| {
        drop(cx.waker().clone());
        Poll::Pending
    }));
    n.task("kept").go(poll_fn(move |cx| {
        *keeps.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }));
    n.task("limited").go(async {
        let _ = move_on_after(SECOND, pending::<()>()).await;
    });
    n.task("sleeps").go(sleep(SECOND));
    n.task("own cancel").go(async { drop(cancelled().await) });
    n.task("outer").go(async {
        drop(nursery().run(async |inner: Never| Ok(inner.task("inner").go(pending()))).await);
    });
    stepped.run_until_stalled();
    let tree = n.tree();
    assert!(see::Dump::of(vec![n.tree()]).unreachable().count() == 3, "what waits for it is none");
    for name in ["pending", "dropped", "own cancel", "inner"] {
        assert_eq!(next_poll(&tree, name), NextPoll::OnlyByCancel, "{name}");
    }
    // What waits for such a task is in the same case (U25).
    assert_eq!(next_poll(&tree, "outer"), NextPoll::Dead);
    for name in ["kept", "limited", "sleeps"] {
        assert_eq!(next_poll(&tree, name), NextPoll::ByWaker, "{name}");
    }
    let text = tree.to_string();
    assert!(
        text.contains("`pending` waiting, with no waker left: only a cancel ends it, 1 poll"),
        "{text}"
    );
    // The moment the last waker goes, and not before.
    drop(kept.lock().unwrap().take());
    assert_eq!(next_poll(&n.tree(), "kept"), NextPoll::OnlyByCancel);
    n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn u17_a_task_that_is_due_or_cancelled_is_not_claimed() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()).grace(SECOND * 1_000));
    let n = opened.n.clone();
    let woken = Arc::new(Mutex::new(None::<Waker>));
    let keeps = woken.clone();
    n.task("woken").go(poll_fn(move |cx| {
        keeps.lock().unwrap().get_or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }));
    assert_eq!(next_poll(&n.tree(), "woken"), NextPoll::Due);
    stepped.run_until_stalled();
    // The wake takes the last waker with it.
    woken.lock().unwrap().take().expect("it was polled").wake();
    assert_eq!(next_poll(&n.tree(), "woken"), NextPoll::Due);
    stepped.run_until_stalled();
    n.cancel();
    assert_eq!(next_poll(&n.tree(), "woken"), NextPoll::Due, "the last poll");
    stepped.run_until_stalled();
    assert_eq!(next_poll(&n.tree(), "woken"), NextPoll::Cancelled);
    n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn u18_where_wakers_are_not_counted_nothing_is_claimed() {
    let tree = allhome::Simulator::new().run(async |n: Never| {
        n.task("pending").go(pending());
        sleep(SECOND).await;
        let tree = n.tree();
        n.abort();
        Ok(tree)
    });
    let tree = tree.unwrap();
    assert_eq!(next_poll(&tree, "pending"), NextPoll::Unknown);
    assert_eq!(tree.root().tasks[0].wakers, None);
    // A task that is woken often and alone gets a task of the runtime for its own.
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    opened.n.task("often").go(async {
        for _ in 0..20 {
            allhome::yield_now().await;
        }
        pending().await
    });
    stepped.run_until_stalled();
    assert_eq!(next_poll(&opened.n.tree(), "often"), NextPoll::Unknown);
    opened.n.abort();
    assert!(opened.finish().is_ready());
}

/// Spawns tasks of which each joins the next, polled so often before; returns their ids.
fn ring(nurseries: &[&Never], yields: usize) -> Vec<TaskId> {
    let (mut tells, mut ids, mut children) = (Vec::new(), Vec::new(), Vec::new());
    for n in nurseries {
        let (tell, told) = oneshot::channel::<Child<(), Infallible>>();
        let child: Child<(), _> = n.fork(async move {
            for _ in 0..yields {
                allhome::yield_now().await;
            }
            let next = told.await.expect("it is given");
            drop(next.await);
            Ok(())
        });
        ids.push(child.id().expect("it is admitted"));
        tells.push(tell);
        children.push(child);
    }
    children.rotate_left(1);
    for (tell, child) in tells.into_iter().zip(children) {
        assert!(tell.send(child).is_ok());
    }
    ids
}

#[test]
fn u19_a_ring_of_joins_is_named() {
    for (tasks, yields) in [(1, 0), (2, 0), (3, 0), (20, 0), (3, 3)] {
        let stepped = Stepped::new(1);
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let n = opened.n.clone();
        n.task("beside").go(pending());
        let waits = n.fork(pending::<Result<(), _>>());
        n.task("joins").go(async move { drop(waits.await) });
        let ids = ring(&vec![&n; tasks], yields);
        stepped.run_until_stalled();
        let tree = n.tree();
        let [found] = tree.rings() else { panic!("{tasks}, {yields}:\n{tree}") };
        assert_eq!(found.tasks().collect::<Vec<_>>(), ids);
        assert!(found.only_by_cancel);
        let text = tree.to_string();
        assert!(text.contains("; only a cancel ends them:\n"), "{text}");
        let last = format!("\n  task {} needs the end of task {}\n", ids[tasks - 1], ids[0]);
        assert!(text.ends_with(&last), "{text}");
        n.abort();
        assert!(n.tree().rings().is_empty());
        assert!(opened.finish().is_ready());
    }
}

/// There every child has a task of the runtime for its own, and its wakers are not counted.
#[test]
fn u19_a_ring_of_bound_children_is_named_and_not_said_to_be_dead() {
    let found = allhome::Simulator::new().run(async |n: Never| {
        let ids = ring(&[&n; 3], 20);
        sleep(SECOND).await;
        let tree = n.tree();
        n.abort();
        Ok((tree, ids))
    });
    let (tree, ids) = found.unwrap();
    let [found] = tree.rings() else { panic!("{tree}") };
    assert_eq!((found.tasks().collect::<Vec<_>>(), found.only_by_cancel), (ids, false));
}

#[test]
fn u19_a_ring_through_two_nurseries_of_one_tree() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let n = opened.n.clone();
    let outer = n.clone();
    n.task("opens").go(async move {
        let run = nursery().run(async |inner: Never| {
            ring(&[&outer, &inner], 0);
            Ok(())
        });
        drop(run.await);
    });
    stepped.run_until_stalled();
    let tree = n.tree();
    assert_eq!(tree.rings().len(), 1, "{tree}");
    let nurseries: Vec<_> = tree.rings()[0].tasks().map(|id| id.nursery()).collect();
    assert_eq!(nurseries, tree.nurseries().iter().map(|nursery| nursery.id).collect::<Vec<_>>());
    n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn u19_a_chain_and_a_join_that_ends_are_no_ring() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let n = opened.n.clone();
    let mut last = n.fork(pending::<Result<(), _>>());
    for _ in 0..5 {
        last = n.fork(async move {
            drop(last.await);
            Ok(())
        });
    }
    stepped.run_until_stalled();
    let tree = n.tree();
    assert!(tree.rings().is_empty(), "{tree}");
    assert!(see::Dump::of(vec![tree]).unreachable().count() == 1);
    n.abort();
    assert!(opened.finish().is_ready());
}
