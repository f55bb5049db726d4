//! Rates and keys: threads that come, go, look and change at the same time.
//!
//! The timer's clock stands still until the model moves it, and its sleeps are never over: what is
//! checked is that the first in the line has one, or was woken to see to it.

use crate::model;
use crate::waiting::Waiting;
use allhome::limit::{AcquireError, KeyedSemaphore, Rate, RateLimiter};
use allhome::runtime::Runtime;
use allhome_rt::{BoxSleep, Spawn, Task, Timer};
use loom::thread;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

struct NoSpawn;

impl Spawn for NoSpawn {
    fn spawn(&self, task: Task) {
        drop(task);
    }
}

/// Seconds since the start, and how many sleeps there are. No part of the model.
#[derive(Clone)]
struct Clock(Arc<(Instant, AtomicU64, AtomicUsize)>);

struct Sleep(Clock);

impl Timer for Clock {
    fn now(&self) -> Instant {
        self.0.0 + Duration::from_secs(self.0.1.load(SeqCst))
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        self.0.2.fetch_add(1, SeqCst);
        Box::pin(Sleep(self.clone()))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.0.0.2.fetch_sub(1, SeqCst);
    }
}

impl Clock {
    fn move_on(&self) {
        self.0.1.fetch_add(1, SeqCst);
    }

    fn sleeps(&self) -> usize {
        self.0.2.load(SeqCst)
    }
}

/// A limiter whose bucket is empty, and its clock.
fn limiter(rate: Rate) -> (Arc<RateLimiter>, Clock) {
    let clock = Clock(Arc::new((Instant::now(), AtomicU64::new(0), AtomicUsize::new(0))));
    let runtime = Runtime::builder("loom", NoSpawn).timer(clock.clone()).build();
    let limiter = RateLimiter::new(&runtime, rate, 1);
    limiter.try_acquire().unwrap();
    (Arc::new(limiter), clock)
}

type Acquire = Waiting<Pin<Box<dyn Future<Output = Result<(), AcquireError>> + Send>>>;

fn acquire(limiter: &Arc<RateLimiter>) -> Acquire {
    let limiter = limiter.clone();
    Waiting::new(Box::pin(async move { limiter.acquire().await }))
}

fn queue(limiter: &Arc<RateLimiter>) -> Acquire {
    let mut waiting = acquire(limiter);
    assert!(waiting.turns().is_pending());
    waiting
}

#[test]
fn q07_drop_of_the_first_versus_another_that_comes() {
    model(|| {
        let (limiter, clock) = limiter(Rate::per_second(1));
        let first = queue(&limiter);
        let mut second = acquire(&limiter);
        let thread = thread::spawn(move || drop(first));
        assert!(second.turns().is_pending());
        thread.join().unwrap();
        assert!(second.turns().is_pending());
        assert_eq!((limiter.waiters(), clock.sleeps()), (1, 1), "it sees to the timer");
        drop(second);
        assert_eq!((limiter.waiters(), clock.sleeps()), (0, 0));
    });
}

#[test]
fn q06_drop_of_the_first_versus_a_look() {
    model(|| {
        let (limiter, clock) = limiter(Rate::per_second(1));
        let (first, second) = (queue(&limiter), queue(&limiter));
        clock.move_on();
        let look = limiter.clone();
        let thread = thread::spawn(move || look.try_acquire().unwrap_err());
        drop(first);
        thread.join().unwrap();
        second.ready().unwrap();
        assert_eq!((limiter.waiters(), limiter.available(), clock.sleeps()), (0, 0, 0));
    });
}

#[test]
fn q06_two_that_wait_are_dropped() {
    model(|| {
        let (limiter, clock) = limiter(Rate::per_second(1));
        let (first, second, mut third) = (queue(&limiter), queue(&limiter), queue(&limiter));
        let thread = thread::spawn(move || drop(first));
        drop(second);
        thread.join().unwrap();
        assert!(third.turns().is_pending());
        assert_eq!((limiter.waiters(), clock.sleeps()), (1, 1));
    });
}

#[test]
fn q08_a_change_of_the_rate_versus_a_poll_of_the_first() {
    model(|| {
        let (limiter, clock) = limiter(Rate::new(0, Duration::MAX));
        let mut first = acquire(&limiter);
        let change = limiter.clone();
        let thread = thread::spawn(move || change.set_rate(Rate::per_second(1)));
        assert!(first.turns().is_pending());
        thread.join().unwrap();
        assert!(first.turns().is_pending());
        assert_eq!(clock.sleeps(), 1, "it knows of the new rate");
        clock.move_on();
        assert!(limiter.try_acquire().is_err());
        first.ready().unwrap();
    });
}

#[test]
fn q09_close_versus_a_poll_of_the_first() {
    model(|| {
        let (limiter, clock) = limiter(Rate::per_second(1));
        let mut first = acquire(&limiter);
        let close = limiter.clone();
        let thread = thread::spawn(move || close.close());
        let poll = first.turns();
        assert!(thread.join().unwrap());
        let told = match poll {
            Poll::Ready(told) => told,
            Poll::Pending => first.ready(),
        };
        assert_eq!(told, Err(AcquireError::Closed));
        assert_eq!((limiter.waiters(), clock.sleeps()), (0, 0));
    });
}

#[test]
fn w04_a_newcomer_versus_a_release() {
    model(|| {
        let semaphore = KeyedSemaphore::<str>::new(2);
        let permit = semaphore.semaphore().try_acquire_owned().unwrap();
        let mut large = Waiting::new(semaphore.acquire_many_owned("a", 2));
        assert!(large.turns().is_pending());
        let mut small = Waiting::new(semaphore.acquire_owned("b"));
        let thread = thread::spawn(move || drop(permit));
        let poll = small.turns();
        thread.join().unwrap();
        match poll {
            Poll::Ready(permit) => {
                drop(permit.unwrap());
                assert_eq!(large.ready().unwrap().count(), 2);
            }
            Poll::Pending => {
                assert_eq!(large.ready().unwrap().count(), 2);
                drop(small.ready().unwrap());
            }
        }
        let plain = semaphore.semaphore();
        assert_eq!((plain.available(), semaphore.waiting_keys()), (2, 0));
    });
}

#[test]
fn w06_drop_of_the_first_versus_a_release() {
    model(|| {
        let semaphore = KeyedSemaphore::<str>::new(1);
        let permit = semaphore.semaphore().try_acquire_owned().unwrap();
        let mut line = ["a", "a", "b"].map(|key| Waiting::new(semaphore.acquire_owned(key)));
        assert!(line.iter_mut().all(|waiting| waiting.turns().is_pending()));
        let [first, second, third] = line;
        let thread = thread::spawn(move || drop(first));
        drop(permit);
        thread.join().unwrap();
        // The one or the other, by which was first; both in the end.
        drop((second, third));
        assert_eq!((semaphore.semaphore().available(), semaphore.waiting_keys()), (1, 0));
    });
}
