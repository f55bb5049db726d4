//! Taking permits: at once, in turn, or not at all.

use super::{poll, queue, take};
use allhome::Semaphore;
use allhome::limit::{AcquireError, TryAcquireError};
use std::pin::pin;
use std::task::{Poll, Waker};

#[test]
fn s01_what_is_free_is_taken_and_comes_back() {
    for count in [1, 3, 5] {
        let semaphore = Semaphore::new(5);
        let mut acquire = pin!(semaphore.acquire_many(count));
        assert_eq!(semaphore.available(), 5, "nothing is taken before the first poll");
        let Poll::Ready(Ok(permit)) = poll(acquire.as_mut(), Waker::noop()) else { panic!() };
        assert_eq!((permit.count(), semaphore.available()), (count, 5 - count));
        assert_eq!((semaphore.capacity(), semaphore.waiters()), (5, 0));
        drop(permit);
        assert_eq!(semaphore.available(), 5);
    }
}

#[test]
fn s01_who_finds_too_few_waits_and_is_woken() {
    let semaphore = Semaphore::new(2);
    let (one, other) = (take(&semaphore, 1), take(&semaphore, 1));
    let waiting = queue(&semaphore, 2);
    assert_eq!(semaphore.waiters(), 1);
    drop(one);
    assert_eq!((waiting.woken(), semaphore.waiters()), (0, 1), "one is not two");
    drop(other);
    assert_eq!((waiting.woken(), semaphore.waiters()), (1, 0));
    assert_eq!(waiting.granted().count(), 2);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn s02_first_come_first_served() {
    let semaphore = Semaphore::new(1);
    let mut permit = take(&semaphore, 1);
    let line: Vec<_> = (0..100).map(|_| queue(&semaphore, 1)).collect();
    for (at, waiting) in line.iter().enumerate() {
        assert_eq!(waiting.woken(), 0, "number {at} is not first yet");
    }
    for waiting in line {
        drop(permit);
        assert_eq!(waiting.woken(), 1);
        permit = waiting.granted();
    }
}

#[test]
fn s02_small_requests_do_not_overtake_a_large_one() {
    let semaphore = Semaphore::new(3);
    let (one, two) = (take(&semaphore, 1), take(&semaphore, 2));
    let large = queue(&semaphore, 3);
    let small = queue(&semaphore, 1);
    drop(two);
    assert_eq!(semaphore.available(), 2);
    assert_eq!((large.woken(), small.woken()), (0, 0), "two are free, and kept for the first");
    let smaller = queue(&semaphore, 1);
    drop(one);
    assert_eq!((large.woken(), small.woken(), smaller.woken()), (1, 0, 0));
    drop(large.granted());
    assert_eq!((small.woken(), smaller.woken()), (1, 1), "both fit");
    drop((small, smaller));
    assert_eq!(semaphore.available(), 3);
}

#[test]
fn s02_one_release_serves_all_that_fit() {
    let semaphore = Semaphore::new(100);
    let all = take(&semaphore, 100);
    let line: Vec<_> = (0..100).map(|_| queue(&semaphore, 1)).collect();
    let late = queue(&semaphore, 1);
    drop(all);
    assert!(line.iter().all(|waiting| waiting.woken() == 1));
    assert_eq!((late.woken(), semaphore.waiters(), semaphore.available()), (0, 1, 0));
    drop(line);
    assert_eq!((late.woken(), semaphore.available()), (1, 99));
    drop(late);
    assert_eq!(semaphore.available(), 100);
}

#[test]
fn s03_try_takes_what_is_free() {
    let semaphore = Semaphore::new(3);
    let two = semaphore.try_acquire_many(2).unwrap();
    let one = semaphore.try_acquire().unwrap();
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    drop(two);
    assert_eq!(semaphore.try_acquire_many(3).unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!(semaphore.try_acquire_many(2).unwrap().count(), 2);
    drop(one);
    assert_eq!(semaphore.available(), 3);
}

#[test]
fn s03_try_does_not_overtake() {
    let semaphore = Semaphore::new(3);
    let one = take(&semaphore, 1);
    let waiting = queue(&semaphore, 3);
    assert_eq!(semaphore.available(), 2);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    drop(waiting);
    assert!(semaphore.try_acquire_many(2).is_ok());
    drop(one);
}

#[test]
fn s04_what_comes_back_is_reserved() {
    let semaphore = Semaphore::new(2);
    let both = take(&semaphore, 2);
    let first = queue(&semaphore, 2);
    drop(both);
    // Granted and not polled yet.
    assert_eq!((first.woken(), semaphore.available(), semaphore.waiters()), (1, 0, 0));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    let second = queue(&semaphore, 1);
    drop(first.granted());
    assert_eq!(second.granted().count(), 1);
}

#[test]
fn s05_more_than_the_capacity_fails_at_once() {
    let semaphore = Semaphore::new(3);
    for asked in [4, usize::MAX >> 2, (usize::MAX >> 2) + 2, usize::MAX] {
        let refused = poll(pin!(semaphore.acquire_many(asked)), Waker::noop());
        let Poll::Ready(Err(error)) = refused else { panic!("{refused:?}") };
        assert!(matches!(error, AcquireError::TooMany { asked: found, capacity: 3, .. }
            if found == asked));
        let error = semaphore.try_acquire_many(asked).unwrap_err();
        assert!(matches!(error, TryAcquireError::TooMany { asked: found, capacity: 3, .. }
            if found == asked));
    }
    assert_eq!((semaphore.available(), semaphore.waiters()), (3, 0));
    let _all = take(&semaphore, 3);
    let _line = queue(&semaphore, 3);
    let refused = poll(pin!(semaphore.acquire_many(4)), Waker::noop());
    assert!(
        matches!(refused, Poll::Ready(Err(AcquireError::TooMany { .. }))),
        "also behind others"
    );
    assert!(matches!(semaphore.try_acquire_many(4), Err(TryAcquireError::TooMany { .. })));
}

#[test]
fn s05_a_semaphore_of_none_refuses_all() {
    let semaphore = Semaphore::new(0);
    let refused = poll(pin!(semaphore.acquire()), Waker::noop());
    let Poll::Ready(Err(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.to_string(), "asked for 1 permits, which is more than the capacity of 0");
    assert!(matches!(semaphore.try_acquire(), Err(TryAcquireError::TooMany { .. })));
}

#[test]
fn s06_none_are_granted_always() {
    let semaphore = Semaphore::new(1);
    let one = take(&semaphore, 1);
    let _line = queue(&semaphore, 1);
    let none = poll(pin!(semaphore.acquire_many(0)), Waker::noop());
    let Poll::Ready(Ok(mut none)) = none else { panic!("{none:?}") };
    assert_eq!((none.count(), take(&semaphore, 0).count()), (0, 0));
    assert_eq!(none.split(0).unwrap().count(), 0);
    assert!(none.split(1).is_none());
    drop((none, one));
    assert_eq!(take(&Semaphore::new(0), 0).count(), 0);
    semaphore.close();
    assert_eq!(semaphore.try_acquire_many(0).unwrap_err(), TryAcquireError::Closed);
    let closed = poll(pin!(semaphore.acquire_many(0)), Waker::noop());
    assert!(matches!(closed, Poll::Ready(Err(AcquireError::Closed))));
}

#[test]
fn s19_debug_and_errors_tell_what_there_is() {
    let semaphore = Semaphore::new(3).named("db");
    assert_eq!(semaphore.name(), Some("db"));
    let permit = take(&semaphore, 2);
    let shown =
        r#"Semaphore { name: "db", available: 1, capacity: 3, waiters: 0, closed: false, .. }"#;
    assert_eq!(format!("{semaphore:?}"), shown);
    assert_eq!(format!("{permit:?}"), format!("Permit {{ count: 2, semaphore: {shown}, .. }}"));
    let acquire = semaphore.acquire_many(2);
    assert_eq!(format!("{acquire:?}"), format!("Acquire {{ asked: 2, semaphore: {shown}, .. }}"));
    assert_eq!(format!("{:?}", Semaphore::new(0)).matches("name").count(), 0);
    assert_eq!(TryAcquireError::NoPermits.to_string(), "there are not enough permits just now");
    assert_eq!(AcquireError::Closed.to_string(), "the limit is closed");
}
