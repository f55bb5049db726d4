//! Rate limits: the clauses Q of docs/SPEC.md, on a clock that the test moves.

mod both;
mod leave;
mod model;
mod odd;
mod tasks;
mod turns;

use allhome::limit::{AcquireError, AcquireRate, Rate, RateLimiter, TryAcquireError};
use allhome_rt::Timer;
use allhome_runs::{Clock, SECOND, Stepped, Wakes, poll_once};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// A year of such a clock.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A limiter on that clock.
fn limiter(clock: &Clock, rate: Rate, burst: usize) -> RateLimiter {
    RateLimiter::new(&clock.runtime(&Stepped::new(1)), rate, burst)
}

/// An acquire in its own task.
struct Waiting<'a> {
    future: Pin<Box<AcquireRate<'a>>>,
    wakes: Wakes,
}

impl<'a> Waiting<'a> {
    fn new(limiter: &'a RateLimiter, count: usize) -> Waiting<'a> {
        Waiting { future: Box::pin(limiter.acquire_many(count)), wakes: Wakes::new() }
    }

    fn poll(&mut self) -> Poll<Result<(), AcquireError>> {
        poll_once(&mut self.future, &self.wakes)
    }

    fn woken(&self) -> usize {
        self.wakes.count()
    }
}

/// Polls an acquire once; it is expected to wait.
#[track_caller]
fn queue(limiter: &RateLimiter, count: usize) -> Waiting<'_> {
    let mut waiting = Waiting::new(limiter, count);
    assert!(waiting.poll().is_pending(), "{limiter:?} has {count} permits");
    waiting
}

#[test]
fn q01_starts_with_its_burst_which_comes_back_at_the_rate() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(2), 5).named("api");
    assert_eq!((limiter.available(), limiter.burst(), limiter.name()), (5, 5, Some("api")));
    assert_eq!(limiter.rate(), Rate::per_second(2));
    assert_eq!(Waiting::new(&limiter, 3).poll(), Poll::Ready(Ok(())));
    limiter.try_acquire_many(2).unwrap();
    assert_eq!(limiter.try_acquire(), Err(TryAcquireError::NoPermits));
    for (half_seconds, there) in [(1, 1), (1, 2), (2, 4), (1, 5), (100, 5)] {
        clock.advance(half_seconds * SECOND / 2);
        assert_eq!(limiter.available(), there);
    }
    limiter.try_acquire_many(5).unwrap();
    assert_eq!(limiter.available(), 0, "no more than the burst was kept");
    let shown = r#"RateLimiter { name: "api", burst: 5, waiters: 0, closed: false, .. }"#;
    assert_eq!(format!("{limiter:?}"), shown);
    let acquire = limiter.acquire_many(2);
    let expected = format!("AcquireRate {{ asked: 2, limiter: {shown}, .. }}");
    assert_eq!(format!("{acquire:?}"), expected);
}

#[test]
fn q02_to_the_nanosecond() {
    let clock = Clock::new();
    // 333,333,333 ns and a third each.
    let limiter = limiter(&clock, Rate::per_second(3), 1);
    limiter.try_acquire().unwrap();
    for nanos in [333_333_334, 333_333_333, 333_333_333, 333_333_334] {
        let mut next = queue(&limiter, 1);
        clock.advance(Duration::from_nanos(nanos - 1));
        assert!(next.poll().is_pending(), "a nanosecond early");
        assert_eq!((next.woken(), limiter.try_acquire().is_err()), (0, true));
        clock.advance(Duration::from_nanos(1));
        assert_eq!((next.woken(), next.poll()), (1, Poll::Ready(Ok(()))));
    }
    assert_eq!(clock.sleeps(), 0);
}

#[test]
fn q03_nothing_is_rounded() {
    let clock = Clock::new();
    // 7 in 11 seconds: no number of nanoseconds is a permit.
    let limiter = limiter(&clock, Rate::new(7, 11 * SECOND), 2);
    limiter.try_acquire_many(2).unwrap();
    let mut taken = 0;
    // A look at each odd moment, in 1,100 seconds.
    for _ in 0..11_000 {
        clock.advance(Duration::from_millis(99));
        taken += usize::from(limiter.try_acquire().is_ok());
        clock.advance(Duration::from_millis(1));
        taken += usize::from(limiter.try_acquire().is_ok());
    }
    assert_eq!(taken, 700);
    // A task always waits, for an hour.
    let start = clock.now();
    for _ in 0..7 * 360 {
        let mut next = queue(&limiter, 1);
        assert!(clock.step());
        assert!(next.poll().is_ready());
    }
    assert_eq!(clock.now() - start, 11 * 360 * SECOND);
}

#[test]
fn q05_more_than_the_burst_fails_at_once() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 3);
    limiter.try_acquire_many(3).unwrap();
    let _line = queue(&limiter, 3);
    for asked in [4, usize::MAX] {
        let refused = Waiting::new(&limiter, asked).poll();
        let Poll::Ready(Err(AcquireError::TooMany { asked: found, capacity: 3, .. })) = refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!(found, asked);
        assert!(matches!(limiter.try_acquire_many(asked),
            Err(TryAcquireError::TooMany { asked: found, capacity: 3, .. }) if found == asked));
    }
    assert_eq!(Waiting::new(&limiter, 0).poll(), Poll::Ready(Ok(())), "nothing is there always");
    limiter.try_acquire_many(0).unwrap();
    assert_eq!(limiter.waiters(), 1);
}

