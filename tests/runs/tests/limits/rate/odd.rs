//! Timers and wakers that do what they should not.

use super::{Waiting, queue};
use allhome::limit::{AcquireError, AcquireRate, Rate, RateLimiter};
use allhome_rt::{BoxSleep, Runtime, Timer};
use allhome_runs::{Clock, SECOND, Stepped};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// A timer whose clock and sleeps do what the test says.
struct Odd<N, S> {
    now: N,
    sleep: S,
}

impl<N, S> Timer for Odd<N, S>
where
    N: Fn() -> Instant + Send + Sync,
    S: Fn() -> BoxSleep + Send + Sync,
{
    fn now(&self) -> Instant {
        (self.now)()
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        (self.sleep)()
    }
}

fn on(timer: impl Timer + 'static, rate: Rate, burst: usize) -> RateLimiter {
    let runtime = Runtime::builder("odd", Stepped::new(1).spawner()).timer(timer).build();
    RateLimiter::new(&runtime, rate, burst)
}

#[test]
fn q12_a_clock_that_stands_still() {
    let now = Instant::now();
    let timer = Odd { now: move || now, sleep: || -> BoxSleep { Box::pin(pending()) } };
    let limiter = on(timer, Rate::per_second(1_000), 2);
    limiter.try_acquire_many(2).unwrap();
    let mut waiting = queue(&limiter, 1);
    for _ in 0..1_000 {
        assert!(waiting.poll().is_pending() && limiter.try_acquire().is_err());
    }
    assert_eq!((limiter.available(), waiting.woken()), (0, 0));
}

#[test]
fn q12_a_clock_that_goes_back() {
    let start = Instant::now() + 100 * SECOND;
    let now = Arc::new(Mutex::new(start));
    let seen = now.clone();
    let timer =
        Odd { now: move || *seen.lock().unwrap(), sleep: || -> BoxSleep { Box::pin(pending()) } };
    let limiter = on(timer, Rate::per_second(1), 5);
    limiter.try_acquire_many(5).unwrap();
    for (at, there) in [(2, 2), (0, 2), (1, 2), (2, 2), (3, 3)] {
        *now.lock().unwrap() = start + at * SECOND;
        assert_eq!(limiter.available(), there, "no second counts twice");
    }
}

/// A sleep that is over before its moment has come, again and again: it is not early for that, and
/// the task has its turns.
#[test]
fn q02_a_timer_that_is_early() {
    let start = Instant::now();
    let now = Arc::new(Mutex::new(start));
    let seen = now.clone();
    let timer =
        Odd { now: move || *seen.lock().unwrap(), sleep: || -> BoxSleep { Box::pin(ready(())) } };
    let limiter = on(timer, Rate::per_second(1), 1);
    limiter.try_acquire().unwrap();
    let mut waiting = queue(&limiter, 1);
    for polls in 1..5 {
        assert_eq!(waiting.woken(), polls, "it looks again");
        assert!(waiting.poll().is_pending());
    }
    *now.lock().unwrap() = start + SECOND;
    assert_eq!(waiting.poll(), Poll::Ready(Ok(())));
}

/// A timer that uses the limiter whenever it is asked: it hangs if a lock is held.
#[test]
fn q14_the_timer_is_asked_with_no_lock_held() {
    static LIMITER: OnceLock<RateLimiter> = OnceLock::new();
    static INSIDE: AtomicBool = AtomicBool::new(false);
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    fn look() {
        if !INSIDE.swap(true, SeqCst) {
            if let Some(limiter) = LIMITER.get() {
                LOOKS.fetch_add(1, SeqCst);
                assert!(limiter.waiters() < 9);
                limiter.set_rate(limiter.rate());
            }
            INSIDE.store(false, SeqCst);
        }
    }
    struct Nosy(BoxSleep);
    impl std::future::Future for Nosy {
        type Output = ();
        fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            look();
            self.0.as_mut().poll(cx)
        }
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            look();
        }
    }
    struct Looks(Clock);
    impl Timer for Looks {
        fn now(&self) -> Instant {
            look();
            self.0.now()
        }
        fn sleep_until(&self, at: Instant) -> BoxSleep {
            look();
            Box::pin(Nosy(self.0.sleep_until(at)))
        }
    }
    let clock = Clock::new();
    let limiter = LIMITER.get_or_init(|| on(Looks(clock.clone()), Rate::per_second(1), 1));
    limiter.try_acquire().unwrap();
    let (mut first, mut second) = (queue(limiter, 1), queue(limiter, 1));
    clock.advance(SECOND);
    assert!(first.poll().is_ready());
    assert!(second.poll().is_pending());
    drop(second);
    assert!(LOOKS.load(SeqCst) > 5);
    assert_eq!((limiter.waiters(), clock.sleeps()), (0, 0));
}

/// Calls a function.
struct Call<F>(F);

