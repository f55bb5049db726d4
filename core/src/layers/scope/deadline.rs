//! Scopes with a deadline: they end what is inside when it has passed, and tell so by value or by
//! error.

use super::end;
use crate::layers::base::unsupported::Unsupported;
use crate::layers::context::scope::Scope;
use crate::layers::context::task::task_id;
use crate::layers::context::term::Label;
use crate::layers::time::alarm::Alarm;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Makes a future that gives the other's value, or `None` when the time is over before it has one.
///
/// The time runs from the first poll. When it is over, what is inside is polled once more with the
/// cancel visible, and a value that is ready in that poll wins; the nurseries that were opened
/// inside are cancelled and waited for; then it is dropped where it waits. `None` means that this
/// scope's own time was over, never that something around it was cancelled. A duration of zero, or
/// one that is over before the first poll, gives what is inside one poll; [`Duration::MAX`] never
/// ends, and asks for no timer.
///
/// # Errors
///
/// The runtime has not got a timer; the future was not polled then.
///
/// # Cancel safety
///
/// Dropping it drops the future, and releases the timer.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{ThreadPool, block_on, move_on_after, nursery_on};
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// block_on(nursery_on::<Infallible>(ThreadPool::global()).run(async |_| {
///     let soon = move_on_after(Duration::from_secs(60), async { 7 }).await;
///     assert_eq!(soon, Ok(Some(7)));
///     let never = move_on_after(Duration::ZERO, std::future::pending::<u32>()).await;
///     assert_eq!(never, Ok(None));
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
#[track_caller]
pub fn move_on_after<F: Future>(after: Duration, future: F) -> MoveOnAfter<F> {
    MoveOnAfter { limited: Limited::new(Alarm::after(after), "", future) }
}

/// As [`move_on_after`], with an instant of the runtime's timer.
#[track_caller]
pub fn move_on_at<F: Future>(at: Instant, future: F) -> MoveOnAfter<F> {
    MoveOnAfter { limited: Limited::new(Alarm::at_instant(at), "", future) }
}

/// Makes a future that gives the other's value, or an [error](TimeoutError) that names the scope
/// when the time is over before it has one.
///
/// What happens at the end of the time is told at [`move_on_after`].
///
/// # Errors
///
/// [`TimeoutError::Elapsed`], and [`TimeoutError::Unsupported`] as for [`move_on_after`].
///
/// # Cancel safety
///
/// Dropping it drops the future, and releases the timer.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{ThreadPool, block_on, fail_after, nursery_on};
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// block_on(nursery_on::<Infallible>(ThreadPool::global()).run(async |_| {
///     let error = fail_after("lookup", Duration::ZERO, std::future::pending::<()>()).await;
///     assert!(error.unwrap_err().to_string().starts_with("`lookup` took longer than 0ns"));
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
#[track_caller]
pub fn fail_after<F: Future>(name: &'static str, after: Duration, future: F) -> FailAfter<F> {
    FailAfter { after: Some(after), limited: Limited::new(Alarm::after(after), name, future) }
}

/// As [`fail_after`], with an instant of the runtime's timer.
#[track_caller]
pub fn fail_at<F: Future>(name: &'static str, at: Instant, future: F) -> FailAfter<F> {
    FailAfter { after: None, limited: Limited::new(Alarm::at_instant(at), name, future) }
}

