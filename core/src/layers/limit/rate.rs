//! The rate limiter: a thin handle around its [`Meter`].

mod acquire;
mod meter;

pub use acquire::AcquireRate;

use super::bucket::Rate;
use super::error::TryAcquireError;
use super::share::Share;
use super::source::Source;
use crate::layers::base::names::Named;
use allhome_rt::Runtime;
use meter::Meter;
use std::borrow::Cow;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// Permits that come at a [`Rate`]: `acquire` waits until enough have come.
///
/// It is a *token bucket*: it starts with its *burst* of permits, permits that are taken come back
/// at the rate, and it never holds more than the burst. So in any time `t` it grants no more than
/// `burst + rate * t`, never early, and rounds nothing however long it runs (integers, to the
/// nanosecond; `core/src/layers/limit/bucket.rs`). Permits that come while the bucket is full are
/// lost: with a burst of 1, those are all that come while the first waiter is late, because of its
/// timer or its task. A burst as large as what comes in some milliseconds makes up for that.
///
/// It is *weighted* and *fair*, as a [`Semaphore`](crate::Semaphore) is: requests are served in the
/// order in which they were made, a large request is not overtaken by small ones, and
/// [`try_acquire`](RateLimiter::try_acquire) gets nothing while a task waits. Permits that are
/// taken are spent: there is no permit to keep.
///
/// All time is that of the runtime's [`Timer`](allhome_rt::Timer), also virtual time. The first
/// waiter waits for the timer in its own poll; there is no background task.
///
/// If the first waiter is not polled, the others wait for it, until a task asks for permits or the
/// rate is changed. Do not keep an acquire unpolled, as in a loop over `select!` or beside another
/// future that is awaited alone.
///
/// *Which one?* A semaphore limits how many tasks do something at the same time; a rate limiter
/// limits how often it is begun. [`AcquireBoth`](crate::limit::AcquireBoth) combines the two.
///
/// *Coming from elsewhere?* Go's `rate.Limiter` reserves a time for each caller, and gives back
/// only what was not reserved after it; here an acquire that is dropped leaves no trace. `governor`
/// is not fair; its `Quota` is a [`Rate`] and a burst.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::block_on;
/// use allhome::limit::{Rate, RateLimiter};
/// use allhome::runtime::{IntoRuntime, ThreadPool};
/// use allhome::time::now;
/// use std::time::Duration;
///
/// let runtime = ThreadPool::global().into_runtime()?;
/// let limiter = RateLimiter::new(&runtime, Rate::per_second(1_000), 5);
/// let start = now();
/// block_on(async {
///     for _ in 0..10 {
///         limiter.acquire().await?;
///     }
///     Ok::<(), allhome::limit::AcquireError>(())
/// })?;
/// // Five at once, and five at a millisecond each.
/// assert!(now() - start >= Duration::from_millis(5));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RateLimiter {
    meter: Meter,
    name: Named,
}

