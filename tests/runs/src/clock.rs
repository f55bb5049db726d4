//! A clock that stands still until the test moves it, and then goes from deadline to deadline.

use crate::root::Wakes;
use crate::stepped::Stepped;
use allhome::{Nursery, nursery};
use allhome_rt::{BoxSleep, Runtime, Timer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A second of such a clock.
pub const SECOND: Duration = Duration::from_secs(1);

/// Makes an executor, a clock, and the runtime of both.
pub fn world() -> (Stepped, Clock, Runtime) {
    let (stepped, clock) = (Stepped::new(1), Clock::new());
    let runtime = clock.runtime(&stepped);
    (stepped, clock, runtime)
}

/// Runs this as a nursery's body, on a clock of its own.
///
/// # Panics
///
/// Panics if a timer was not released.
pub fn in_body<R, F: Future<Output = R>>(body: impl FnOnce(Clock) -> F) -> R {
    let (stepped, clock, runtime) = world();
    let body = body(clock.clone());
    let run = nursery().on(runtime).run(|_: Nursery<Infallible>| async { Ok(body.await) });
    let result = clock.drive(&stepped, run).unwrap();
    assert_eq!(clock.sleeps(), 0, "a timer was not released");
    result
}

/// A timer for a [`Stepped`] executor. Clones are the same clock.
#[derive(Clone)]
pub struct Clock {
    shared: Arc<Mutex<Shared>>,
    start: Instant,
}

struct Shared {
    now: Instant,
    last: u64,
    sleeps: BTreeMap<(Instant, u64), Option<Waker>>,
}

impl Clock {
    /// Makes a clock that shows the present time.
    pub fn new() -> Clock {
        let now = Instant::now();
        let shared = Shared { now, last: 0, sleeps: BTreeMap::new() };
        Clock { shared: Arc::new(Mutex::new(shared)), start: now }
    }

    /// Returns a runtime of that executor with this timer.
    pub fn runtime(&self, stepped: &Stepped) -> Runtime {
        let spawn = stepped.spawner();
        Runtime::builder("stepped", spawn).timer(self.clone()).build()
    }

    /// Returns how much time has passed.
    pub fn elapsed(&self) -> Duration {
        self.now() - self.start
    }

    /// Returns how many sleeps are there, neither over nor dropped.
    pub fn sleeps(&self) -> usize {
        self.lock().sleeps.len()
    }

    /// Goes on to the next moment that a sleep waits for. Returns `false` if there is none.
    pub fn step(&self) -> bool {
        let waker = {
            let mut shared = self.lock();
            let Some((&(at, number), _)) = shared.sleeps.first_key_value() else { return false };
            shared.now = shared.now.max(at);
            shared.sleeps.remove(&(at, number)).flatten()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Lets so much time pass, from moment to moment that a sleep waits for.
    pub fn advance(&self, by: Duration) {
        let end = self.now() + by;
        while self.next().is_some_and(|at| at <= end) {
            self.step();
        }
        self.lock().now = end;
    }

    /// Returns the next moment that a sleep waits for.
    pub fn next(&self) -> Option<Instant> {
        self.lock().sleeps.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Drives the future on the executor, and goes on to the next moment whenever nothing is left
    /// to do before it.
    ///
    /// # Panics
    ///
    /// Panics if it waits for ever.
    pub fn drive<F: Future>(&self, stepped: &Stepped, future: F) -> F::Output {
        let mut future = pin!(future);
        let wakes = Wakes::new();
        let waker = wakes.waker();
        loop {
            let before = wakes.count();
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            while wakes.count() == before {
                assert!(stepped.step() || self.step(), "it waits for ever: {:?}", stepped.tasks());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

impl Timer for Clock {
    fn now(&self) -> Instant {
        self.lock().now
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let mut shared = self.lock();
        shared.last += 1;
        let key = (at, shared.last);
        shared.sleeps.insert(key, None);
        Box::pin(Sleeping { clock: self.clone(), key })
    }
}

struct Sleeping {
    clock: Clock,
    key: (Instant, u64),
}

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        match self.clock.lock().sleeps.get_mut(&self.key) {
            Some(slot) => {
                *slot = Some(waker);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        let waker = self.clock.lock().sleeps.remove(&self.key);
        drop(waker);
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("elapsed", &self.elapsed()).finish_non_exhaustive()
    }
}
