//! Awaiting handles: one in several places, and many at once.

use allhome::runtime::ThreadPool;
use allhome::{Child, JoinError, Nursery, Policy, block_on, join_all, nursery, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, Stepped, Wakes, poll_once};
use std::convert::Infallible;
use std::future::pending;
use std::task::Poll;

type Fallible = Opened<&'static str>;

/// A nursery whose failures cancel no task.
fn lenient(stepped: &Stepped) -> Fallible {
    Opened::fallible(nursery().on(stepped.runtime()).policy(Policy::WaitAll))
}

fn failed<T>(result: Poll<Result<Vec<T>, JoinError<&'static str>>>) -> String {
    match result {
        Poll::Ready(Err(error)) => error.to_string(),
        Poll::Ready(Ok(_)) => "it has values".to_string(),
        Poll::Pending => "it waits".to_string(),
    }
}

#[test]
fn e17_values_come_in_the_order_of_the_handles_with_one_wake() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let gates: Vec<_> = (0..5).map(|_| Gate::new()).collect();
    let children = gates.iter().cloned().enumerate().map(|(i, gate)| {
        opened.n.fork(async move {
            gate.wait().await;
            Ok(i)
        })
    });
    let (mut all, wakes) = (Box::pin(join_all(children)), Wakes::new());
    // One has ended before the first look.
    gates[2].open();
    stepped.run_until_stalled();
    assert!(poll_once(&mut all, &wakes).is_pending());
    for i in [4, 0, 3] {
        gates[i].open();
        stepped.run_until_stalled();
        assert_eq!(wakes.count(), 0, "more are to come");
    }
    assert!(poll_once(&mut all, &wakes).is_pending(), "a poll too many changes nothing");
    gates[1].open();
    stepped.run_until_stalled();
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(Ok(values)) = poll_once(&mut all, &wakes) else { panic!("all have ended") };
    assert_eq!(values, [0, 1, 2, 3, 4]);
    // And again: an error that says so.
    let Poll::Ready(Err(again)) = poll_once(&mut all, &wakes) else { panic!("it was ready") };
    assert!(again.is_taken());
    assert!(opened.finish().is_ready());
}

#[test]
fn e17_nothing_to_wait_for_is_ready() {
    let mut none = Box::pin(join_all(Vec::<Child<u8, Infallible>>::new()));
    assert!(
        matches!(poll_once(&mut none, &Wakes::new()), Poll::Ready(Ok(values)) if values.is_empty())
    );
}

#[test]
fn e17_the_first_failure_ends_it_wherever_it_stands() {
    let stepped = Stepped::new(1);
    let mut opened = lenient(&stepped);
    let (counts, gate, later) = (Counts::new(), Gate::new(), Gate::new());
    let fails = |gate: &Gate, why: &'static str| {
        let gate = gate.clone();
        opened.n.fork(async move {
            gate.wait().await;
            Err::<(), _>(why)
        })
    };
    let slow = || opened.n.fork(counts.parked().child());
    let children = [slow(), fails(&later, "later"), slow(), fails(&gate, "first"), slow()];
    let (mut all, wakes) = (Box::pin(join_all(children)), Wakes::new());
    stepped.run_until_stalled();
    assert!(poll_once(&mut all, &wakes).is_pending());
    gate.open();
    stepped.run_until_stalled();
    later.open();
    stepped.run_until_stalled();
    assert_eq!(wakes.count(), 1, "of two failures the first wakes");
    assert!(failed(poll_once(&mut all, &wakes)).ends_with("first"), "in time, not in the list");
    drop(all);
    assert_eq!(counts.drops(), 0, "the others go on");
    opened.n.cancel();
    stepped.run_until_stalled();
    assert!(opened.finish().is_ready());
}

#[test]
fn e17_a_failure_comes_before_the_cancels_that_follow_from_it() {
    for looked in [false, true] {
        let stepped = Stepped::new(1);
        let mut opened = Fallible::fallible(nursery().on(stepped.runtime()));
        let waits = opened.n.fork(pending::<Result<(), _>>());
        let children = [waits, opened.n.fork(async { Err("bad") })];
        let (mut all, wakes) = (Box::pin(join_all(children)), Wakes::new());
        if looked {
            assert!(poll_once(&mut all, &wakes).is_pending());
        }
        stepped.run_until_stalled();
        assert!(opened.poll().is_ready(), "the failure has cancelled the rest");
        assert!(failed(poll_once(&mut all, &wakes)).ends_with("bad"));
    }
}

#[test]
fn e17_a_refused_child_is_one_without_value() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let waits = opened.n.fork(pending::<Result<(), _>>());
    opened.n.close();
    let late = opened.n.fork(async { Ok(()) });
    let mut all = Box::pin(join_all([waits, late]));
    let Poll::Ready(Err(error)) = poll_once(&mut all, &Wakes::new()) else { panic!("refused") };
    assert_eq!(
        error.reason().map(|reason| reason.kind()),
        Some(allhome::cancel::ReasonKind::Closed)
    );
    opened.n.abort();
    assert!(opened.finish().is_ready());
}

