//! Limits: acquires, releases and drops against each other and against close, resize and forget.
//!
//! Every model ends with all permits back: none is lost, and none is there twice.

use crate::manual::Flag;
use crate::model;
use crate::waiting::Waiting;
use allhome::Semaphore;
use allhome::limit::{AcquireError, AcquireOwned, OwnedPermit};
use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use std::task::Poll;

type Acquire = Waiting<AcquireOwned>;
type Granted = Result<OwnedPermit, AcquireError>;

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits))
}

fn take(semaphore: &Arc<Semaphore>, count: usize) -> OwnedPermit {
    semaphore.try_acquire_many_owned(count).unwrap()
}

fn queue(semaphore: &Arc<Semaphore>, count: usize) -> Acquire {
    let mut waiting = Waiting::new(semaphore.acquire_many_owned(count));
    assert!(waiting.turns().is_pending());
    waiting
}

/// The result that it got on a thread, or gets now.
#[track_caller]
fn end((waiting, poll): (Acquire, Poll<Granted>)) -> Granted {
    match poll {
        Poll::Ready(granted) => granted,
        Poll::Pending => waiting.ready(),
    }
}

fn turns(mut waiting: Acquire) -> (Acquire, Poll<Granted>) {
    let poll = waiting.turns();
    (waiting, poll)
}

#[track_caller]
fn check(semaphore: &Semaphore, free: usize) {
    assert_eq!((semaphore.available(), semaphore.waiters()), (free, 0));
    if free > 0 && !semaphore.is_closed() {
        assert!(semaphore.try_acquire_many(free).is_ok(), "the fast way is open");
    }
}

#[test]
fn s01_acquire_versus_release() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let other = Waiting::new(semaphore.acquire_owned());
        let thread = thread::spawn(move || turns(other));
        drop(permit);
        assert_eq!(end(thread.join().unwrap()).unwrap().count(), 1);
        check(&semaphore, 1);
    });
}

#[test]
fn s01_acquire_versus_two_releases() {
    model(|| {
        let semaphore = semaphore(2);
        let (one, two) = (take(&semaphore, 1), take(&semaphore, 1));
        let waiting = queue(&semaphore, 2);
        let thread = thread::spawn(move || drop(one));
        drop(two);
        thread.join().unwrap();
        assert_eq!(waiting.ready().unwrap().count(), 2);
        check(&semaphore, 2);
    });
}

/// Nothing but the permit guards the cell.
#[test]
fn s20_a_permit_orders_memory() {
    struct Shared(UnsafeCell<usize>);

    fn visit(semaphore: &Semaphore, shared: &Shared) -> bool {
        let permit = semaphore.try_acquire();
        if permit.is_ok() {
            shared.0.with_mut(|_| ());
        }
        permit.is_ok()
    }

    model(|| {
        let semaphore = semaphore(1);
        let shared = loom::sync::Arc::new(Shared(UnsafeCell::new(0)));
        let (sent, guarded) = (semaphore.clone(), shared.clone());
        let thread = thread::spawn(move || visit(&sent, &guarded));
        let here = visit(&semaphore, &shared);
        assert!(thread.join().unwrap() | here);
        check(&semaphore, 1);
    });
}

/// The same through the line.
#[test]
fn s20_a_permit_that_is_handed_on_orders_memory() {
    model(|| {
        let semaphore = semaphore(1);
        let cell = loom::sync::Arc::new(UnsafeCell::new(0));
        let permit = take(&semaphore, 1);
        let (other, guarded) = (Waiting::new(semaphore.acquire_owned()), cell.clone());
        let thread = thread::spawn(move || {
            let (waiting, poll) = turns(other);
            if poll.is_ready() {
                guarded.with_mut(|_| ());
            }
            (waiting, poll)
        });
        cell.with_mut(|_| ());
        drop(permit);
        let granted = end(thread.join().unwrap());
        cell.with_mut(|_| ());
        drop(granted);
        check(&semaphore, 1);
    });
}

/// What one gives back with others in line is free again, and taken the fast way.
#[test]
fn s20_a_permit_that_is_left_over_orders_memory() {
    model(|| {
        let semaphore = semaphore(2);
        let cell = loom::sync::Arc::new(UnsafeCell::new(0));
        let both = take(&semaphore, 2);
        let waiting = queue(&semaphore, 1);
        let guarded = cell.clone();
        let thread = thread::spawn(move || {
            guarded.with_mut(|_| ());
            drop(both);
        });
        if let Ok(_left) = semaphore.try_acquire() {
            cell.with_mut(|_| ());
        }
        thread.join().unwrap();
        drop(waiting);
        check(&semaphore, 2);
    });
}

#[test]
fn s07_drop_of_a_queued_acquire_versus_release() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let (first, second) = (queue(&semaphore, 1), queue(&semaphore, 1));
        let thread = thread::spawn(move || drop(first));
        drop(permit);
        thread.join().unwrap();
        drop(second.ready().unwrap());
        check(&semaphore, 1);
    });
}

#[test]
fn s07_drop_of_a_granted_acquire_versus_acquire() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let first = queue(&semaphore, 1);
        drop(permit);
        let thread = thread::spawn(move || drop(first));
        let second = turns(Waiting::new(semaphore.acquire_owned()));
        thread.join().unwrap();
        drop(end(second).unwrap());
        check(&semaphore, 1);
    });
}