#[test]
fn q08_a_change_of_rate_counts_from_now_on() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::new(1, 10 * SECOND), 2);
    limiter.try_acquire_many(2).unwrap();
    let mut first = queue(&limiter, 2);
    clock.advance(5 * SECOND);
    // Half a permit has come; one and a half are missing.
    limiter.set_rate(Rate::new(1, 2 * SECOND));
    assert_eq!((limiter.rate().per(), first.woken()), (2 * SECOND, 1), "it is to look again");
    assert!(first.poll().is_pending());
    assert_eq!(clock.next(), Some(clock.now() + 3 * SECOND));
    assert_eq!(clock.sleeps(), 1, "the old timer was released");
    clock.advance(2 * SECOND);
    limiter.set_rate(Rate::new(0, SECOND));
    assert!(first.poll().is_pending());
    assert_eq!(clock.sleeps(), 0, "there is nothing to wait for");
    clock.advance(1_000 * SECOND);
    assert!(first.poll().is_pending());
    limiter.set_rate(Rate::new(1, Duration::ZERO));
    assert_eq!(first.poll(), Poll::Ready(Ok(())));
}

/// Nudged, and polled again by the same waker: it can be woken once more, and notified.
#[test]
fn q08_each_change_wakes_the_first() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::new(0, SECOND), 1);
    limiter.try_acquire().unwrap();
    let mut first = queue(&limiter, 1);
    for changes in 1..4 {
        limiter.set_rate(Rate::new(0, changes * SECOND));
        assert_eq!(first.woken(), changes as usize);
        assert!(first.poll().is_pending());
    }
    limiter.close();
    assert_eq!((first.woken(), first.poll()), (4, Poll::Ready(Err(AcquireError::Closed))));
}

/// A part of a permit that came at the old rate is no more than that part.
#[test]
fn q08_the_part_of_a_permit_stays_that_part() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::new(1, 584 * YEAR), 1);
    limiter.try_acquire().unwrap();
    clock.advance(146 * YEAR);
    limiter.set_rate(Rate::new(1, 4 * SECOND));
    clock.advance(3 * SECOND - Duration::from_nanos(1));
    assert_eq!(limiter.available(), 0);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(limiter.available(), 1, "a quarter was there, and three have come");
    limiter.try_acquire().unwrap();
    clock.advance(2 * SECOND);
    limiter.set_rate(Rate::new(1, 584 * YEAR));
    clock.advance(292 * YEAR);
    assert_eq!(limiter.available(), 1);
}

#[test]
fn q09_close_refuses_those_who_wait_or_come() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 2);
    limiter.try_acquire_many(2).unwrap();
    let mut granted = queue(&limiter, 1);
    let mut line: Vec<_> = (0..40).map(|_| queue(&limiter, 1)).collect();
    clock.advance(SECOND);
    let _ = limiter.try_acquire();
    assert!(!limiter.is_closed());
    assert!(limiter.close());
    assert!(!limiter.close(), "it was closed before");
    assert!(limiter.is_closed());
    assert_eq!(granted.poll(), Poll::Ready(Ok(())), "what was granted stays granted");
    for waiting in &mut line {
        assert_eq!(waiting.poll(), Poll::Ready(Err(AcquireError::Closed)));
    }
    assert_eq!(limiter.try_acquire(), Err(TryAcquireError::Closed));
    assert_eq!(Waiting::new(&limiter, 0).poll(), Poll::Ready(Err(AcquireError::Closed)));
    assert_eq!((limiter.waiters(), clock.sleeps()), (0, 0));
}

#[test]
fn q10_a_smaller_burst_loses_what_it_cannot_hold() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 10);
    limiter.resize(4);
    assert_eq!((limiter.burst(), limiter.available()), (4, 4));
    limiter.try_acquire_many(3).unwrap();
    let (mut large, mut small) = (queue(&limiter, 4), queue(&limiter, 2));
    limiter.resize(2);
    assert!(matches!(large.poll(), Poll::Ready(Err(AcquireError::TooMany { capacity: 2, .. }))));
    assert_eq!((small.woken(), limiter.waiters()), (1, 1), "it is the first now");
    assert!(small.poll().is_pending());
    assert_eq!(clock.sleeps(), 1);
    clock.advance(SECOND);
    assert_eq!(small.poll(), Poll::Ready(Ok(())));
}

#[test]
fn q10_a_larger_burst_fills_at_the_rate() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 1);
    limiter.resize(3);
    assert_eq!(limiter.available(), 1);
    clock.advance(SECOND);
    assert_eq!(limiter.available(), 2);
    clock.advance(9 * SECOND);
    assert_eq!(limiter.available(), 3);
    limiter.resize(usize::MAX);
    assert_eq!(limiter.burst(), allhome::Semaphore::MAX_PERMITS);
}

#[test]
fn q11_without_a_timer_of_its_own_it_is_on_the_one_that_is_lent() {
    let bare = Stepped::new(1).runtime();
    let limiter = RateLimiter::new(&bare, Rate::per_second(1_000), 1);
    assert_eq!(limiter.try_acquire(), Ok(()));
    assert_eq!(allhome::block_on(limiter.acquire()), Ok(()));
}