#[test]
fn e17_what_it_did_not_look_at_goes_to_an_isolating_nursery() {
    let stepped = Stepped::new(1);
    let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(Policy::Isolate));
    let children = ["a", "b", "c"].map(|why| opened.n.fork(async move { Err::<(), _>(why) }));
    let mut all = Box::pin(join_all(children));
    assert!(poll_once(&mut all, &Wakes::new()).is_pending());
    stepped.run_until_stalled();
    assert!(failed(poll_once(&mut all, &Wakes::new())).ends_with('a'));
    let Poll::Ready(Err(error)) = opened.finish() else { panic!("two are the nursery's") };
    assert_eq!(error.errors().copied().collect::<Vec<_>>(), ["b", "c"]);
}

/// The first failure stands behind another, which is the nursery's then.
#[test]
fn e17_a_failure_in_front_of_the_first_is_not_lost() {
    let stepped = Stepped::new(1);
    let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(Policy::Isolate));
    let gate = Gate::new();
    let wait = gate.clone();
    let later = opened.n.fork(async move {
        wait.wait().await;
        Err::<(), _>("later")
    });
    let children = [later, opened.n.fork(async { Err("first") })];
    let mut all = Box::pin(join_all(children));
    assert!(poll_once(&mut all, &Wakes::new()).is_pending());
    stepped.run_until_stalled();
    gate.open();
    stepped.run_until_stalled();
    assert!(failed(poll_once(&mut all, &Wakes::new())).ends_with("first"));
    let Poll::Ready(Err(error)) = opened.finish() else { panic!("one is the nursery's") };
    assert_eq!(error.errors().copied().collect::<Vec<_>>(), ["later"]);
}

/// The same count of wakes and polls for many as for a few.
#[test]
fn e18_a_hundred_thousand_wake_once() {
    const MANY: usize = 100_000;
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let children = (0..MANY).map(|i| {
        opened.n.fork(async move {
            yield_now().await;
            Ok(i)
        })
    });
    let (mut all, wakes) = (Box::pin(join_all(children)), Wakes::new());
    assert!(poll_once(&mut all, &wakes).is_pending());
    stepped.run_until_stalled();
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(Ok(values)) = poll_once(&mut all, &wakes) else { panic!("all have ended") };
    assert!(values.into_iter().eq(0..MANY));
    assert!(opened.finish().is_ready());
}

#[test]
fn e18_dropped_while_it_waits_it_wakes_no_task() {
    let stepped = Stepped::new(1);
    let mut opened = Opened::new(nursery().on(stepped.runtime()));
    let (gate, counts) = (Gate::new(), Counts::new());
    let children = (0..3).map(|_| {
        let (gate, guard) = (gate.clone(), counts.guard());
        opened.n.fork(async move {
            gate.wait().await;
            Ok(guard)
        })
    });
    let (mut all, wakes) = (Box::pin(join_all(children)), Wakes::new());
    stepped.run_until_stalled();
    assert!(poll_once(&mut all, &wakes).is_pending());
    drop(all);
    gate.open();
    stepped.run_until_stalled();
    assert_eq!((wakes.count(), counts.drops()), (0, 3), "they went on, and their values are gone");
    assert!(opened.finish().is_ready());
}

#[test]
fn o14_children_are_awaited_in_other_nurseries_and_outside_of_any() {
    let child = |n: &Nursery<Infallible>, i| n.fork(async move { Ok(i) });
    let run = nursery().on(ThreadPool::global()).run(async |n: Nursery<Infallible>| {
        let inner = nursery().run(async |inner: Nursery<Infallible>| {
            let (one, two, all) = (child(&n, 1), child(&n, 2), [3, 4].map(|i| child(&n, i)));
            let sibling = inner.fork(async move { Ok(one.await.unwrap()) });
            let foreign = [child(&inner, 5), child(&n, 6)];
            let all = inner.fork(async move { Ok(join_all(all).await.unwrap()) });
            assert_eq!((sibling.await.unwrap(), two.await.unwrap()), (1, 2));
            assert_eq!(all.await.unwrap(), [3, 4]);
            Ok(join_all(foreign).await.unwrap())
        });
        assert_eq!(inner.await.unwrap(), [5, 6], "children of two nurseries");
        Ok((child(&n, 7), [8, 9].map(|i| child(&n, i))))
    });
    let (mut seven, others) = block_on(run).unwrap();
    assert_eq!(block_on(&mut seven).unwrap(), 7);
    assert!(block_on(&mut seven).unwrap_err().is_taken(), "twice");
    assert_eq!(block_on(join_all(others)).unwrap(), [8, 9]);
}