/// Makes a future that ends `back` before the deadline that holds around it, so that this much is
/// left for a cleanup. Where no deadline holds it is not limited.
///
/// The deadline is looked at in the first poll, and again when the time seems to be over: one that
/// was moved to a later moment counts.
///
/// # Errors
///
/// As for [`fail_after`].
///
/// # Cancel safety
///
/// Dropping it drops the future, and releases the timer.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{ThreadPool, block_on, nursery_on, reserve};
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let run = nursery_on::<Infallible>(ThreadPool::global()).deadline(60 * second).run(async |_| {
///     let left = reserve("talk", 10 * second, async { allhome::remaining() }).await.unwrap();
///     assert!(left <= Some(50 * second), "ten are kept for what comes after");
///     Ok(())
/// });
/// block_on(run).unwrap();
/// # }
/// ```
#[track_caller]
pub fn reserve<F: Future>(name: &'static str, back: Duration, future: F) -> FailAfter<F> {
    FailAfter { after: None, limited: Limited::new(Alarm::before_deadline(back), name, future) }
}

pin_project! {
    struct Limited<F> {
        scope: Scope,
        alarm: Alarm,
        polled: bool,
        name: &'static str,
        place: &'static Location<'static>,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Limited<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            end::drop_inside(this.scope, this.future);
        }
    }
}

impl<F: Future> Limited<F> {
    #[track_caller]
    fn new(alarm: Alarm, name: &'static str, future: F) -> Limited<F> {
        let place = Location::caller();
        let scope = Scope::with_deadline(Label { name, place }, alarm.back());
        Limited { scope, alarm, polled: false, name, place, future: Some(future) }
    }

    /// Gives the value, or `None` when the time was over.
    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<F::Output>, Unsupported>> {
        let this = self.project();
        if !*this.polled {
            *this.polled = true;
            if let Err(missing) = this.alarm.check() {
                end::clear(this.future);
                return Poll::Ready(Err(missing));
            }
        }
        let (scope, alarm) = (&*this.scope, this.alarm);
        let label = Label { name: this.name, place: this.place };
        let polled = end::poll(scope, this.future, cx, |cx| {
            if !scope.is_told() && (scope.is_cancelled() || is_over(scope, alarm, cx)) {
                scope.cancel(|| label.reason(task_id()));
            }
            scope.reason()
        });
        polled.map(|result| {
            alarm.stop();
            scope.set_deadline(None);
            Ok(result.ok())
        })
    }
}

fn is_over(scope: &Scope, alarm: &mut Alarm, cx: &mut Context<'_>) -> bool {
    let over = alarm.poll(cx).is_ready();
    scope.set_deadline(alarm.at());
    over
}

pin_project! {
    /// The future of [`move_on_after`].
    #[must_use = "it runs only when it is awaited"]
    pub struct MoveOnAfter<F> {
        #[pin]
        limited: Limited<F>,
    }
}

impl<F: Future> Future for MoveOnAfter<F> {
    type Output = Result<Option<F::Output>, Unsupported>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().limited.poll(cx)
    }
}

pin_project! {
    /// The future of [`fail_after`], [`fail_at`] and [`reserve`].
    #[must_use = "it runs only when it is awaited"]
    pub struct FailAfter<F> {
        after: Option<Duration>,
        #[pin]
        limited: Limited<F>,
    }
}

impl<F: Future> Future for FailAfter<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (after, name, place) = (*this.after, this.limited.name, this.limited.place);
        this.limited.poll(cx).map(|result| match result {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(TimeoutError::Elapsed(Elapsed { name, after, place })),
            Err(missing) => Err(TimeoutError::Unsupported(missing)),
        })
    }
}

/// Why [`fail_after`] gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// The scope's own time was over.
    Elapsed(Elapsed),
    /// The runtime has not got a timer.
    Unsupported(Unsupported),
}

/// A scope whose time was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elapsed {
    name: &'static str,
    after: Option<Duration>,
    place: &'static Location<'static>,
}

impl Elapsed {
    /// Returns the name that the scope was given.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns how much time it had. None if it had a point in time.
    pub fn after(&self) -> Option<Duration> {
        self.after
    }

    /// Returns where the scope was made.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(after) => write!(f, "`{}` took longer than {after:?}", self.name)?,
            None => write!(f, "`{}` was not done by its deadline", self.name)?,
        }
        write!(f, " (at {})", self.place)
    }
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeoutError::Elapsed(elapsed) => elapsed.fmt(f),
            TimeoutError::Unsupported(missing) => missing.fmt(f),
        }
    }
}

impl std::error::Error for Elapsed {}

impl std::error::Error for TimeoutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TimeoutError::Elapsed(_) => None,
            TimeoutError::Unsupported(missing) => Some(missing),
        }
    }
}

impl<F> fmt::Debug for MoveOnAfter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MoveOnAfter").field("at", &self.limited.alarm.at()).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for FailAfter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limited = &self.limited;
        f.debug_struct("FailAfter")
            .field("name", &limited.name)
            .field("at", &limited.alarm.at())
            .finish_non_exhaustive()
    }
}
