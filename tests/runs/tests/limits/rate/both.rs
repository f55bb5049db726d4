//! A semaphore and a rate limiter, or two of these, at once; and cancels.

use super::limiter;
use allhome::cancel::ReasonKind;
use allhome::limit::{AcquireBoth, AcquireError, Rate};
use allhome::{Nursery, Semaphore, is_cancelled, move_on_after, nursery};
use allhome_runs::{Clock, SECOND, Wakes, in_body, poll_once};
use std::task::Poll;

#[test]
fn j05_what_is_spent_is_taken_last() {
    let clock = Clock::new();
    let often = limiter(&clock, Rate::per_second(1), 5);
    let at_once = Semaphore::new(1);
    let held = at_once.try_acquire().unwrap();
    let mut acquire = Box::pin(AcquireBoth::new(often.acquire_many(5), at_once.acquire()).unwrap());
    let mut other_way =
        Box::pin(AcquireBoth::new(at_once.acquire(), often.acquire_many(5)).unwrap());
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
    let both = |of_high, of_low| {
        AcquireBoth::new(high.acquire_many(of_high), low.acquire_many(of_low)).unwrap()
    };
    let wakes = Wakes::new();
    let refused = poll_once(&mut Box::pin(both(4, 3)), &wakes);
    assert!(matches!(refused, Poll::Ready(Err(AcquireError::TooMany { .. }))));
    assert_eq!((low.available(), high.available()), (3, 3));
    // It has the first's, waits for the second's, and is dropped.
    high.try_acquire_many(3).unwrap();
    let mut acquire = Box::pin(both(2, 3));
    assert!(poll_once(&mut acquire, &wakes).is_pending());
    assert_eq!((low.available(), high.waiters()), (0, 1));
    drop(acquire);
    assert_eq!((low.available(), high.waiters(), clock.sleeps()), (3, 0, 0));
    let mut acquire = Box::pin(both(2, 3));
    assert!(poll_once(&mut acquire, &wakes).is_pending());
    clock.advance(2 * SECOND);
    assert_eq!(poll_once(&mut acquire, &wakes), Poll::Ready(Ok(((), ()))));
    drop(acquire);
    assert_eq!((low.available(), high.available()), (2, 0), "what was had is spent");
}

/// With the task the wait ends; with a cancel scope alone it is dropped. In both cases nothing of
/// it is left.
#[test]
fn j03_what_was_taken_is_given_back_when_the_wait_is_cancelled() {
    in_body(async |clock| {
        let pair = [Semaphore::new(1), Semaphore::new(1)];
        let (low, high) = (&pair[0], &pair[1]);
        let _held = high.try_acquire().unwrap();
        let waits = || AcquireBoth::new(high.acquire(), low.acquire()).unwrap();
        assert!(move_on_after(SECOND, waits()).await.is_none());
        assert_eq!((low.available(), low.waiters(), high.waiters()), (1, 0, 0));
        let often = limiter(&clock, Rate::new(0, SECOND), 1);
        often.try_acquire().unwrap();
        let waits_often = || AcquireBoth::new(often.acquire(), low.acquire()).unwrap();
        assert!(move_on_after(SECOND, waits_often()).await.is_none());
        assert_eq!((low.available(), often.waiters()), (1, 0));
        let run = nursery().deadline(SECOND).run(async |_: Nursery<AcquireError>| {
            let error = waits().await.unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), ReasonKind::Deadline);
            assert_eq!((low.available(), low.waiters(), high.waiters()), (1, 0, 0));
            let error = waits_often().await.unwrap_err();
            assert!(matches!(error, AcquireError::Cancelled(_)) && is_cancelled());
            Ok((low.available(), often.waiters()))
        });
        assert_eq!(run.await.unwrap(), (1, 0));
    });
}
