//! The rate limiter: a thin handle around its [`Meter`].

mod acquire;
mod meter;

pub use acquire::AcquireRate;

use super::bucket::Rate;
use super::error::TryAcquireError;
use super::share::Share;
use super::supply::Supply;
use crate::layers::base::sync::Arc;
use crate::layers::base::unsupported::Unsupported;
use allhome_rt::Runtime;
use meter::Meter;
use std::borrow::Cow;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// Permits that come at a [`Rate`]: who needs some waits until enough have come.
///
/// It is a *token bucket*: it starts with its *burst* of permits, what is taken comes back at the
/// rate, and it never holds more than the burst. So in any time `t` it grants no more than
/// `burst + rate * t`, never early, and rounds nothing however long it runs (integers, to the
/// nanosecond; `core/src/layers/limit/bucket.rs`). What comes while the bucket is full is lost: with a burst
/// of 1 that is all that comes while the first in the line is late, by its timer or its task. A
/// burst of what comes in some milliseconds makes up for that.
///
/// It is *weighted* and *fair* as a [`Semaphore`](crate::Semaphore) is: whoever asked first is
/// served first, a large request is not overtaken by small ones, and
/// [`try_acquire`](RateLimiter::try_acquire) gets nothing while anybody waits. What is taken is
/// spent: there is no permit to keep.
///
/// All time is that of the runtime's [`Timer`](allhome_rt::Timer), also virtual time. The first in
/// the line waits for it, in its own poll; there is no task behind this.
///
/// The first in the line that nobody polls is one that the others wait for, until anybody asks for
/// permits, or the rate is changed. Do not keep an acquire unpolled, as in a loop over `select!` or
/// beside another future that is awaited alone.
///
/// *Which one?* A semaphore limits how many do something at the same time, this one how often it
/// is begun. [`Both`](crate::Both) for both.
///
/// *Coming from elsewhere?* Go's `rate.Limiter` reserves a time for each caller, and gives back only
/// what nobody reserved after it; here an acquire that is dropped leaves no trace. `governor` is
/// fair to nobody; its `Quota` is a [`Rate`] and a burst.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{IntoRuntime, Rate, RateLimiter, ThreadPool, block_on};
/// use std::time::{Duration, Instant};
///
/// let runtime = ThreadPool::global().into_runtime()?;
/// let limiter = RateLimiter::new(&runtime, Rate::per_second(1_000), 5)?;
/// let start = Instant::now();
/// block_on(async {
///     for _ in 0..10 {
///         limiter.acquire().await.expect("nobody closes it");
///     }
/// });
/// // Five at once, and five at a millisecond each.
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RateLimiter {
    meter: Meter,
    name: Option<Cow<'static, str>>,
}

impl RateLimiter {
    /// Makes a limiter with a full bucket. More than
    /// [`Semaphore::MAX_PERMITS`](crate::Semaphore::MAX_PERMITS) is that, for the burst as well.
    ///
    /// With a burst of 0 it grants nothing until it is [resized](RateLimiter::resize); with a rate
    /// of none it grants its burst, and then nothing until the rate is
    /// [changed](RateLimiter::set_rate).
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if the runtime has no timer.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{Rate, RateLimiter, Runtime};
    /// # struct Discard;
    /// # impl allhome_rt::Spawn for Discard {
    /// #     fn spawn(&self, task: allhome_rt::Task) { drop(task) }
    /// # }
    ///
    /// let bare = Runtime::new("bare", Discard);
    /// let error = RateLimiter::new(&bare, Rate::per_second(5), 1).unwrap_err();
    /// assert_eq!(error.to_string(), "the runtime `bare` has not got a timer");
    /// ```
    pub fn new(runtime: &Runtime, rate: Rate, burst: usize) -> Result<RateLimiter, Unsupported> {
        let timer = runtime.timer().ok_or(Unsupported::new("a timer", runtime.name()))?;
        Ok(RateLimiter { meter: Meter::new(Arc::clone(timer), rate, burst), name: None })
    }