impl<F: Fn() + Send + Sync> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[test]
fn q14_a_waker_may_use_the_limiter_and_may_panic() {
    static LIMITER: OnceLock<RateLimiter> = OnceLock::new();
    let clock = Clock::new();
    let rate = Rate::per_second(1);
    let limiter =
        LIMITER.get_or_init(|| RateLimiter::new(&clock.runtime(&Stepped::new(1)), rate, 50));
    limiter.try_acquire_many(50).unwrap();
    let mut first = queue(limiter, 1);
    let mut line: Vec<_> = (0..30).map(|_| Box::pin(limiter.acquire())).collect();
    for (at, acquire) in line.iter_mut().enumerate() {
        let waker = Waker::from(Arc::new(Call(move || {
            let _ = limiter.try_acquire();
            limiter.resize(50);
            assert!(at % 2 == 0, "a waker that panics");
        })));
        assert!(acquire.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    clock.advance(31 * SECOND);
    assert!(first.poll().is_ready());
    for acquire in &mut line {
        let told = acquire.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(told, Poll::Ready(Ok(())));
    }
    assert_eq!((limiter.waiters(), limiter.available()), (0, 0));
}

/// A timer that panics: its acquire can be dropped, and the next goes on.
#[test]
fn q14_a_timer_that_panics_harms_nobody_else() {
    let clock = Clock::new();
    let bad = Arc::new(AtomicBool::new(true));
    let (time, panics) = (clock.clone(), bad.clone());
    let (sleeps, now) = (clock.clone(), move || time.now());
    let timer = Odd {
        now,
        sleep: move || {
            assert!(!panics.swap(false, SeqCst), "the timer panics");
            let at = sleeps.now() + Duration::from_secs(1);
            sleeps.sleep_until(at)
        },
    };
    let limiter = on(timer, Rate::per_second(1), 1);
    limiter.try_acquire().unwrap();
    let mut first = Waiting::new(&limiter, 1);
    let poll = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| first.poll()));
    assert!(poll.is_err());
    let mut second = queue(&limiter, 1);
    drop(first);
    assert_eq!(second.woken(), 1, "it is the first now");
    assert!(second.poll().is_pending());
    assert!(clock.step());
    assert_eq!(second.poll(), Poll::Ready(Ok(())));
}

/// One that is polled by the waker of another, while it is closed and was not notified yet.
#[test]
fn q09_closed_is_closed_for_those_who_are_not_told_yet() {
    static LIMITER: OnceLock<RateLimiter> = OnceLock::new();
    let clock = Clock::new();
    let runtime = clock.runtime(&Stepped::new(1));
    let limiter = LIMITER.get_or_init(|| RateLimiter::new(&runtime, Rate::per_second(1), 50));
    limiter.try_acquire_many(50).unwrap();
    let line: Vec<_> = (0..40).map(|_| Mutex::new(Box::pin(limiter.acquire()))).collect();
    let line = Arc::new(line);
    let poll = |line: &[Mutex<std::pin::Pin<Box<AcquireRate<'_>>>>], at: usize, waker: &Waker| {
        line[at].lock().unwrap().as_mut().poll(&mut Context::from_waker(waker))
    };
    let (others, polled) = (line.clone(), Arc::new(AtomicUsize::new(0)));
    let count = polled.clone();
    let waker = Waker::from(Arc::new(Call(move || {
        // Sixteen are notified at a time: this one is the first of the others.
        assert!(poll(&others, 16, Waker::noop()).is_pending());
        count.fetch_add(1, SeqCst);
    })));
    assert!(poll(&line, 0, &waker).is_pending());
    assert!((1..40).all(|at| poll(&line, at, Waker::noop()).is_pending()));
    // Enough for all comes, and no call looks.
    clock.advance(50 * SECOND);
    assert_eq!(polled.swap(0, SeqCst), 1, "by the timer");
    assert!(limiter.close());
    assert_eq!(polled.load(SeqCst), 1);
    for at in 0..40 {
        assert_eq!(poll(&line, at, Waker::noop()), Poll::Ready(Err(AcquireError::Closed)));
    }
}

/// A clock that panics affects no other waiter: leaving the line and giving back do not look at it.
#[test]
fn q14_a_clock_that_panics_leaves_the_line_whole() {
    let (start, panics) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let (seen, sleep) = (panics.clone(), || -> BoxSleep { Box::pin(pending()) });
    let now = move || {
        assert!(!seen.load(SeqCst), "told to panic");
        start
    };
    let limiter = on(Odd { now, sleep }, Rate::per_second(1), 2);
    limiter.try_acquire_many(2).unwrap();
    let (first, mut second) = (queue(&limiter, 2), queue(&limiter, 1));
    panics.store(true, SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| limiter.try_acquire())).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| second.poll())).is_err());
    assert_eq!((limiter.waiters(), second.woken()), (2, 0), "both are where they were");
    drop(first);
    assert_eq!((limiter.waiters(), second.woken()), (1, 1), "the next is told to look");
    drop(second);
    assert_eq!(limiter.waiters(), 0);
}
