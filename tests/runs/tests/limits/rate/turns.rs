//! Which waiter has its turn, and which one waits for the timer.

use super::{Waiting, YEAR, limiter, queue};
use allhome::limit::{Rate, TryAcquireError};
use allhome_rt::Timer;
use allhome_runs::{Clock, SECOND, Wakes, poll_once};
use std::task::Poll;
use std::time::Duration;

#[test]
fn q04_first_come_first_served_whatever_the_weights() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 5);
    limiter.try_acquire_many(4).unwrap();
    let mut large = queue(&limiter, 5);
    let mut small = queue(&limiter, 1);
    assert_eq!(limiter.try_acquire(), Err(TryAcquireError::NoPermits), "one is there");
    assert_eq!(limiter.available(), 1);
    clock.advance(3 * SECOND);
    assert_eq!(limiter.try_acquire(), Err(TryAcquireError::NoPermits));
    assert!(small.poll().is_pending(), "four are there, and kept for the first");
    clock.advance(SECOND);
    assert_eq!((large.poll(), large.woken()), (Poll::Ready(Ok(())), 1));
    assert!(small.poll().is_pending());
    clock.advance(SECOND);
    assert_eq!(small.poll(), Poll::Ready(Ok(())));
    assert_eq!((limiter.available(), limiter.waiters(), clock.sleeps()), (0, 0, 0));
}

#[test]
fn q04_one_look_serves_all_that_fit() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 50);
    limiter.try_acquire_many(50).unwrap();
    let mut line: Vec<_> = (0..60).map(|_| queue(&limiter, 1)).collect();
    clock.advance(50 * SECOND);
    // The first is woken at its second, and not polled: all that comes waits with it.
    assert_eq!(line[0].woken(), 1);
    assert!(line[1..].iter().all(|waiting| waiting.woken() == 0));
    assert_eq!(line[0].poll(), Poll::Ready(Ok(())));
    assert!(line[1..50].iter().all(|waiting| waiting.woken() == 1));
    assert_eq!((line[50].woken(), limiter.waiters()), (1, 10), "nudged, and not told");
    assert!(line[51..].iter().all(|waiting| waiting.woken() == 0));
    for waiting in &mut line[1..50] {
        assert_eq!(waiting.poll(), Poll::Ready(Ok(())));
    }
    assert!(line[50].poll().is_pending());
    assert_eq!(clock.next(), Some(clock.now() + SECOND));
}

#[test]
fn q04_whoever_comes_serves_whose_turn_it_is() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 2);
    limiter.try_acquire_many(2).unwrap();
    let mut first = queue(&limiter, 1);
    let mut second = queue(&limiter, 1);
    clock.advance(2 * SECOND);
    // The first has not been polled since.
    assert_eq!(limiter.try_acquire(), Err(TryAcquireError::NoPermits));
    assert_eq!((limiter.waiters(), limiter.available(), second.woken()), (0, 0, 1));
    assert_eq!((second.poll(), first.poll()), (Poll::Ready(Ok(())), Poll::Ready(Ok(()))));
}

/// The first was woken to look, has not done so, and so has no waker in the line.
#[test]
fn q04_one_that_was_nudged_does_not_hide_the_next() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 5);
    limiter.try_acquire_many(5).unwrap();
    let (mut first, mut second, third) =
        (queue(&limiter, 1), queue(&limiter, 1), queue(&limiter, 2));
    limiter.set_rate(limiter.rate());
    assert_eq!((first.woken(), second.woken()), (1, 0));
    clock.advance(2 * SECOND);
    let _ = limiter.try_acquire();
    assert_eq!((limiter.waiters(), second.woken(), third.woken()), (1, 1, 1));
    assert_eq!((first.poll(), second.poll()), (Poll::Ready(Ok(())), Poll::Ready(Ok(()))));
}

#[test]
fn q07_only_the_first_has_a_timer_and_the_next_is_told() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 1);
    assert_eq!(clock.sleeps(), 0);
    limiter.try_acquire().unwrap();
    let mut line: Vec<_> = (0..5).map(|_| queue(&limiter, 1)).collect();
    assert_eq!(clock.sleeps(), 1);
    for at in 0..5 {
        assert!(clock.step());
        // Once because it has become the first, once by its timer.
        assert_eq!(line[at].woken(), 1 + usize::from(at > 0));
        assert_eq!(line[at].poll(), Poll::Ready(Ok(())));
        assert_eq!(clock.sleeps(), 0, "released when it was granted");
        if let Some(next) = line.get_mut(at + 1) {
            assert_eq!(next.woken(), 1, "it is the first now");
            assert!(next.poll().is_pending());
            assert_eq!(clock.sleeps(), 1);
        }
    }
    assert_eq!(clock.elapsed(), 5 * SECOND);
}