    /// Gives it a name, for `Debug`.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> RateLimiter {
        self.name = Some(name.into());
        self
    }

    /// Returns its name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the rate.
    pub fn rate(&self) -> Rate {
        self.meter.rate()
    }

    /// Returns the most permits that can be there, and be asked for at once.
    pub fn burst(&self) -> usize {
        self.meter.burst()
    }

    /// Returns how many permits are there just now: for the first in the line, if anybody waits.
    ///
    /// The figure may be old as soon as it is there.
    pub fn available(&self) -> usize {
        self.meter.available()
    }

    /// Returns how many acquires wait.
    pub fn waiters(&self) -> usize {
        self.meter.waiters()
    }

    /// Tells whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.meter.is_closed()
    }

    /// Takes a permit if one is there and nobody waits.
    ///
    /// # Errors
    ///
    /// As for [`Semaphore::try_acquire`](crate::Semaphore::try_acquire), with the burst for the
    /// capacity.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{IntoRuntime, Rate, RateLimiter, ThreadPool, TryAcquireError};
    /// use std::time::Duration;
    ///
    /// let runtime = ThreadPool::global().into_runtime()?;
    /// let hourly = Rate::new(1, Duration::from_secs(3_600));
    /// let limiter = RateLimiter::new(&runtime, hourly, 2)?;
    /// limiter.try_acquire_many(2)?;
    /// assert_eq!(limiter.try_acquire(), Err(TryAcquireError::NoPermits));
    /// assert!(matches!(limiter.try_acquire_many(3), Err(TryAcquireError::TooMany { .. })));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_acquire(&self) -> Result<(), TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if they are there and nobody waits. 0 are there always.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](RateLimiter::try_acquire).
    pub fn try_acquire_many(&self, count: usize) -> Result<(), TryAcquireError> {
        self.meter.try_take(count)
    }

    /// Changes the rate from now on, also for those who wait.
    ///
    /// What has come at the old rate stays, to the part of a permit.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{IntoRuntime, Rate, RateLimiter, ThreadPool, block_on};
    /// use std::time::Duration;
    ///
    /// let runtime = ThreadPool::global().into_runtime()?;
    /// let never = Rate::new(0, Duration::MAX);
    /// let limiter = RateLimiter::new(&runtime, never, 1)?;
    /// limiter.try_acquire()?;
    /// limiter.set_rate(Rate::per_second(1_000));
    /// block_on(limiter.acquire())?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_rate(&self, rate: Rate) {
        self.meter.set_rate(rate);
    }

    /// Changes the burst. Upwards, the new room fills at the rate. Downwards, what the bucket cannot
    /// hold is lost, and who waits for more than that fails at once.
    pub fn resize(&self, burst: usize) {
        self.meter.set_burst(burst);
    }

    /// Closes it: those who wait or come get [`Closed`](crate::AcquireError::Closed). What was
    /// granted is granted, also if the acquire was not polled since.
    ///
    /// Returns false if it was closed before.
    pub fn close(&self) -> bool {
        self.meter.close()
    }

    /// Waits for a permit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves the limiter as if it had not been called: what was
    /// granted and not polled since is there again. Its place in the line is lost.
    ///
    /// # Errors
    ///
    /// As for [`Semaphore::acquire`](crate::Semaphore::acquire), with the burst for the capacity.
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

    /// Waits for so many permits, all at once. For 0 nobody waits, unless it is closed they are
    /// granted.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](RateLimiter::acquire).
    ///
    /// # Errors
    ///
    /// As for [`Semaphore::acquire_many`](crate::Semaphore::acquire_many), with the burst for the
    /// capacity.
    ///
    /// # Panics
    ///
    /// As for [`acquire`](RateLimiter::acquire).
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> AcquireRate<'_> {
        AcquireRate::new(self, count, Location::caller())
    }

    /// Puts back what was taken and not used.
    pub(super) fn give_back(&self, count: usize) {
        self.meter.give(Share::unbooked(count));
    }
}

// Nothing of it can be seen half changed: what user code panics in is called with no lock held.
impl UnwindSafe for RateLimiter {}
impl RefUnwindSafe for RateLimiter {}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RateLimiter");
        if let Some(name) = &self.name {
            debug.field("name", name);
        }
        debug.field("burst", &self.burst()).field("closed", &self.is_closed());
        debug.finish_non_exhaustive()
    }
}
