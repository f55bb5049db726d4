//! Ticks at a steady pace.

use super::alarm::Alarm;
use super::now;
use crate::layers::base::wait_mark::{self, Kind};
use allhome_rt::Instant;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Makes ticks that are `period` apart, on the timer that holds for the caller, as for
/// [`sleep`](crate::sleep). The first one is there at once: it is when the others count from.
///
/// *Missed ticks* are skipped: a tick that is asked for late is there at once, and the next one is
/// the first that is still to come, so ticks stay at multiples of the period from the first one and
/// never come in a burst. (It is what tokio calls `MissedTickBehavior::Skip`.) For a pause of the
/// same length after each piece of work, use [`sleep`](crate::sleep); to catch up on what was
/// missed, a [`RateLimiter`](crate::limit::RateLimiter) with a burst.
///
/// # Panics
///
/// Panics if the period is zero.
///
/// # Examples
///
/// ```
/// use allhome::{Simulator, sleep};
/// use allhome::time::{interval, now};
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let seen = Simulator::new().run(async |_| {
///     let (start, mut interval, mut seen) = (now(), interval(10 * second), Vec::new());
///     for work in [0, 0, 25, 0, 0] {
///         interval.tick().await;
///         seen.push((now() - start).as_secs());
///         sleep(work * second).await;
///     }
///     Ok::<_, Infallible>(seen)
/// });
/// // The work from 20 to 45 misses the tick at 40, and the one at 30 is late.
/// assert_eq!(seen?, [0, 10, 20, 45, 50]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period that is longer than zero");
    Interval { period, next: Next::First }
}

/// Ticks at a steady pace; made by [`interval`].
#[must_use = "it does nothing unless its ticks are awaited"]
pub struct Interval {
    period: Duration,
    next: Next,
}

enum Next {
    First,
    At {
        at: Instant,
        alarm: Alarm,
    },
    /// It is beyond what an instant can tell.
    Never,
}

impl Interval {
    /// Waits for the next tick. Returns when it was due, which may be earlier than
    /// [`now`](crate::time::now).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no tick: the next call waits for the same one.
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// Returns the time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let (due, now) = match &mut self.next {
            Next::First => {
                let now = now();
                (now, now)
            }
            Next::At { at, alarm } => {
                if alarm.poll(cx).is_pending() {
                    wait_mark::on(Kind::Sleep, wait_mark::millis(self.period));
                    return Poll::Pending;
                }
                (*at, now())
            }
            Next::Never => return Poll::Pending,
        };
        self.next = match after(due, now, self.period) {
            Some(at) => Next::At { at, alarm: Alarm::at_instant(at) },
            None => Next::Never,
        };
        Poll::Ready(due)
    }
}

/// Returns the first tick after `now`; `due` is one that is not.
fn after(due: Instant, now: Instant, period: Duration) -> Option<Instant> {
    let late = now.saturating_duration_since(due).as_nanos() % period.as_nanos();
    // It is less than the period, so both parts fit.
    let (secs, nanos) = ((late / 1_000_000_000) as u64, (late % 1_000_000_000) as u32);
    now.max(due).checked_add(period - Duration::new(secs, nanos))
}

/// The future of [`Interval::tick`].
#[must_use = "a tick is only waited for when it is awaited"]
#[derive(Debug)]
pub struct Tick<'a> {
    interval: &'a mut Interval,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.interval.poll_tick(cx)
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval").field("period", &self.period).finish_non_exhaustive()
    }
}
