//! Waiting: for an instant, or for a turn. All time comes from the runtime's timer.

use crate::context;
use allhome_rt::BoxSleep;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What was asked for is not to be had: of this runtime, or outside of any nursery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    what: &'static str,
    runtime: Option<&'static str>,
}

impl Unsupported {
    pub(crate) fn new(what: &'static str, runtime: &'static str) -> Unsupported {
        Unsupported { what, runtime: Some(runtime) }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.runtime {
            Some(runtime) => write!(f, "the runtime `{runtime}` has not got {}", self.what),
            None => {
                write!(f, "no runtime is known outside of a nursery, so there is not {}", self.what)
            }
        }
    }
}

impl std::error::Error for Unsupported {}

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
/// use allhome::{ThreadPool, block_on, nursery_on, sleep};
/// use std::time::Duration;
///
/// block_on(nursery_on::<allhome::Unsupported>(ThreadPool::global()).run(async |n| {
///     n.spawn(async { sleep(Duration::from_millis(1)).await });
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { until: Until::After(duration), sleep: None }
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
    Sleep { until: Until::At(at), sleep: None }
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    until: Until,
    sleep: Option<BoxSleep>,
}

#[derive(Debug, Clone, Copy)]
enum Until {
    After(Duration),
    At(Instant),
    /// Beyond what an `Instant` can tell.
    Never,
}

impl Future for Sleep {
    type Output = Result<(), Unsupported>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.sleep.is_none() {
            let Some(group) = context::current_group() else {
                return Poll::Ready(Err(Unsupported { what: "a timer", runtime: None }));
            };
            let Some(timer) = group.runtime.timer() else {
                return Poll::Ready(Err(Unsupported::new("a timer", group.runtime.name())));
            };
            if let Until::After(duration) = self.until {
                self.until = timer.now().checked_add(duration).map_or(Until::Never, Until::At);
            }
            let Until::At(at) = self.until else { return Poll::Pending };
            self.sleep = Some(timer.sleep_until(at));
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx).map(Ok),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("until", &self.until).finish_non_exhaustive()
    }
}

/// Gives the others a turn: waits once, and is woken at once.
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")]
/// allhome::block_on(async {
///     allhome::yield_now().await;
/// });
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
