//! Acquires that are dropped, in every window.

use super::{Count, calls, drop_out_of_order, poll, queue, take};
use allhome::Semaphore;
use allhome::limit::TryAcquireError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::Waker;

#[test]
fn s07_never_polled() {
    let semaphore = Semaphore::new(1);
    drop(semaphore.acquire());
    assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
    drop(semaphore.acquire_many(9));
}

#[test]
fn s07_queued() {
    let semaphore = Semaphore::new(1);
    let permit = take(&semaphore, 1);
    let waiting = queue(&semaphore, 1);
    let woken = waiting.woken.clone();
    drop(waiting);
    assert_eq!((semaphore.available(), semaphore.waiters()), (0, 0));
    assert_eq!(Arc::strong_count(&woken), 1, "nothing is kept of it");
    drop(permit);
    assert_eq!((woken.get(), semaphore.available()), (0, 1));
    assert!(semaphore.try_acquire().is_ok(), "the line is open again");
}

#[test]
fn s07_drop_of_the_first_lets_the_next_in() {
    let semaphore = Semaphore::new(10);
    let _one = take(&semaphore, 1);
    let large = queue(&semaphore, 10);
    let small = queue(&semaphore, 4);
    let smaller = queue(&semaphore, 5);
    let last = queue(&semaphore, 1);
    drop(large);
    assert_eq!((small.woken(), smaller.woken(), last.woken()), (1, 1, 0));
    assert_eq!((semaphore.available(), semaphore.waiters()), (0, 1));
    drop(smaller);
    assert_eq!((last.woken(), semaphore.available()), (1, 4));
    drop((small, last));
    assert_eq!(semaphore.available(), 9);
}

#[test]
fn s07_granted_and_never_polled() {
    let semaphore = Semaphore::new(3);
    let all = take(&semaphore, 3);
    let first = queue(&semaphore, 3);
    let second = queue(&semaphore, 2);
    drop(all);
    assert_eq!((first.woken(), second.woken()), (1, 0));
    drop(first);
    assert_eq!((second.woken(), semaphore.available()), (1, 1), "it went to the next");
    drop(second);
    assert_eq!(semaphore.available(), 3);
}

#[test]
fn s07_ready() {
    let semaphore = Semaphore::new(1);
    let mut acquire = Box::pin(semaphore.acquire());
    let permit = poll(acquire.as_mut(), Waker::noop());
    drop(acquire);
    assert_eq!(semaphore.available(), 0, "the permit is the caller's");
    drop(permit);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn s07_in_any_order() {
    let semaphore = Semaphore::new(1);
    let permit = take(&semaphore, 1);
    let mut line: Vec<_> = (0..1_000).map(|_| Some(queue(&semaphore, 1))).collect();
    drop_out_of_order(&mut line, || semaphore.waiters());
    drop(permit);
    assert_eq!(line[999].take().expect("the last").granted().count(), 1);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn s07_refused_and_never_polled() {
    let semaphore = Semaphore::new(2);
    let both = take(&semaphore, 2);
    let (large, small) = (queue(&semaphore, 2), queue(&semaphore, 1));
    semaphore.resize(1);
    assert_eq!((large.woken(), small.woken()), (1, 0));
    drop(large);
    semaphore.close();
    drop(small);
    drop(both);
    assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
}

/// A queued acquire is dropped by the waker of one that was notified in the same go.
#[test]
fn s07_dropped_while_others_are_told() {
    static SEMAPHORE: Semaphore = Semaphore::new(40);
    let semaphore = &SEMAPHORE;
    let all = take(semaphore, 40);
    let line = Arc::new(Mutex::new(Vec::new()));
    let (drops, count) = (line.clone(), Arc::new(Count::default()));
    let waker = calls(move || drop(std::mem::take(&mut *drops.lock().unwrap())));
    let mut first = Box::pin(semaphore.acquire());
    assert!(poll(first.as_mut(), &waker).is_pending());
    for _ in 0..60 {
        let mut acquire = Box::pin(semaphore.acquire());
        assert!(poll(acquire.as_mut(), &Waker::from(count.clone())).is_pending());
        line.lock().unwrap().push(acquire);
    }
    drop(all);
    assert!(line.lock().unwrap().is_empty());
    assert_eq!((semaphore.available(), semaphore.waiters()), (39, 0));
    assert_eq!(semaphore.try_acquire_many(40).unwrap_err(), TryAcquireError::NoPermits);
    drop(first);
    assert_eq!(semaphore.available(), 40);
}

/// The same with a refusal: waiters that are not notified yet are neither in the line nor out of
/// it.
#[test]
fn s07_dropped_while_others_are_refused() {
    static SEMAPHORE: Semaphore = Semaphore::new(3);
    let semaphore = &SEMAPHORE;
    let all = take(semaphore, 3);
    let line = Arc::new(Mutex::new(Vec::new()));
    let drops = line.clone();
    let waker = calls(move || {
        assert_eq!(semaphore.waiters(), 1);
        drop(std::mem::take(&mut *drops.lock().unwrap()));
    });
    let mut first = Box::pin(semaphore.acquire_many(2));
    assert!(poll(first.as_mut(), &waker).is_pending());
    for _ in 0..60 {
        let mut acquire = Box::pin(semaphore.acquire_many(3));
        assert!(poll(acquire.as_mut(), Waker::noop()).is_pending());
        line.lock().unwrap().push(acquire);
    }
    let small = queue(semaphore, 1);
    semaphore.resize(1);
    assert!(line.lock().unwrap().is_empty());
    assert_eq!((semaphore.waiters(), small.woken()), (1, 0));
    drop(all);
    assert_eq!((semaphore.waiters(), small.woken(), semaphore.available()), (0, 1, 0));
    drop((first, small));
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn s07_polled_after_ready_panics_and_harms_nobody() {
    let semaphore = Arc::new(Semaphore::new(1));
    let mut acquire = Box::pin(semaphore.acquire());
    assert!(poll(acquire.as_mut(), Waker::noop()).is_ready());
    let again = catch_unwind(AssertUnwindSafe(|| poll(acquire.as_mut(), Waker::noop())));
    assert!(again.is_err());
    let mut owned = Box::pin(semaphore.acquire_owned());
    assert!(poll(owned.as_mut(), Waker::noop()).is_ready());
    let again = catch_unwind(AssertUnwindSafe(|| poll(owned.as_mut(), Waker::noop())));
    assert!(again.is_err());
    drop((acquire, owned));
    assert_eq!(semaphore.available(), 1);
}
