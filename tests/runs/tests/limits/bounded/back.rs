//! Slots that come back: from children, on every way out, and unused.

use super::{Never, Waiting, free, open};
use allhome::cancel::Level;
use allhome::limit::ReserveError;
use allhome::{Child, Policy, Reason, Semaphore, block_on, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, Stepped};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex};

#[derive(Debug)]
struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for Failed {}

/// What a child does once it has its slot, and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Ok,
    Err,
    Panic,
    Cancelled,
    CancelledUnpolled,
    Aborted,
    Lost,
    Dropped,
    Exit,
    PanicInDrop,
}

#[test]
fn l04_given_back_when_home() {
    use Way::*;
    for way in
        [Ok, Err, Panic, Cancelled, CancelledUnpolled, Aborted, Lost, Dropped, Exit, PanicInDrop]
    {
        for reserved in [true, false] {
            given_back(way, reserved);
        }
    }
}

fn given_back(way: Way, reserved: bool) {
    let stepped = Stepped::new(1);
    let limiter = Arc::new(Semaphore::new(1));
    let builder = nursery()
        .on(stepped.runtime())
        .policy(Policy::Isolate)
        .panics(allhome::error::PanicPolicy::Report)
        .limiter(&limiter);
    let mut opened = Opened::fallible(builder);
    let counts = Counts::new();
    let (guard, seen, gate) = (counts.guard(), limiter.clone(), Gate::new());
    let wait = gate.clone();
    let future = async move {
        // Dropped first, when the place is still taken.
        let _guard = (Taken(seen, way == Way::PanicInDrop), guard);
        match way {
            Way::Ok | Way::PanicInDrop => wait.wait().await,
            Way::Err => {
                wait.wait().await;
                return Err(Failed);
            }
            Way::Panic => {
                wait.wait().await;
                panic!("as planned");
            }
            Way::Exit => {
                allhome::task::exit().await;
            }
            _ => pending().await,
        }
        Result::Ok(())
    };
    let child = match reserved {
        true => opened.n.try_reserve().unwrap().fork(future),
        false => opened.n.fork(future),
    };
    if way != Way::CancelledUnpolled {
        stepped.run_until_stalled();
    }
    let left = way == Way::Exit;
    assert_eq!(limiter.available(), usize::from(left || !reserved && counts_none(way)), "{way:?}");
    match way {
        Way::Cancelled | Way::CancelledUnpolled => assert!(child.cancel()),
        Way::Aborted => assert!(child.abort()),
        Way::Lost => stepped.shutdown(),
        Way::Dropped => {
            drop(std::mem::replace(&mut opened.run, Box::pin(async { Result::Ok(()) })))
        }
        _ => gate.open(),
    }
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), limiter.available()), (1, 1), "{way:?} {reserved}");
    drop(child);
    if way != Way::Dropped {
        assert!(opened.finish().is_ready());
    }
}

/// No child has asked for a slot yet.
fn counts_none(way: Way) -> bool {
    way == Way::CancelledUnpolled
}

struct Taken(Arc<Semaphore>, bool);

impl Drop for Taken {
    fn drop(&mut self) {
        assert_eq!(self.0.available(), 0, "the future goes before the slot");
        assert!(!self.1, "a destructor that panics");
    }
}

/// A child that is being polled when its nursery's future is dropped is the ancestors', with its
/// slot.
#[test]
fn l04_adopted_with_its_slot() {
    let stepped = Stepped::new(1);
    let opened = Arc::new(Mutex::new(Some(open(&stepped, 1))));
    let n = opened.lock().unwrap().as_ref().unwrap().n.clone();
    let (limiter, drops) = (n.limiter().unwrap().clone(), opened.clone());
    let seen = limiter.clone();
    n.try_reserve().unwrap().spawn(async move {
        drop(drops.lock().unwrap().take());
        assert_eq!(seen.available(), 0);
        pending::<Never>().await
    });
    stepped.run_until_stalled();
    assert_eq!((limiter.available(), n.level()), (1, Level::Aborted));
}

#[test]
fn l05_unused_slots_give_back() {
    let stepped = Stepped::new(1);
    let mut opened = open(&stepped, 1);
    let slot = opened.n.try_reserve().unwrap();
    let mut next = Waiting::new(&opened.n);
    drop(slot);
    assert_eq!(next.wakes.count(), 1);
    let slot = next.poll().unwrap().unwrap();
    // On another thread.
    std::thread::scope(|scope| scope.spawn(move || drop(slot)).join().unwrap());
    let slot = opened.n.try_reserve().unwrap();
    let spawned = std::thread::scope(|scope| {
        scope.spawn(move || slot.spawn(async { Ok(()) }).is_admitted()).join().unwrap()
    });
    assert!(spawned);
    assert_eq!(free(&opened.n), 0);
    stepped.run_until_stalled();
    assert_eq!(free(&opened.n), 1);
    // Granted and never polled.
    let slot = opened.n.try_reserve().unwrap();
    let waiting = Waiting::new(&opened.n);
    drop(slot);
    drop(waiting);
    assert_eq!(free(&opened.n), 1);
    assert!(opened.finish().is_ready());
}

#[test]
fn l05_used_after_the_end() {
    for end in ["cancelled", "ended"] {
        let stepped = Stepped::new(1);
        let mut opened = open(&stepped, 3);
        let n = opened.n.clone();
        let slots: Vec<_> = (0..3).map(|_| n.try_reserve().unwrap()).collect();
        match end {
            "cancelled" => assert!(n.cancel_with(Reason::new("over"))),
            _ => assert!(opened.finish().is_ready()),
        }
        let counts = Counts::new();
        let [a, b, c] = <[_; 3]>::try_from(slots).unwrap();
        assert!(a.spawn(counts.parked().child()).refused().is_some());
        let joined: Child<(), _> = b.fork(counts.parked().child());
        assert!(block_on(joined).unwrap_err().reason().is_some());
        drop(c);
        assert_eq!((counts.polls(), counts.drops(), free(&n)), (0, 2, 3), "{end}");
        let Err(error) = n.try_reserve() else { panic!() };
        let reason = error.reason().expect("it says why");
        assert_eq!(reason.message() == "over", end == "cancelled");
        assert!(matches!(block_on(n.reserve()), Err(ReserveError::Refused(_))));
    }
}
