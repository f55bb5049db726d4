//! Cancel scopes with a deadline: when it has passed they end what is inside, and report that by
//! value or by error.

use super::end;
use crate::layers::base::big::Inner;
use crate::layers::context::clock;
use crate::layers::context::scope::Scope;
use crate::layers::context::task::task_id;
use crate::layers::context::term::Label;
use crate::layers::time::alarm::Alarm;
use allhome_rt::Instant;
use pin_project_lite::pin_project;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Runs a future for at most the given time: the value is `None` if the time was over first.
///
/// Use it where being late is expected, and [`fail_after`] where it is an error. A function that
/// waits need not take a timeout as a parameter: its caller puts it into such a scope, which holds
/// for everything inside, however deep.
///
/// The time runs from the first poll. When it is over:
///
/// 1. What is inside is polled once more, with the cancel visible; a value that is ready in that
///    poll wins. (The same turn may poll it without the cancel first, as any turn before.)
/// 2. The nurseries that were opened inside are cancelled and waited for.
/// 3. What is inside is dropped where it waits.
///
/// `None` means that this cancel scope's own time was over, never that something around it was
/// cancelled. With a duration of zero, or one that is over before the first poll, what is inside
/// gets one poll; [`Duration::MAX`] never ends, and needs no timer. [`named`](MoveOnAfter::named)
/// names the scope, for the reason that is seen inside.
///
/// # Cancel safety
///
/// Dropping it drops the future, and releases the timer.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, move_on_after, nursery};
/// use std::future::pending;
/// use std::time::Duration;
///
/// let run = nursery().run(async |_: Nursery| {
///     let soon = move_on_after(Duration::from_secs(60), async { 7 }).await;
///     assert_eq!(soon, Some(7));
///
///     // Cancel scopes nest. The inner one's time is over first, and the outer one goes on.
///     let nested = move_on_after(Duration::from_secs(60), async {
///         move_on_after(Duration::ZERO, pending::<u32>()).await
///     });
///     assert_eq!(nested.await, Some(None));
///     Ok(())
/// });
/// block_on(run)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn move_on_after<F: Future>(after: Duration, future: F) -> MoveOnAfter<F> {
    MoveOnAfter { head: Head::new(Alarm::after(after)), future: Some(Inner::new(future)) }
}

/// Like [`move_on_after`], with an instant of the runtime's timer.
#[track_caller]
pub fn move_on_at<F: Future>(at: Instant, future: F) -> MoveOnAfter<F> {
    MoveOnAfter { head: Head::new(Alarm::at_instant(at)), future: Some(Inner::new(future)) }
}

/// Runs a future for at most the given time: the result is an error if the time was over first.
///
/// [`move_on_after`] describes what happens at the end of the time. [`named`](FailAfter::named)
/// gives the error a name.
///
/// # Errors
///
/// Returns [`Elapsed`] if the time was over.
///
/// # Cancel safety
///
/// Dropping it drops the future, and releases the timer.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, fail_after, nursery};
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// block_on(nursery().run(async |_: Nursery<Infallible>| {
///     let error = fail_after(Duration::ZERO, std::future::pending::<()>()).named("lookup").await;
///     assert!(error.unwrap_err().to_string().starts_with("`lookup` took longer than 0ns"));
///     Ok(())
/// }))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn fail_after<F: Future>(after: Duration, future: F) -> FailAfter<F> {
    let head = Head::new(Alarm::after(after));
    FailAfter { after: Some(after), head, future: Some(Inner::new(future)) }
}

/// Like [`fail_after`], with an instant of the runtime's timer.
#[track_caller]
pub fn fail_at<F: Future>(at: Instant, future: F) -> FailAfter<F> {
    FailAfter {
        after: None,
        head: Head::new(Alarm::at_instant(at)),
        future: Some(Inner::new(future)),
    }
}

