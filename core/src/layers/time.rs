//! Waiting: for an instant, or for a turn. All time comes from the runtime's timer.

pub(crate) mod alarm;
mod bell;
pub(crate) mod interval;

use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::context::clock;
use crate::layers::context::{self, scope};
use alarm::Alarm;
use allhome_rt::Instant;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits for the duration, on the timer that holds for the caller. It counts from the first poll.
///
/// In a nursery, that is the timer of the nursery's runtime. Outside of any nursery it is tokio's if
/// the caller is in its context (feature `tokio`) and not inside `allhome::block_on`, and else [one
/// that is lent](allhome_rt::lent_timer). A [`Duration::MAX`] never ends, and needs no timer.
///
/// # Panics
///
/// The first poll panics if the timer does: one that is lent on a target without threads, and that
/// of a tokio runtime that was built without time.
///
/// # Cancel safety
///
/// Dropping it releases the timer; nothing is lost.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{block_on, sleep};
/// use allhome::time::now;
/// use std::time::Duration;
///
/// let start = now();
/// block_on(sleep(Duration::from_millis(1)));
/// assert!(now() - start >= Duration::from_millis(1));
/// # }
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { alarm: Alarm::after(duration) }
}

/// Waits until the instant, on the timer that holds for the caller. An instant in the past is ready
/// at once.
///
/// # Panics
///
/// Same as [`sleep`].
///
/// # Cancel safety
///
/// Same as [`sleep`].
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep { alarm: Alarm::at_instant(at) }
}

/// Returns the present instant, on the clock of the timer that [`sleep`] uses here: virtual time in
/// a [`Simulator`](crate::Simulator), and tokio's paused clock in tests that have one.
///
/// # Examples
///
/// ```
/// use allhome::{Simulator, sleep};
/// use allhome::time::now;
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// let hour = Duration::from_secs(3_600);
/// let took = Simulator::new().run(async |_| {
///     let start = now();
///     sleep(hour).await;
///     Ok::<_, Infallible>(now() - start)
/// });
/// assert_eq!(took?, hour);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn now() -> Instant {
    clock::now()
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    alarm: Alarm,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.alarm.poll(cx);
        if polled.is_pending() {
            wait_mark::on(Kind::Sleep, self.alarm.millis());
        }
        polled
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
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::runtime::ThreadPool;
/// use allhome::time::remaining;
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
    Some(at.saturating_duration_since(now()))
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("until", &self.alarm.until).finish_non_exhaustive()
    }
}
