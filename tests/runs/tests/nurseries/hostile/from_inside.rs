//! Cancels, spawns and drops of handles from inside polls, wakers and destructors.

use super::{CANCELS, OnDrop, OnWake, ends};
use allhome::cancel::ReasonKind;
use allhome::{Child, block_on, nursery};
use allhome_conformance::Counts;
use allhome_runs::{Opened, Stepped};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

#[test]
fn c11_cancel_from_inside_poll_waker_and_destructor() {
    for (abort, cancel) in CANCELS.into_iter().enumerate() {
        let polls = if abort == 1 { 3 } else { 6 };
        // In a poll, of a child that itself goes on to wait.
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery().on(stepped.runtime()));
        (0..2).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
        let (n, count, guard) = (opened.n.clone(), counts.clone(), counts.guard());
        opened.n.spawn(poll_fn(move |_| {
            let _inside = &guard;
            count.polled();
            cancel(&n);
            Poll::Pending
        }));
        ends(opened, &stepped, &counts, 3);
        assert_eq!(counts.polls(), polls);
        // In a destructor: of a child that ends, and of those that are cancelled because of it.
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery().on(stepped.runtime()));
        for i in 0..3 {
            let (n, counts) = (opened.n.clone(), counts.clone());
            opened.n.spawn(async move {
                let _guard = counts.guard();
                let _last = OnDrop(move || cancel(&n));
                if i < 2 { counts.parked().child().await } else { Ok(()) }
            });
        }
        ends(opened, &stepped, &counts, 5);
        assert_eq!(counts.polls(), if abort == 1 { 2 } else { 4 });
        // In a waker: that of a joiner.
        let (stepped, counts) = (Stepped::new(1), Counts::new());
        let opened = Opened::new(nursery().on(stepped.runtime()));
        (0..3).for_each(|_| drop(opened.n.spawn(counts.parked().child())));
        let mut join = Box::pin(opened.n.fork(async { Ok(5) }));
        let n = opened.n.clone();
        let waker = Waker::from(Arc::new(OnWake(move || cancel(&n))));
        assert!(join.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        ends(opened, &stepped, &counts, 3);
        assert_eq!((counts.polls(), block_on(join).unwrap()), (polls, 5));
    }
}

#[test]
fn o20_spawn_in_a_destructor_while_aborting() {
    for in_poll in [false, true] {
        let (stepped, counts, late) = (Stepped::new(1), Counts::new(), Counts::new());
        let mut opened = Opened::new(nursery().on(stepped.runtime()));
        let refusals = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..100 {
            let (n, late, refusals) = (opened.n.clone(), late.clone(), refusals.clone());
            let (last, guard) = (counts.parked().child(), late.guard());
            opened.n.spawn(async move {
                let _last = OnDrop(move || {
                    let _guard = &guard;
                    let spawned = n.spawn(late.parked().child());
                    refusals.lock().unwrap().push(spawned.refused().unwrap().kind());
                });
                last.await
            });
        }
        stepped.run_until_stalled();
        if in_poll {
            let n = opened.n.clone();
            opened.n.spawn(async move {
                n.abort();
                Ok(())
            });
            stepped.run_until_stalled();
        } else {
            opened.n.abort();
        }
        assert_eq!((counts.polls(), counts.drops()), (100, 100));
        assert_eq!((late.polls(), late.drops()), (0, 200));
        assert_eq!(*refusals.lock().unwrap(), [ReasonKind::Aborted; 100]);
        assert!(opened.finish().is_ready());
        stepped.run_until_stalled();
        assert_eq!(stepped.tasks(), 0);
    }
}

type Own = Arc<Mutex<Option<Child<(), Infallible>>>>;

/// Spawns a child that does this with its own handle, in its first poll, and then waits.
fn turned_on_itself(does: fn(&mut Option<Child<(), Infallible>>)) -> (Counts, Own, bool) {
    let (stepped, counts, own) = (Stepped::new(1), Counts::new(), Own::default());
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let (count, handle, guard) = (counts.clone(), own.clone(), counts.guard());
    let child = opened.n.fork(poll_fn(move |_| {
        let _inside = &guard;
        count.polled();
        if count.polls() == 1 {
            does(&mut handle.lock().unwrap());
            assert_eq!(count.drops(), 0, "not under its feet");
        }
        Poll::Pending
    }));
    *own.lock().unwrap() = Some(child);
    stepped.run_until_stalled();
    let waits = !opened.n.is_empty();
    opened.n.abort();
    assert!(opened.finish().is_ready());
    stepped.run_until_stalled();
    assert_eq!((stepped.tasks(), counts.drops()), (0, 1));
    (counts, own, waits)
}

#[test]
fn e15_child_dropped_by_its_own_poll() {
    let (counts, own, waits) = turned_on_itself(|own| drop(own.take()));
    assert_eq!((counts.polls(), waits), (1, true), "a handle neither kills nor detaches");
    assert!(own.lock().unwrap().is_none());
    let reason = |own: Own| {
        let joined = own.lock().unwrap().take().unwrap().try_join().unwrap();
        joined.unwrap_err().reason().unwrap().kind()
    };
    let (counts, own, waits) = turned_on_itself(|own| assert!(own.as_ref().unwrap().abort()));
    assert_eq!((counts.polls(), waits, reason(own)), (1, false, ReasonKind::Aborted));
    let (counts, own, waits) = turned_on_itself(|own| assert!(own.as_ref().unwrap().cancel()));
    assert_eq!((counts.polls(), waits, reason(own)), (2, false, ReasonKind::Requested));
}