/// Runs a future until `margin` before the deadline that holds around it, so that this much time is
/// left for a cleanup. Where no deadline holds, it is not limited.
///
/// The deadline is looked up in the first poll, and again when the time seems to be over: a
/// deadline that was moved to a later moment counts.
///
/// # Errors
///
/// Same as [`fail_after`].
///
/// # Cancel safety
///
/// Dropping it drops the future, and releases the timer.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::time::before_deadline;
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let run = nursery().deadline(60 * second).run(async |_: Nursery| {
///     let left = before_deadline(10 * second, async { allhome::time::remaining() }).await?;
///     assert!(left <= Some(50 * second), "ten are kept for what comes after");
///     Ok(())
/// });
/// block_on(run)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn before_deadline<F: Future>(margin: Duration, future: F) -> FailAfter<F> {
    FailAfter {
        after: None,
        head: Head::new(Alarm::before_deadline(margin)),
        future: Some(Inner::new(future)),
    }
}

/// A cancel scope with a deadline, without its future. The future stands beside it, in the struct
/// that the public function returns.
struct Head {
    scope: Scope,
    alarm: Alarm,
}

impl Head {
    #[track_caller]
    fn new(alarm: Alarm) -> Head {
        let label = Label { name: None, location: Location::caller() };
        Head { scope: Scope::with_deadline(label, alarm.back()), alarm }
    }

    /// Polls its future. Returns the value, or `None` when the time was over.
    ///
    /// What is inside comes first, and the time only if that is pending: a future that is ready
    /// pays for no sleep. But a time that is over before the first poll shows in that poll.
    #[inline]
    fn poll<F: Future>(
        &mut self,
        mut future: Pin<&mut Option<Inner<F>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        if !self.scope.is_cancelled() && !self.begin() {
            if let Poll::Ready(value) = end::poll_inside(&self.scope, future.as_mut(), cx) {
                self.stop();
                return Poll::Ready(Some(value));
            }
            // It may have asked, and found that the time is over.
            if !self.scope.is_cancelled() && self.wait(cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.poll_last(future, cx)
    }

    #[cold]
    fn poll_last<F: Future>(
        &mut self,
        future: Pin<&mut Option<Inner<F>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        let scope = &self.scope;
        if !scope.is_told() {
            scope.cancel(|| scope.label().reason(task_id(), clock::now()));
        }
        let polled = end::poll_last(scope, future, cx);
        if polled.is_ready() {
            self.stop();
        }
        polled
    }

    #[inline(always)]
    fn begin(&mut self) -> bool {
        if self.alarm.at().is_some() {
            return false;
        }
        let over = self.alarm.begin();
        self.scope.set_deadline(self.alarm.at());
        over
    }

    #[inline(always)]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.alarm.at();
        let over = self.alarm.wait(cx);
        if self.alarm.at() != at {
            self.scope.set_deadline(self.alarm.at());
        }
        over
    }

    #[inline]
    fn stop(&mut self) {
        self.alarm.stop();
        self.scope.set_deadline(None);
    }
}

pin_project! {
    /// The future of [`move_on_after`].
    #[must_use = "it runs only when it is awaited"]
    pub struct MoveOnAfter<F> {
        head: Head,
        #[pin]
        future: Option<Inner<F>>,
    }

    impl<F> PinnedDrop for MoveOnAfter<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            end::drop_inside(&this.head.scope, this.future);
        }
    }
}

impl<F> MoveOnAfter<F> {
    /// Names the scope: the reason of its end has the name for its message.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> MoveOnAfter<F> {
        self.head.scope.set_name(name.into());
        self
    }
}

impl<F: Future> Future for MoveOnAfter<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.head.poll(this.future, cx)
    }
}

pin_project! {
    /// The future of [`fail_after`], [`fail_at`] and [`before_deadline`].
    #[must_use = "it runs only when it is awaited"]
    pub struct FailAfter<F> {
        after: Option<Duration>,
        head: Head,
        #[pin]
        future: Option<Inner<F>>,
    }

    impl<F> PinnedDrop for FailAfter<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            end::drop_inside(&this.head.scope, this.future);
        }
    }
}

impl<F> FailAfter<F> {
    /// Names the scope: its [`Elapsed`] says so, and the reason of its end has the name for its
    /// message.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{block_on, fail_after};
    /// use std::time::Duration;
    ///
    /// let lookup = fail_after(Duration::ZERO, std::future::pending::<()>());
    /// let error = block_on(lookup.named(format!("lookup {}", 7))).unwrap_err();
    /// assert_eq!(error.name(), Some("lookup 7"));
    /// # }
    /// ```
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> FailAfter<F> {
        self.head.scope.set_name(name.into());
        self
    }
}

impl<F: Future> Future for FailAfter<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.head.poll(this.future, cx);
        polled.map(|value| {
            value.ok_or_else(|| {
                let Label { name, location } = this.head.scope.label().clone();
                Elapsed { name, after: *this.after, location }
            })
        })
    }
}

/// A cancel scope whose time was over.
#[derive(Clone, PartialEq, Eq)]
pub struct Elapsed {
    name: Option<Cow<'static, str>>,
    after: Option<Duration>,
    location: &'static Location<'static>,
}

impl Elapsed {
    /// Returns the name that the cancel scope was given, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns how much time it had, or `None` if it had an instant.
    pub fn after(&self) -> Option<Duration> {
        self.after
    }

    /// Returns where the cancel scope was created.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.after) {
            (Some(name), Some(after)) => write!(f, "`{name}` took longer than {after:?}")?,
            (Some(name), None) => write!(f, "`{name}` was not done by its deadline")?,
            (None, Some(after)) => write!(f, "timed out after {after:?}")?,
            (None, None) => f.write_str("timed out at its deadline")?,
        }
        write!(f, " (at {})", self.location)
    }
}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elapsed")
            .field("name", &self.name)
            .field("after", &self.after)
            .field("location", &format_args!("{}", self.location))
            .finish()
    }
}

impl std::error::Error for Elapsed {}

impl<F> fmt::Debug for MoveOnAfter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MoveOnAfter").field("at", &self.head.alarm.at()).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for FailAfter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailAfter")
            .field("name", &self.head.scope.label().name)
            .field("at", &self.head.alarm.at())
            .finish_non_exhaustive()
    }
}
