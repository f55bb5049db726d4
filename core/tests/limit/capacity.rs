//! Close, resize, forget, and the most there can be.

use super::{poll, queue, take};
use allhome::Semaphore;
use allhome::limit::{AcquireError, TryAcquireError};
use std::pin::pin;
use std::task::{Poll, Waker};

#[test]
fn s11_close_refuses_those_who_wait_or_come() {
    let semaphore = Semaphore::new(3);
    let held = take(&semaphore, 2);
    let line: Vec<_> = [2, 1, 3].map(|count| queue(&semaphore, count)).into();
    assert!(!semaphore.is_closed());
    assert!(semaphore.close());
    assert!(!semaphore.close(), "it was closed before");
    assert!(semaphore.is_closed());
    assert_eq!(semaphore.waiters(), 0);
    for waiting in line {
        assert_eq!(waiting.woken(), 1);
        assert_eq!(waiting.refused(), AcquireError::Closed);
    }
    let refused = poll(pin!(semaphore.acquire()), Waker::noop());
    assert!(matches!(refused, Poll::Ready(Err(AcquireError::Closed))));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    assert_eq!(semaphore.try_acquire_many(9).unwrap_err(), TryAcquireError::Closed);
    assert_eq!((held.count(), semaphore.available()), (2, 1));
    drop(held);
    assert_eq!(semaphore.available(), 3, "holders finish");
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
}

#[test]
fn s11_what_was_granted_stays_granted() {
    let semaphore = Semaphore::new(1);
    let permit = take(&semaphore, 1);
    let (first, second) = (queue(&semaphore, 1), queue(&semaphore, 1));
    drop(permit);
    semaphore.close();
    assert_eq!(second.refused(), AcquireError::Closed);
    let mut permit = first.granted();
    assert_eq!(permit.split(1).unwrap().count(), 1);
    semaphore.resize(5);
    assert_eq!((semaphore.capacity(), semaphore.available()), (5, 5));
    drop(permit);
    assert_eq!(semaphore.available(), 5);
}

#[test]
fn s11_a_closed_semaphore_forgets_and_takes_back() {
    let semaphore = Semaphore::new(4);
    let (one, two) = (take(&semaphore, 1), take(&semaphore, 2));
    semaphore.close();
    one.forget();
    assert_eq!((semaphore.capacity(), semaphore.available()), (3, 1));
    semaphore.resize(1);
    drop(two);
    assert_eq!((semaphore.capacity(), semaphore.available()), (1, 1));
    assert!(semaphore.is_closed());
}

#[test]
fn s11_many_are_told() {
    let semaphore = Semaphore::new(1);
    let _permit = take(&semaphore, 1);
    let line: Vec<_> = (0..100).map(|_| queue(&semaphore, 1)).collect();
    semaphore.close();
    assert!(line.iter().all(|waiting| waiting.woken() == 1));
}

#[test]
fn s12_growing_serves_the_line_in_order() {
    let semaphore = Semaphore::new(2);
    let both = take(&semaphore, 2);
    let (first, second, third) = (queue(&semaphore, 1), queue(&semaphore, 2), queue(&semaphore, 1));
    semaphore.resize(4);
    assert_eq!((first.woken(), second.woken(), third.woken()), (1, 0, 0));
    assert_eq!((semaphore.available(), semaphore.capacity()), (1, 4));
    semaphore.resize(5);
    assert_eq!((second.woken(), third.woken(), semaphore.available()), (1, 0, 0));
    semaphore.resize(100);
    assert_eq!((third.woken(), semaphore.available()), (1, 94));
    drop((both, first, second, third));
    assert_eq!(semaphore.available(), 100);
}

#[test]
fn s12_growing_and_shrinking_open_and_closed() {
    for size in 0..4 {
        for to in 0..8 {
            for closed in [false, true] {
                let semaphore = Semaphore::new(size);
                assert_eq!(closed && semaphore.close(), closed);
                semaphore.resize(to);
                assert_eq!((semaphore.available(), semaphore.capacity()), (to, to));
                assert_eq!(semaphore.is_closed(), closed);
                semaphore.resize(size);
                assert_eq!((semaphore.available(), semaphore.capacity()), (size, size));
            }
        }
    }
}

#[test]
fn s12_a_semaphore_of_none_may_grow() {
    let semaphore = Semaphore::new(0);
    semaphore.resize(1);
    assert_eq!(take(&semaphore, 1).count(), 1);
}

