//! Children as they end, and all outcomes.

use crate::{Calm, Fallible, gated, kind, parked, ready};
use allhome::cancel::ReasonKind;
use allhome::join::{Children, join_outcomes};
use allhome::{Child, Policy, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Stepped, Wakes, in_all_schedules, poll_once};
use futures_util::Stream;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

#[test]
fn p01_all_outcomes_in_the_order_of_the_handles() {
    let stepped = Stepped::new(1);
    let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(Policy::Isolate));
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let children = [
        gated(&opened.n, &gates[0], Ok(0)),
        gated(&opened.n, &gates[1], Err("bad")),
        gated(&opened.n, &gates[2], Ok(2)),
    ];
    children[2].cancel();
    let (mut all, wakes) = (Box::pin(join_outcomes(children)), Wakes::new());
    assert!(poll_once(&mut all, &wakes).is_pending());
    gates[1].open();
    stepped.run_until_stalled();
    gates[0].open();
    stepped.run_until_stalled();
    let outcomes = ready(poll_once(&mut all, &wakes));
    let [Ok(0), Err(bad), Err(cancelled)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((bad.error(), kind(cancelled)), (Some(&"bad"), Some(ReasonKind::Requested)));
    assert!(ready(opened.finish()).is_ok(), "the failure is the joiner's");
}

#[test]
fn p01_drop_then_the_children_go_on() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let counts = Counts::new();
    let mut all = Box::pin(join_outcomes([parked(&opened.n, &counts)]));
    stepped.run_until_stalled();
    assert!(poll_once(&mut all, &Wakes::new()).is_pending());
    drop(all);
    stepped.run_until_stalled();
    assert_eq!(counts.drops(), 0);
    opened.n.abort();
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p01_of_no_children_is_ready() {
    let mut none = Box::pin(join_outcomes(Vec::<Child<u8, Infallible>>::new()));
    assert!(ready(poll_once(&mut none, &Wakes::new())).is_empty());
}

