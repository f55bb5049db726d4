//! Two limits at once: the clauses J of docs/SPEC.md, with two semaphores.

use super::{Count, poll, queue, take, threads::block_on};
use allhome::Semaphore;
use allhome::limit::{Acquire, AcquireBoth, AcquireError};
use std::sync::Arc;
use std::task::{Poll, Waker};

type Both<'a> = AcquireBoth<Acquire<'a>, Acquire<'a>>;

fn both<'a>(a: &'a Semaphore, of_a: usize, b: &'a Semaphore, of_b: usize) -> Both<'a> {
    AcquireBoth::new(a.acquire_many(of_a), b.acquire_many(of_b)).unwrap()
}

#[test]
fn j01_both_or_neither() {
    let (one, other) = (Semaphore::new(3), Semaphore::new(2));
    let taken = poll(Box::pin(both(&one, 3, &other, 1)).as_mut(), Waker::noop());
    let Poll::Ready(Ok((of_one, of_other))) = taken else { panic!("{taken:?}") };
    assert_eq!((of_one.count(), of_other.count()), (3, 1));
    assert!(poll(Box::pin(both(&one, 1, &other, 1)).as_mut(), Waker::noop()).is_pending());
    assert_eq!((one.available(), other.available()), (0, 1));
    drop((of_one, of_other));
    let taken = poll(Box::pin(both(&one, 1, &other, 1)).as_mut(), Waker::noop());
    let Poll::Ready(Ok((of_one, of_other))) = taken else { panic!("{taken:?}") };
    assert!(std::ptr::eq(of_one.semaphore(), &one) && std::ptr::eq(of_other.semaphore(), &other));
    assert!(format!("{:?}", both(&one, 1, &other, 1)).starts_with("AcquireBoth(Acquire {"));
}

/// In the order of their addresses, whichever is named first.
#[test]
fn j01_the_order_does_not_depend_on_the_naming() {
    let pair = [Semaphore::new(1), Semaphore::new(1)];
    let (low, high) = (&pair[0], &pair[1]);
    for (a, b) in [(low, high), (high, low)] {
        let held = take(low, 1);
        let mut acquire = Box::pin(both(a, 1, b, 1));
        let woken = Arc::new(Count::default());
        assert!(poll(acquire.as_mut(), &Waker::from(woken.clone())).is_pending());
        assert_eq!((low.waiters(), high.available()), (1, 1), "the low one first");
        drop(held);
        let held = take(high, 1);
        assert_eq!((woken.get(), low.available()), (1, 0));
        assert!(poll(acquire.as_mut(), &Waker::from(woken.clone())).is_pending());
        assert_eq!(high.waiters(), 1);
        drop(held);
        assert_eq!(woken.get(), 2);
        let Poll::Ready(Ok((of_a, of_b))) = poll(acquire.as_mut(), Waker::noop()) else { panic!() };
        assert!(std::ptr::eq(of_a.semaphore(), a) && std::ptr::eq(of_b.semaphore(), b));
    }
    assert_eq!((low.available(), high.available()), (1, 1));
}

#[test]
fn j02_opposite_orders_do_not_wait_for_each_other() {
    let pair = [Semaphore::new(1), Semaphore::new(1)];
    std::thread::scope(|scope| {
        for number in 0..4 {
            let pair = &pair;
            scope.spawn(move || {
                let (a, b) = (&pair[number % 2], &pair[(number + 1) % 2]);
                for step in 0..5_000 {
                    if (step + number) % 5 == 0 {
                        drop(poll(Box::pin(both(a, 1, b, 1)).as_mut(), Waker::noop()));
                    } else {
                        drop(block_on(both(a, 1, b, 1)).unwrap());
                    }
                }
            });
        }
    });
    for semaphore in &pair {
        assert_eq!((semaphore.available(), semaphore.waiters()), (1, 0));
    }
}

#[test]
fn j03_dropped_in_each_window() {
    let pair = [Semaphore::new(2), Semaphore::new(2)];
    let (low, high) = (&pair[0], &pair[1]);
    let free = || (low.available(), high.available(), low.waiters() + high.waiters());
    for (a, b) in [(low, high), (high, low)] {
        drop(both(a, 1, b, 1));
        // It waits for the first.
        let held = take(low, 2);
        let mut acquire = Box::pin(both(a, 2, b, 2));
        assert!(poll(acquire.as_mut(), Waker::noop()).is_pending());
        drop(acquire);
        assert_eq!(free(), (0, 2, 0));
        // The first is granted, and it was not polled since.
        let mut acquire = Box::pin(both(a, 2, b, 2));
        assert!(poll(acquire.as_mut(), Waker::noop()).is_pending());
        drop(held);
        assert_eq!(free(), (0, 2, 0));
        drop(acquire);
        assert_eq!(free(), (2, 2, 0));
        // It has the first, and waits for the second; another task waits for what it has.
        let held = take(high, 1);
        let mut acquire = Box::pin(both(a, 2, b, 2));
        assert!(poll(acquire.as_mut(), Waker::noop()).is_pending());
        assert_eq!(free(), (0, 1, 1));
        let next = queue(low, 1);
        drop(acquire);
        assert_eq!(next.woken(), 1);
        drop(next.granted());
        // Both are granted, and it was not polled since.
        let mut acquire = Box::pin(both(a, 2, b, 2));
        assert!(poll(acquire.as_mut(), Waker::noop()).is_pending());
        drop(held);
        assert_eq!(free(), (0, 0, 0));
        drop(acquire);
        assert_eq!(free(), (2, 2, 0));
    }
}

#[test]
fn j03_refused_by_the_second() {
    let pair = [Semaphore::new(2), Semaphore::new(2)];
    let (low, high) = (&pair[0], &pair[1]);
    // At once.
    let mut acquire = Box::pin(both(high, 3, low, 2));
    let refused = poll(acquire.as_mut(), Waker::noop());
    assert!(matches!(refused, Poll::Ready(Err(AcquireError::TooMany { asked: 3, .. }))));
    assert_eq!(low.available(), 2, "given back before the future is dropped");
    // While it waits.
    let held = take(high, 2);
    let mut acquire = Box::pin(both(high, 1, low, 1));
    assert!(poll(acquire.as_mut(), Waker::noop()).is_pending());
    assert_eq!(low.available(), 1);
    high.close();
    let refused = poll(acquire.as_mut(), Waker::noop());
    assert!(matches!(refused, Poll::Ready(Err(AcquireError::Closed))));
    assert_eq!((low.available(), low.waiters()), (2, 0));
    drop(held);
    // By the first.
    low.close();
    let refused = poll(Box::pin(both(high, 1, low, 1)).as_mut(), Waker::noop());
    assert!(matches!(refused, Poll::Ready(Err(AcquireError::Closed))));
}

#[test]
fn j04_one_is_not_two() {
    let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    assert!(AcquireBoth::new(one.acquire(), one.acquire()).is_none());
    assert!(AcquireBoth::new(one.acquire(), other.acquire()).is_some());
}
