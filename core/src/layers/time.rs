//! Waiting: for an instant, or for a turn. All time comes from the runtime's timer.

pub(crate) mod alarm;

use crate::layers::base::unsupported::Unsupported;
use crate::layers::context::{self, scope};
use alarm::{Alarm, Until, timer};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Waits for the duration, on the timer of the runtime that the caller's nursery runs on. It counts
/// from the first poll.
///
/// # Errors
///
/// [`Unsupported`] outside of any nursery, and if the runtime has no timer.
///
/// # Cancel safety
///
/// Dropping it releases the timer; nothing is lost.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, ThreadPool, block_on, nursery, sleep};
/// use std::time::Duration;
///
/// block_on(nursery().on(ThreadPool::global()).run(async |n: Nursery<allhome::Unsupported>| {
///     n.spawn(async { sleep(Duration::from_millis(1)).await });
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { alarm: Alarm::new(Until::After(duration)) }
}

/// Waits until the instant, on the timer of the runtime that the caller's nursery runs on. An
/// instant in the past is ready at once.
///
/// # Errors
///
/// As [`sleep`].
///
/// # Cancel safety
///
/// As [`sleep`].
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep { alarm: Alarm::new(Until::At(at)) }
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    alarm: Alarm,
}

impl Future for Sleep {
    type Output = Result<(), Unsupported>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.alarm.is_set() {
            timer()?;
        }
        self.alarm.poll(cx).map(Ok)
    }
}

/// Returns the deadline that holds for the caller: the earliest of those of the cancel scopes and
/// nurseries that it is in. None if there is none, and outside of any nursery.
///
/// A [`shield`] keeps away the deadlines of what is around it, as it does their cancel; when its
/// budget is being spent, the end of that is a deadline.
///
/// [`shield`]: crate::shield
pub fn deadline() -> Option<Instant> {
    context::current(|frame| scope::deadline(frame, false))
}

/// Returns how much time is left until the [`deadline`] that holds for the caller; zero if it has
/// passed. None if there is none.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, ThreadPool, block_on, nursery, remaining};
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// let minute = Duration::from_secs(60);
/// let pool = ThreadPool::global();
/// let run = nursery().on(pool).deadline(minute).run(async |_: Nursery<Infallible>| Ok(remaining()));
/// assert!(block_on(run).unwrap() <= Some(minute));
/// assert_eq!(remaining(), None, "no deadline holds here");
/// # }
/// ```
pub fn remaining() -> Option<Duration> {
    let at = deadline()?;
    timer().ok().map(|timer| at.saturating_duration_since(timer.now()))
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("until", &self.alarm.until).finish_non_exhaustive()
    }
}
