//! A semaphore and a rate limiter, or two of these, at once; and cancels.

use super::limiter;
use allhome::{AcquireError, Both, Rate, Semaphore, TryAcquireError, move_on_after};
use allhome_runs::{Clock, SECOND, Wakes, in_body, poll_once};
use std::task::Poll;

#[test]
fn j05_what_is_spent_is_taken_last() {
    let clock = Clock::new();
    let often = limiter(&clock, Rate::per_second(1), 5);
    let at_once = Semaphore::new(1);
    let held = at_once.try_acquire().unwrap();
    let mut acquire = Box::pin(Both::new(&often, &at_once).unwrap().acquire_many(5, 1));
    let mut other_way = Box::pin(Both::new(&at_once, &often).unwrap().acquire_many(1, 5));
    let wakes = Wakes::new();
    assert!(poll_once(&mut acquire, &wakes).is_pending());
    assert!(poll_once(&mut other_way, &wakes).is_pending());
    assert_eq!((often.available(), often.waiters(), at_once.waiters()), (5, 0, 2));
    drop(held);
    let Poll::Ready(Ok(((), permit))) = poll_once(&mut acquire, &wakes) else { panic!() };
    assert_eq!((often.available(), wakes.count()), (0, 1));
    drop(permit);
    assert!(poll_once(&mut other_way, &wakes).is_pending());
    assert_eq!((often.waiters(), at_once.available(), clock.sleeps()), (1, 0, 1));
    drop(other_way);
    assert_eq!((often.waiters(), at_once.available(), clock.sleeps()), (0, 1, 0));
}

#[test]
fn j05_spent_tokens_come_back_if_the_second_is_refused() {
    let clock = Clock::new();
    let pair = [limiter(&clock, Rate::per_second(1), 3), limiter(&clock, Rate::per_second(1), 3)];
    let (low, high) = (&pair[0], &pair[1]);
    let both = Both::new(high, low).unwrap();
    assert!(matches!(both.try_acquire_many(4, 3), Err(TryAcquireError::TooMany { .. })));
    assert_eq!((low.available(), high.available()), (3, 3));
    let wakes = Wakes::new();
    let refused = poll_once(&mut Box::pin(both.acquire_many(4, 3)), &wakes);
    assert!(matches!(refused, Poll::Ready(Err(AcquireError::TooMany { .. }))));
    assert_eq!((low.available(), high.available()), (3, 3));
    // It has the first's, waits for the second's, and is dropped.
    high.try_acquire_many(3).unwrap();
    let mut acquire = Box::pin(both.acquire_many(2, 3));
    assert!(poll_once(&mut acquire, &wakes).is_pending());
    assert_eq!((low.available(), high.waiters()), (0, 1));
    drop(acquire);
    assert_eq!((low.available(), high.waiters(), clock.sleeps()), (3, 0, 0));
    let mut acquire = Box::pin(both.acquire_many(2, 3));
    assert!(poll_once(&mut acquire, &wakes).is_pending());
    clock.advance(2 * SECOND);
    assert_eq!(poll_once(&mut acquire, &wakes), Poll::Ready(Ok(((), ()))));
    drop(acquire);
    assert_eq!((low.available(), high.available()), (2, 0), "what was had is spent");
}

#[test]
fn j03_what_was_taken_is_given_back_when_the_wait_is_cancelled() {
    in_body(async |clock| {
        let pair = [Semaphore::new(1), Semaphore::new(1)];
        let (low, high) = (&pair[0], &pair[1]);
        let _held = high.try_acquire().unwrap();
        let inside = async {
            let error = Both::new(high, low).unwrap().acquire().await.unwrap_err();
            assert!(matches!(error, AcquireError::Cancelled(_)));
            (low.available(), low.waiters(), high.waiters())
        };
        assert_eq!(move_on_after(SECOND, inside).await.unwrap(), Some((1, 0, 0)));
        let often = limiter(&clock, Rate::new(0, SECOND), 1);
        often.try_acquire().unwrap();
        let inside = async {
            let error = Both::new(&often, low).unwrap().acquire().await.unwrap_err();
            assert!(matches!(error, AcquireError::Cancelled(_)));
            (low.available(), often.waiters())
        };
        assert_eq!(move_on_after(SECOND, inside).await.unwrap(), Some((1, 0)));
    });
}
