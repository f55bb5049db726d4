//! Tasks that go on without what they have lent, and tasks that are stopped until they have it.

use super::{bounded, lender};
use allhome::limit::Permit;
use allhome::{Semaphore, block_on, is_cancelled, move_on_after, nursery, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, SECOND, Stepped, Wakes, poll_once, world};
use futures_util::future::join;
use std::future::pending;
use std::sync::Arc;
use std::task::Poll;

/// Takes the only permit from a task that lends.
fn borrow<'a>(limiter: &'a Arc<Semaphore>, stepped: &Stepped, gate: &Gate) -> Permit<'a> {
    let (mut waits, wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut waits, &wakes).is_pending());
    gate.open();
    stepped.run_until_stalled();
    match poll_once(&mut waits, &wakes) {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn l18_the_cancelled_go_without() {
    for of_nursery in [true, false] {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let mut opened = bounded(&stepped, &limiter);
        let (gate, went_on) = (Gate::new(), Counts::new());
        let count = went_on.clone();
        let child = opened.n.fork(lender(&limiter, &gate, move || {
            assert!(is_cancelled());
            count.polled();
            pending()
        }));
        stepped.run_until_stalled();
        let borrowed = borrow(&limiter, &stepped, &gate);
        assert_eq!((limiter.waiters(), went_on.polls()), (1, 0), "it wants it back");
        assert!(if of_nursery { opened.n.cancel() } else { child.cancel() });
        stepped.run_until_stalled();
        assert_eq!((limiter.waiters(), went_on.polls()), (0, 1));
        assert!(opened.n.is_empty());
        drop(borrowed);
        assert_eq!(limiter.available(), 1);
        assert!(opened.finish().is_ready());
    }
}

#[test]
fn l18_dropped_in_each_state() {
    // Lent to its own child; to another task; wanted; granted and not polled.
    for state in 0..4 {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let mut opened = bounded(&stepped, &limiter);
        let gate = Gate::new();
        let child = opened.n.fork(lender(&limiter, &gate, pending));
        stepped.run_until_stalled();
        let other = if state == 0 { None } else { Some(borrow(&limiter, &stepped, &gate)) };
        if state == 2 {
            assert_eq!(limiter.waiters(), 1);
        }
        if state == 3 {
            drop(other);
            assert_eq!((limiter.waiters(), limiter.available()), (0, 0));
            assert!(child.abort());
        } else {
            assert!(child.abort());
            drop(other);
        }
        assert_eq!((limiter.available(), limiter.waiters()), (1, 0), "state {state}");
        stepped.run_until_stalled();
        assert!(opened.n.is_empty());
        assert!(opened.finish().is_ready());
    }
}

/// A limiter that is closed holds no task up. One that is at 0 does, until it grows.
#[test]
fn l18_a_limiter_that_is_closed_or_paused() {
    for close in [true, false] {
        let stepped = Stepped::new(1);
        let limiter = Arc::new(Semaphore::new(1));
        let mut opened = bounded(&stepped, &limiter);
        let gate = Gate::new();
        let child = opened.n.fork(lender(&limiter, &gate, || std::future::ready(())));
        stepped.run_until_stalled();
        let borrowed = borrow(&limiter, &stepped, &gate);
        if close {
            assert!(limiter.close());
        } else {
            limiter.resize(0);
        }
        stepped.run_until_stalled();
        drop(borrowed);
        stepped.run_until_stalled();
        assert_eq!(opened.n.is_empty(), close);
        limiter.resize(1);
        stepped.run_until_stalled();
        assert!(block_on(child).is_ok());
        assert_eq!(limiter.available(), 1);
        assert!(opened.finish().is_ready());
    }
}

/// A nested nursery that is dropped early: the task is stopped until it has its slot.
#[test]
fn l19_stopped_where_it_went_on_without() {
    let (stepped, clock, runtime) = world();
    let limiter = Arc::new(Semaphore::new(1));
    let (never, went_on) = (Gate::new(), Counts::new());
    let mut opened = Opened::new(nursery().on(runtime).limiter(&limiter));
    let (inner, count, gate) = (limiter.clone(), went_on.clone(), never.clone());
    opened.n.spawn(async move {
        let nested = lender(&inner, &gate, || std::future::ready(()));
        let out = move_on_after(SECOND, nested).await;
        assert!(out.is_some(), "the nursery ends, and has its value");
        count.polled();
        yield_now().await;
        count.polled();
        Ok(())
    });
    stepped.run_until_stalled();
    let (mut other, wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut other, &wakes).is_pending());
    let (mut late, late_wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut late, &late_wakes).is_pending());
    let (mut later, later_wakes) = (Box::pin(limiter.acquire()), Wakes::new());
    assert!(poll_once(&mut later, &later_wakes).is_pending());
    assert!(clock.step());
    stepped.run_until_stalled();
    assert_eq!(went_on.polls(), 1, "not beyond the poll that it was in");
    assert_eq!((limiter.waiters(), wakes.count()), (3, 1));
    let Poll::Ready(Ok(permit)) = poll_once(&mut other, &wakes) else { panic!() };
    drop(permit);
    assert_eq!(late_wakes.count(), 0, "the task stands in front of the line");
    stepped.run_until_stalled();
    assert_eq!((late_wakes.count(), later_wakes.count()), (1, 0));
    drop((late, later));
    assert_eq!((went_on.polls(), limiter.available(), opened.n.len()), (2, 1, 0));
    assert!(opened.finish().is_ready());
}

/// Other parts of the task go on while it lends, and while the nested nursery waits for the slot.
#[test]
fn l19_other_parts_go_on() {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let mut opened = bounded(&stepped, &limiter);
    let (gate, ticks) = (Gate::new(), Gate::new());
    let served = Counts::new();
    let nested = lender(&limiter, &gate, || std::future::ready(()));
    let (count, tick) = (served.clone(), ticks.clone());
    opened.n.spawn(async move {
        let server = async move {
            tick.wait().await;
            count.polled();
        };
        let (nested, ()) = join(nested, server).await;
        nested
    });
    stepped.run_until_stalled();
    let borrowed = borrow(&limiter, &stepped, &gate);
    assert_eq!(limiter.waiters(), 1);
    ticks.open();
    stepped.run_until_stalled();
    assert_eq!((served.polls(), opened.n.len()), (1, 1));
    drop(borrowed);
    stepped.run_until_stalled();
    assert!(opened.n.is_empty());
    assert_eq!(limiter.available(), 1);
    assert!(opened.finish().is_ready());
}