impl RateLimiter {
    /// Creates a limiter with a full bucket. A burst, or a rate, above
    /// [`Semaphore::MAX_PERMITS`](crate::Semaphore::MAX_PERMITS) counts as that.
    ///
    /// With a burst of 0 it grants nothing until it is [resized](RateLimiter::resize). With a rate
    /// of no permits it grants its burst, and then nothing until the rate is
    /// [changed](RateLimiter::set_rate).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::limit::{Rate, RateLimiter};
    /// use allhome::runtime::{IntoRuntime, ThreadPool};
    ///
    /// let runtime = ThreadPool::global().into_runtime()?;
    /// let limiter = RateLimiter::new(&runtime, Rate::per_second(5), 1);
    /// assert_eq!((limiter.burst(), limiter.available()), (1, 1));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(runtime: &Runtime, rate: Rate, burst: usize) -> RateLimiter {
        RateLimiter { meter: Meter::new(runtime.timer().clone(), rate, burst), name: Named::NONE }
    }

    /// Sets its name, which `Debug` shows.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> RateLimiter {
        self.name = Named::new(name.into());
        self
    }

    /// Returns its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.name()
    }

    /// Returns the rate.
    pub fn rate(&self) -> Rate {
        self.meter.rate()
    }

    /// Returns the most permits that can be there, and that a caller can ask for at once.
    pub fn burst(&self) -> usize {
        self.meter.burst()
    }

    /// Returns how many permits are there just now; if a task waits, they are for the first waiter.
    ///
    /// The figure may be old as soon as it is returned.
    pub fn available(&self) -> usize {
        self.meter.available()
    }

    /// Returns how many acquires wait.
    pub fn waiters(&self) -> usize {
        self.meter.waiters()
    }

    /// Returns `true` if it was closed.
    pub fn is_closed(&self) -> bool {
        self.meter.is_closed()
    }

    /// Takes a permit if one is there and no task waits.
    ///
    /// # Errors
    ///
    /// Same as [`Semaphore::try_acquire`](crate::Semaphore::try_acquire), with the burst for the
    /// capacity.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::limit::{Rate, RateLimiter, TryAcquireError};
    /// use allhome::runtime::{IntoRuntime, ThreadPool};
    /// use std::time::Duration;
    ///
    /// let runtime = ThreadPool::global().into_runtime()?;
    /// let hourly = Rate::new(1, Duration::from_secs(3_600));
    /// let limiter = RateLimiter::new(&runtime, hourly, 2);
    /// limiter.try_acquire_many(2)?;
    /// assert_eq!(limiter.try_acquire(), Err(TryAcquireError::NoPermits));
    /// assert!(matches!(limiter.try_acquire_many(3), Err(TryAcquireError::TooMany { .. })));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_acquire(&self) -> Result<(), TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits if they are there and no task waits. 0 permits are always there.
    ///
    /// # Errors
    ///
    /// Same as [`try_acquire`](RateLimiter::try_acquire).
    pub fn try_acquire_many(&self, count: usize) -> Result<(), TryAcquireError> {
        self.meter.try_take(count)
    }

    /// Changes the rate from now on, also for tasks that are waiting.
    ///
    /// What has come at the old rate stays, to the part of a permit.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::block_on;
    /// use allhome::limit::{Rate, RateLimiter};
    /// use allhome::runtime::{IntoRuntime, ThreadPool};
    /// use std::time::Duration;
    ///
    /// let runtime = ThreadPool::global().into_runtime()?;
    /// let never = Rate::new(0, Duration::MAX);
    /// let limiter = RateLimiter::new(&runtime, never, 1);
    /// limiter.try_acquire()?;
    /// limiter.set_rate(Rate::per_second(1_000));
    /// block_on(limiter.acquire())?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_rate(&self, rate: Rate) {
        self.meter.set_rate(rate);
    }

    /// Changes the burst. If it grows, the new room fills at the rate. If it shrinks, permits that
    /// the bucket cannot hold are lost, and a waiter that asks for more than the new burst fails at
    /// once.
    pub fn resize(&self, burst: usize) {
        self.meter.set_burst(burst);
    }

    /// Closes it: every acquire that waits, or is made later, fails with
    /// [`Closed`](crate::limit::AcquireError::Closed). Permits that were granted before stay granted, also
    /// if the acquire was not polled since.
    ///
    /// Returns `false` if it was closed before.
    pub fn close(&self) -> bool {
        self.meter.close()
    }

    /// Waits for a permit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves the limiter as if it had not been called: permits
    /// that were granted since its last poll are there again. Its place in the queue is lost.
    ///
    /// # Errors
    ///
    /// Same as [`Semaphore::acquire`](crate::Semaphore::acquire), with the burst for the capacity.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// See [`RateLimiter`].
    #[track_caller]
    pub fn acquire(&self) -> AcquireRate<'_> {
        self.acquire_many(1)
    }

    /// Waits for `count` permits, all at once. A request for 0 does not wait: it is granted unless
    /// the limiter is closed.
    ///
    /// # Cancel safety
    ///
    /// Same as [`acquire`](RateLimiter::acquire).
    ///
    /// # Errors
    ///
    /// Same as [`Semaphore::acquire_many`](crate::Semaphore::acquire_many), with the burst for the
    /// capacity.
    ///
    /// # Panics
    ///
    /// Same as [`acquire`](RateLimiter::acquire).
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> AcquireRate<'_> {
        AcquireRate::new(self, count, Location::caller())
    }

    /// Puts back permits that were taken and not used.
    pub(super) fn give_back(&self, count: usize) {
        self.meter.give(Share::unbooked(count));
    }
}

// No other thread can see it half changed: user code that may panic is called with no lock held.
impl UnwindSafe for RateLimiter {}
impl RefUnwindSafe for RateLimiter {}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RateLimiter");
        if let Some(name) = self.name.name() {
            debug.field("name", &name);
        }
        debug.field("burst", &self.burst()).field("waiters", &self.waiters());
        debug.field("closed", &self.is_closed());
        debug.finish_non_exhaustive()
    }
}