#[test]
fn q07_spurious_polls_arm_no_second_timer() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 1);
    limiter.try_acquire().unwrap();
    let (mut first, mut second) = (queue(&limiter, 1), queue(&limiter, 1));
    for _ in 0..3 {
        assert!(second.poll().is_pending() && first.poll().is_pending());
    }
    assert_eq!((clock.sleeps(), first.woken(), second.woken()), (1, 0, 0));
}

/// Moved to another task, it is woken there: by its timer, and when it comes to be the first.
#[test]
fn q07_the_latest_waker_is_woken() {
    let clock = Clock::new();
    let limiter = limiter(&clock, Rate::per_second(1), 1);
    limiter.try_acquire().unwrap();
    let (mut first, mut second) = (queue(&limiter, 1), queue(&limiter, 1));
    let (one, other) = (Wakes::new(), Wakes::new());
    assert!(poll_once(&mut first.future, &one).is_pending());
    assert!(poll_once(&mut second.future, &other).is_pending());
    assert!(clock.step());
    assert_eq!((first.woken(), one.count()), (0, 1));
    drop(first);
    assert_eq!((second.woken(), other.count()), (0, 1));
    assert_eq!(second.poll(), Poll::Ready(Ok(())));
}

#[test]
fn q12_rates_of_none_and_without_limit() {
    let clock = Clock::new();
    for never in
        [Rate::new(0, SECOND), Rate::new(0, Duration::ZERO), Rate::new(usize::MAX, Duration::MAX)]
    {
        let limiter = limiter(&clock, never, 1);
        limiter.try_acquire().unwrap();
        let mut waiting = queue(&limiter, 1);
        assert_eq!(clock.sleeps(), 0, "there is nothing to wait for");
        clock.advance(1_000_000 * SECOND);
        assert!(waiting.poll().is_pending());
    }
    for always in [Rate::new(1, Duration::ZERO), Rate::new(usize::MAX, Duration::from_nanos(1))] {
        let limiter = limiter(&clock, always, 7);
        limiter.try_acquire_many(7).unwrap();
        clock.advance(Duration::from_nanos(1));
        assert_eq!(Waiting::new(&limiter, 7).poll(), Poll::Ready(Ok(())));
    }
}

#[test]
fn q12_the_smallest_and_the_largest() {
    let clock = Clock::new();
    let none = limiter(&clock, Rate::per_second(1), 0);
    assert!(matches!(none.try_acquire(), Err(TryAcquireError::TooMany { capacity: 0, .. })));
    none.resize(1);
    assert_eq!(none.available(), 0);
    let all = limiter(&clock, Rate::new(1, Duration::from_nanos(u64::MAX)), usize::MAX);
    let most = allhome::Semaphore::MAX_PERMITS;
    all.try_acquire_many(most).unwrap();
    // Some 10^21 years: beyond what an instant can express.
    let mut waiting = queue(&all, most);
    assert_eq!(clock.sleeps(), 0);
    clock.advance(Duration::from_nanos(u64::MAX));
    assert!(waiting.poll().is_pending());
    assert_eq!(all.available(), 1);
    all.set_rate(Rate::new(usize::MAX, Duration::from_nanos(u64::MAX)));
    clock.advance(Duration::from_nanos(u64::MAX));
    clock.advance(Duration::from_nanos(u64::MAX));
    assert_eq!(waiting.poll(), Poll::Ready(Ok(())));
    let fast = limiter(&clock, Rate::new(usize::MAX, Duration::from_nanos(1)), usize::MAX);
    fast.try_acquire_many(most).unwrap();
    clock.advance(10_000 * YEAR);
    assert_eq!(fast.available(), most, "it is full, and nothing overflows");
    fast.try_acquire_many(most).unwrap();
    // 2^67 + 65 ns: times as many permits it is 2^128, and a little that is less than the burst.
    clock.advance(Duration::new(147_573_952_589, 676_412_993));
    assert_eq!(fast.available(), most);
}