#[test]
fn p02_each_child_once_in_the_order_of_the_ends() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let gates: Vec<_> = (0..4).map(|_| Gate::new()).collect();
    let forked = gates.iter().cloned().enumerate().map(|(i, gate)| {
        opened.n.task(format!("child {i}")).fork(async move {
            gate.wait().await;
            Ok(i)
        })
    });
    let mut children: Children<_> = forked.collect();
    for i in [2, 0, 3] {
        gates[i].open();
        stepped.run_until_stalled();
    }
    // One that had ended before it was pushed comes behind those that had ended before.
    let late = opened.n.fork(async { Ok(9) });
    let id = late.id();
    stepped.run_until_stalled();
    children.push(late);
    let ended: Vec<_> = std::iter::from_fn(|| children.try_join_next())
        .map(|child| (child.index(), child.name().map(String::from), child.into_result().ok()))
        .collect();
    let named = |i: usize| (i, Some(format!("child {i}")), Some(i));
    assert_eq!(ended, [named(2), named(0), named(3), (4, None, Some(9))]);
    assert!(id.is_some());
    gates[1].open();
    stepped.run_until_stalled();
    let last = children.try_join_next().expect("the last has ended");
    assert!(last.id().is_some() && last.location().is_some());
    assert_eq!(last.into_result().ok(), Some(1));
    assert!(children.is_empty());
    assert!(ready(poll_once(&mut Box::pin(children.join_next()), &Wakes::new())).is_none());
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p02_a_refused_child_is_one_that_has_ended() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    opened.n.close();
    let mut children = Children::from_iter([opened.n.fork(async { Ok(()) })]);
    let refused = children.try_join_next().expect("it has ended");
    assert_eq!(refused.id(), None);
    let error = refused.into_result().expect_err("it was refused");
    assert_eq!(kind(&error), Some(ReasonKind::Closed));
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p02_a_wait_that_is_dropped_loses_no_child() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let gate = Gate::new();
    let mut children = Children::from_iter([gated(&opened.n, &gate, Ok(7))]);
    let wakes = Wakes::new();
    assert!(poll_once(&mut Box::pin(children.join_next()), &wakes).is_pending());
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(wakes.count(), 0, "it waits no longer");
    let child = ready(poll_once(&mut Box::pin(children.join_next()), &wakes));
    assert_eq!(child.and_then(|child| child.into_result().ok()), Some(7));
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p02_the_handles_come_back_in_their_order() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let gate = Gate::new();
    let children: Children<_> = (0..9).map(|i| gated(&opened.n, &gate, Ok(i))).collect();
    let handles = children.into_handles();
    gate.open();
    stepped.run_until_stalled();
    let mut values = Vec::new();
    for child in handles {
        values.extend(ready(poll_once(&mut Box::pin(child), &Wakes::new())));
    }
    assert!(values.into_iter().eq(0..9));
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p03_one_wake_for_all_that_end_before_the_look() {
    const N: usize = 10_000;
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let gate = Gate::new();
    let mut children: Children<_> = (0..N).map(|i| gated(&opened.n, &gate, Ok(i))).collect();
    let (wakes, mut polls, mut seen) = (Wakes::new(), 0, vec![false; N]);
    stepped.run_until_stalled();
    let mut take = |children: &mut Children<_>| {
        loop {
            polls += 1;
            match poll_once(&mut Box::pin(children.join_next()), &wakes) {
                Poll::Pending => return false,
                Poll::Ready(None) => return true,
                Poll::Ready(Some(child)) => {
                    let index: usize = child.index();
                    assert!(!std::mem::replace(&mut seen[index], true), "it comes once");
                    assert_eq!(child.into_result().ok(), Some(index));
                }
            }
        }
    };
    // Held, so that dropping a future does not take its waker.
    let mut waits = Box::pin(children.join_next());
    assert!(poll_once(&mut waits, &wakes).is_pending());
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(wakes.count(), 1);
    drop(waits);
    assert!(take(&mut children));
    assert_eq!(polls, N + 1, "a poll for each, and one to see that none is left");
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p03_children_that_are_dropped_wake_nothing() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let gate = Gate::new();
    let mut children = Children::from_iter([gated(&opened.n, &gate, Ok(7))]);
    let wakes = Wakes::new();
    let mut next = poll_fn(|cx| Pin::new(&mut children).poll_next(cx).map(|child| child.is_some()));
    assert!(poll_once(&mut Box::pin(&mut next), &wakes).is_pending());
    drop(children);
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(wakes.count(), 0);
    assert!(ready(opened.finish()).is_ok());
}

/// As a stream it keeps its waker between two polls, and a child is pushed meanwhile.
#[test]
fn p03_push_while_a_task_waits() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let mut children = Children::from_iter([opened.n.fork(pending())]);
    let ended = opened.n.fork(async { Ok(7) });
    stepped.run_until_stalled();
    opened.n.close();
    let refused = opened.n.fork(async { Ok(8) });
    for child in [ended, refused] {
        let wakes = Wakes::new();
        let waker = wakes.waker();
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut children).poll_next(&mut cx).is_pending());
        children.push(child);
        assert_eq!(wakes.count(), 1, "the child has ended");
        let given = ready(Pin::new(&mut children).poll_next(&mut cx)).expect("it is there");
        drop(given);
    }
    opened.n.abort();
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p02_in_all_schedules_each_comes_once() {
    in_all_schedules(async |n| {
        let mut children: Children<_> = (0..3).map(|i| n.fork(async move { Ok(i) })).collect();
        children.push(n.fork(pending()));
        let mut sum = 0;
        for _ in 0..3 {
            let child = children.join_next().await.expect("three end");
            sum += child.into_result()?;
        }
        assert_eq!((sum, children.len()), (3, 1));
        assert_eq!(children.cancel(), 1);
        let last = children.join_next().await.expect("it was cancelled");
        assert_eq!(last.index(), 3);
        assert!(last.into_result().is_err() && children.join_next().await.is_none());
        Ok(())
    });
}