/// A large one at the head goes, while what the small one behind it needs comes back.
#[test]
fn s07_drop_of_the_head_versus_release() {
    model(|| {
        let semaphore = semaphore(3);
        let (one, two) = (take(&semaphore, 1), take(&semaphore, 2));
        let (large, small) = (queue(&semaphore, 3), queue(&semaphore, 1));
        let thread = thread::spawn(move || drop(large));
        drop(one);
        thread.join().unwrap();
        drop(small.ready().unwrap());
        drop(two);
        check(&semaphore, 3);
    });
}

#[test]
fn s03_try_versus_hand_off() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let waiting = queue(&semaphore, 1);
        let tries = semaphore.clone();
        let thread = thread::spawn(move || tries.try_acquire().is_ok());
        drop(permit);
        assert!(!thread.join().unwrap(), "it overtook");
        drop(waiting.ready().unwrap());
        check(&semaphore, 1);
    });
}

#[test]
fn s08_another_waker_versus_release() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let mut waiting = queue(&semaphore, 1);
        waiting.woken = Flag::new(true);
        let thread = thread::spawn(move || turns(waiting));
        drop(permit);
        drop(end(thread.join().unwrap()).unwrap());
        check(&semaphore, 1);
    });
}

#[test]
fn s11_close_versus_acquire() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let other = Waiting::new(semaphore.acquire_owned());
        let thread = thread::spawn(move || turns(other));
        assert!(semaphore.close());
        assert_eq!(end(thread.join().unwrap()).unwrap_err(), AcquireError::Closed);
        drop(permit);
        check(&semaphore, 1);
    });
}

#[test]
fn s11_close_versus_release() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let waiting = queue(&semaphore, 1);
        let closes = semaphore.clone();
        let thread = thread::spawn(move || closes.close());
        drop(permit);
        assert!(thread.join().unwrap());
        if let Err(error) = waiting.ready() {
            assert_eq!(error, AcquireError::Closed);
        }
        check(&semaphore, 1);
    });
}

#[test]
fn s11_close_versus_drop_of_a_queued_acquire() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let (first, second) = (queue(&semaphore, 1), queue(&semaphore, 1));
        let thread = thread::spawn(move || drop(first));
        semaphore.close();
        thread.join().unwrap();
        assert_eq!(second.ready().unwrap_err(), AcquireError::Closed);
        drop(permit);
        check(&semaphore, 1);
    });
}

#[test]
fn s12_growing_versus_release() {
    model(|| {
        let semaphore = semaphore(1);
        let permit = take(&semaphore, 1);
        let (first, second) = (queue(&semaphore, 1), queue(&semaphore, 1));
        let grows = semaphore.clone();
        let thread = thread::spawn(move || grows.resize(2));
        drop(permit);
        thread.join().unwrap();
        drop((first.ready().unwrap(), second.ready().unwrap()));
        check(&semaphore, 2);
    });
}

#[test]
fn s13_shrinking_versus_release() {
    model(|| {
        let semaphore = semaphore(3);
        let (one, two) = (take(&semaphore, 1), take(&semaphore, 2));
        let (large, small) = (queue(&semaphore, 3), queue(&semaphore, 1));
        let shrinks = semaphore.clone();
        let thread = thread::spawn(move || shrinks.resize(1));
        drop(two);
        thread.join().unwrap();
        let refused = large.ready().unwrap_err();
        assert!(matches!(refused, AcquireError::TooMany { asked: 3, capacity: 1, .. }));
        drop(one);
        drop(small.ready().unwrap());
        check(&semaphore, 1);
    });
}

/// The fast way of an acquire and a release against a change of the capacity.
#[test]
fn s13_shrinking_versus_acquire_and_release() {
    model(|| {
        let semaphore = semaphore(2);
        let other = semaphore.clone();
        let thread = thread::spawn(move || drop(other.try_acquire_owned()));
        semaphore.resize(1);
        thread.join().unwrap();
        check(&semaphore, 1);
    });
}

/// The waiter that is refused goes while it is being notified.
#[test]
fn s13_shrinking_versus_drop_of_a_queued_acquire() {
    model(|| {
        let semaphore = semaphore(3);
        let permit = take(&semaphore, 2);
        let (large, larger) = (queue(&semaphore, 2), queue(&semaphore, 3));
        let thread = thread::spawn(move || drop(large));
        semaphore.resize(1);
        thread.join().unwrap();
        assert!(larger.ready().is_err());
        drop(permit);
        check(&semaphore, 1);
    });
}

#[test]
fn s15_forget_versus_acquire() {
    model(|| {
        let semaphore = semaphore(2);
        let permit = take(&semaphore, 1);
        let other = Waiting::new(semaphore.acquire_many_owned(2));
        let thread = thread::spawn(move || turns(other));
        permit.forget();
        let refused = end(thread.join().unwrap()).unwrap_err();
        assert!(matches!(refused, AcquireError::TooMany { asked: 2, capacity: 1, .. }));
        check(&semaphore, 1);
    });
}
