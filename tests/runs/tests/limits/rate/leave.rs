//! Acquires that are dropped, in every window.

use super::{Waiting, limiter, queue};
use allhome::limit::{Rate, TryAcquireError};
use allhome_runs::{Clock, SECOND};
use std::task::Poll;

#[test]
fn q06_never_polled_and_ready() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 2);
    drop(limiter.acquire_many(9));
    let mut taken = Waiting::new(&limiter, 1);
    assert_eq!(limiter.available(), 2, "nothing is taken before the first poll");
    assert!(taken.poll().is_ready());
    drop(taken);
    assert_eq!(limiter.available(), 1, "what was had is spent");
}

#[test]
fn q06_the_first_in_the_line() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 3);
    limiter.try_acquire_many(2).unwrap();
    let large = queue(&limiter, 3);
    let (mut small, mut last) = (queue(&limiter, 1), queue(&limiter, 1));
    assert_eq!(clock.sleeps(), 1);
    drop(large);
    assert_eq!((small.woken(), last.woken()), (1, 1), "one is told, the other the first now");
    assert_eq!((small.poll(), clock.sleeps()), (Poll::Ready(Ok(())), 0));
    assert!(last.poll().is_pending());
    assert_eq!(clock.sleeps(), 1);
    drop(last);
    assert_eq!((limiter.waiters(), clock.sleeps(), limiter.available()), (0, 0, 0));
}

#[test]
fn q06_in_the_middle() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 1);
    limiter.try_acquire().unwrap();
    let (mut first, second, mut third) =
        (queue(&limiter, 1), queue(&limiter, 1), queue(&limiter, 1));
    drop(second);
    assert_eq!((first.woken(), third.woken(), limiter.waiters()), (0, 0, 2));
    assert!(clock.step());
    assert_eq!(first.poll(), Poll::Ready(Ok(())));
    assert!(third.poll().is_pending());
    assert!(clock.step());
    assert_eq!((third.poll(), clock.elapsed()), (Poll::Ready(Ok(())), 2 * SECOND));
}

/// Granted by another call's look, and dropped before it is polled.
#[test]
fn q06_granted_and_never_polled() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 3);
    limiter.try_acquire_many(3).unwrap();
    let first = queue(&limiter, 3);
    let mut second = queue(&limiter, 2);
    clock.advance(3 * SECOND);
    assert_eq!(limiter.try_acquire(), Err(TryAcquireError::NoPermits));
    assert_eq!((limiter.available(), limiter.waiters()), (0, 1), "the first has them");
    drop(first);
    assert_eq!((limiter.available(), limiter.waiters()), (1, 0), "the second has its own");
    drop(second.future);
    second.future = Box::pin(limiter.acquire_many(3));
    assert_eq!(second.poll(), Poll::Ready(Ok(())), "all are there, as if it had not asked");
}

/// No more than the burst is given back, and no part of a permit that came meanwhile.
#[test]
fn q06_given_back_to_a_full_bucket() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 2);
    limiter.try_acquire_many(2).unwrap();
    let first = queue(&limiter, 2);
    clock.advance(2 * SECOND);
    let _ = limiter.try_acquire();
    clock.advance(SECOND * 3 / 2);
    drop(first);
    assert_eq!(limiter.available(), 2);
    limiter.try_acquire_many(2).unwrap();
    clock.advance(SECOND * 3 / 4);
    assert_eq!(limiter.available(), 0, "the half that came was beyond the burst");
}

/// Woken by its timer and dropped before it is polled.
#[test]
fn q06_dropped_when_its_moment_has_come() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 1);
    limiter.try_acquire().unwrap();
    let (first, mut second) = (queue(&limiter, 1), queue(&limiter, 1));
    assert!(clock.step());
    assert_eq!((first.woken(), second.woken()), (1, 0));
    drop(first);
    assert_eq!(second.woken(), 1, "what had come is for the next");
    assert_eq!((second.poll(), clock.sleeps()), (Poll::Ready(Ok(())), 0));
}

/// Notified that it is the first, and dropped before it has a timer.
#[test]
fn q06_dropped_when_it_was_nudged() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 1);
    limiter.try_acquire().unwrap();
    let (first, second, mut third) = (queue(&limiter, 1), queue(&limiter, 1), queue(&limiter, 1));
    drop(first);
    assert_eq!((second.woken(), third.woken()), (1, 0));
    drop(second);
    assert_eq!((third.woken(), clock.sleeps()), (1, 0));
    assert!(third.poll().is_pending());
    assert!(clock.step());
    assert!(third.poll().is_ready());
}