#[test]
fn s13_shrinking_waits_for_holders() {
    let semaphore = Semaphore::new(4);
    let mut holders: Vec<_> = (0..4).map(|_| take(&semaphore, 1)).collect();
    semaphore.resize(2);
    let waiting = queue(&semaphore, 1);
    assert_eq!((semaphore.capacity(), semaphore.available()), (2, 0));
    for _ in 0..2 {
        drop(holders.pop());
        assert_eq!((waiting.woken(), semaphore.available()), (0, 0), "still above the limit");
        assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    }
    drop(holders.pop());
    assert_eq!(waiting.woken(), 1);
    drop((holders, waiting));
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn s13_with_nobody_in_line_nobody_is_admitted_either() {
    let semaphore = Semaphore::new(4);
    let all = take(&semaphore, 3);
    semaphore.resize(1);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    let waiting = queue(&semaphore, 1);
    drop(waiting);
    semaphore.resize(2);
    assert_eq!((semaphore.available(), semaphore.capacity()), (0, 2));
    semaphore.resize(4);
    assert_eq!((semaphore.available(), semaphore.capacity()), (1, 4));
    semaphore.resize(0);
    drop(all);
    assert_eq!((semaphore.available(), semaphore.capacity()), (0, 0));
    semaphore.resize(4);
    assert_eq!(take(&semaphore, 4).count(), 4);
}

#[test]
fn s13_who_waits_for_more_fails_at_once() {
    let semaphore = Semaphore::new(5);
    let four = take(&semaphore, 4);
    let line: Vec<_> = [2, 4, 1, 5, 3].map(|count| queue(&semaphore, count)).into();
    let last = queue(&semaphore, 2);
    semaphore.resize(2);
    let woken: Vec<_> = line.iter().map(|waiting| waiting.woken()).collect();
    assert_eq!(woken, [0, 1, 0, 1, 1]);
    assert_eq!(semaphore.waiters(), 3);
    // They have their verdict for good: nothing later changes it.
    semaphore.resize(5);
    for (waiting, asked) in line.into_iter().zip([2, 4, 1, 5, 3]) {
        if asked > 2 {
            let error = waiting.refused();
            assert!(matches!(error, AcquireError::TooMany { asked: found, capacity: 2, .. }
                if found == asked));
        } else {
            drop(waiting);
        }
    }
    drop(four);
    assert_eq!(last.granted().count(), 2);
    assert_eq!(semaphore.available(), 5);
}

#[test]
fn s13_a_large_first_that_fails_lets_the_next_in() {
    let semaphore = Semaphore::new(5);
    let _three = take(&semaphore, 3);
    let (large, small) = (queue(&semaphore, 5), queue(&semaphore, 1));
    semaphore.resize(4);
    assert_eq!((large.woken(), small.woken(), semaphore.available()), (1, 1, 0));
}

#[test]
fn s13_many_fail_at_once() {
    let semaphore = Semaphore::new(2);
    let _both = take(&semaphore, 2);
    let line: Vec<_> = (0..100).map(|at| queue(&semaphore, 1 + at % 2)).collect();
    semaphore.resize(1);
    for (at, waiting) in line.iter().enumerate() {
        assert_eq!(waiting.woken(), at % 2, "number {at}");
    }
    assert_eq!(semaphore.waiters(), 50);
}

#[test]
fn s15_forgotten_permits_shrink_the_capacity() {
    let semaphore = Semaphore::new(5);
    let two = take(&semaphore, 2);
    let (large, small) = (queue(&semaphore, 4), queue(&semaphore, 3));
    two.forget();
    assert_eq!((semaphore.capacity(), semaphore.available()), (3, 0));
    assert!(matches!(large.refused(), AcquireError::TooMany { asked: 4, capacity: 3, .. }));
    drop(small.granted());
    assert_eq!(semaphore.available(), 3);
    take(&semaphore, 0).forget();
    assert_eq!(semaphore.capacity(), 3);
    take(&semaphore, 3).forget();
    assert_eq!((semaphore.capacity(), semaphore.available()), (0, 0));
}

#[test]
fn s15_forgotten_while_above_the_limit() {
    let semaphore = Semaphore::new(10);
    let (four, six) = (take(&semaphore, 4), take(&semaphore, 6));
    semaphore.resize(8);
    four.forget();
    assert_eq!(semaphore.capacity(), 4);
    drop(six);
    assert_eq!((semaphore.capacity(), semaphore.available()), (4, 4));

    let semaphore = Semaphore::new(10);
    let ten = take(&semaphore, 10);
    semaphore.resize(2);
    ten.forget();
    assert_eq!((semaphore.capacity(), semaphore.available()), (0, 0));
    semaphore.resize(3);
    assert_eq!(semaphore.available(), 3, "no debt is left");
}

#[test]
fn s16_the_most_is_the_most() {
    const MOST: usize = Semaphore::MAX_PERMITS;
    for given in [MOST, MOST + 1, usize::MAX] {
        let semaphore = Semaphore::new(given);
        assert_eq!((semaphore.capacity(), semaphore.available()), (MOST, MOST));
        let all = take(&semaphore, MOST);
        assert!(matches!(
            semaphore.try_acquire_many(MOST + 1),
            Err(TryAcquireError::TooMany { capacity: MOST, .. })
        ));
        semaphore.resize(0);
        semaphore.resize(given);
        assert_eq!(semaphore.available(), 0);
        drop(all);
        assert_eq!(semaphore.available(), MOST);
        let one = take(&semaphore, 1);
        semaphore.resize(given);
        drop(one);
        assert_eq!(semaphore.available(), MOST, "no overflow");
    }
    let semaphore = Semaphore::new(1);
    semaphore.resize(usize::MAX);
    let mut all = take(&semaphore, MOST - 1);
    all.merge(take(&semaphore, 1)).unwrap();
    assert_eq!(all.count(), MOST);
}
