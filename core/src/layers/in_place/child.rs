//! The handle of a child with a value, which is the future of that value.

mod joins;

use super::join::Taker;
use super::lack::Lacking;
use super::seats::{Core, Reach};
use crate::layers::base::as_error::View;
use crate::layers::base::id::TaskId;
use crate::layers::base::join_error::JoinError;
use crate::layers::base::outcome::{Ending, TaskState};
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::who::Who;
use crate::layers::context::new_reason::by_caller;
use crate::layers::group::no_value::Lack;
use crate::layers::group::registry::report::Entry;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for the value of a child of a [`Scope`](crate::Scope): what
/// [`fork`](crate::Scope::fork) returns.
///
/// It is what [`Child`](crate::Child) is for a nursery's child. When it is ready, the child's own
/// future has been dropped and its destructors have finished. Dropping it neither ends nor detaches
/// the child.
///
/// # Cancel safety
///
/// Awaited by reference, it can be dropped and awaited again.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Scope, block_on, scope};
///
/// let words = vec!["one".to_string(), "three".to_string()];
/// let run = scope().run(async |s: Scope<'_>| {
///     let long = s.fork(async { Ok(words.iter().map(|word| word.len()).max()) });
///     Ok(long.await?)
/// });
/// assert_eq!(block_on(run)?, Some(5));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the child runs, but its value is lost: await the handle, or `drop` it; to start a \
              child without a value, use `spawn` or `go`"]
pub struct ScopeChild<T, E> {
    inner: Inner<T, E>,
    view: View,
    error: PhantomData<fn() -> E>,
}

enum Inner<T, E> {
    Admitted { core: Reach, cell: Taker<T>, is_taken: bool },
    Refused(Option<JoinError<E>>),
}

impl<T, E> ScopeChild<T, E> {
    pub(super) fn admitted(core: Reach, cell: Taker<T>, view: View) -> Self {
        ScopeChild {
            inner: Inner::Admitted { core, cell, is_taken: false },
            view,
            error: PhantomData,
        }
    }

    pub(super) fn refused(reason: Reason, name: Option<Box<str>>, view: View) -> Self
    where
        E: Send + Sync + 'static,
    {
        let who = Who { task: None, name, place: Location::caller(), finalizer: false };
        let error = JoinError::refused(reason, who);
        ScopeChild { inner: Inner::Refused(Some(error)), view, error: PhantomData }
    }

    fn core(&self) -> Option<&Core> {
        match &self.inner {
            Inner::Admitted { core, .. } => Some(core),
            Inner::Refused(_) => None,
        }
    }

    /// Returns the child's id, or `None` if it was refused.
    pub fn id(&self) -> Option<TaskId> {
        self.core()?.id()
    }

    /// Returns the child's name, if it has one and was not refused.
    pub fn name(&self) -> Option<&str> {
        self.core()?.name()
    }

    /// Returns where the child was spawned, or `None` if it was refused.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        Some(self.core()?.place())
    }

    /// Returns what the child is doing.
    pub fn state(&self) -> TaskState {
        self.core().map_or(TaskState::Ended, Core::state)
    }

    /// Returns `true` if the child has ended: then awaiting it does not wait.
    pub fn is_ended(&self) -> bool {
        match &self.inner {
            Inner::Admitted { cell, .. } => cell.is_published(),
            Inner::Refused(_) => true,
        }
    }

    /// Cancels this child alone: it is polled once more, with the cancel visible, and dropped if it
    /// is not ready then. Returns `false` if it has ended, or was cancelled before.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    /// use std::future::pending;
    ///
    /// let run = scope().run(async |s: Scope<'_>| {
    ///     let child = s.fork(pending::<Result<(), _>>());
    ///     assert!(child.cancel());
    ///     Ok(child.await.is_err_and(|error| error.reason().is_some()))
    /// });
    /// assert!(block_on(run)?);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(by_caller(ReasonKind::Requested, Location::caller()))
    }

    /// Cancels this child alone, for this reason. Same as [`cancel`](ScopeChild::cancel) otherwise.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        self.core().is_some_and(|core| core.cancel(reason))
    }

    /// Drops this child where it waits, at the scope's next poll: it is not polled again, unless a
    /// shield is up in it or a nursery inside is not home. Returns `false` if it has ended, or was
    /// aborted before.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::cancel::ReasonKind;
    /// use allhome::{Scope, block_on, scope};
    /// use std::future::pending;
    ///
    /// let run = scope().run(async |s: Scope<'_>| {
    ///     let child = s.fork(pending::<Result<(), _>>());
    ///     assert!(child.abort());
    ///     Ok(child.await.unwrap_err().reason().map(|reason| reason.kind()))
    /// });
    /// assert_eq!(block_on(run)?, Some(ReasonKind::Aborted));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn abort(&self) -> bool {
        let reason = by_caller(ReasonKind::Aborted, Location::caller());
        self.core().is_some_and(|core| core.abort(reason))
    }

    /// Waits for the value, and ends the task that awaits it if there is none. See
    /// [`Child::value`](crate::Child::value): the joiner's end is a failure only if no scope or
    /// nursery around it reports why.
    ///
    /// # Panics
    ///
    /// The future panics where there is no task to end: outside of any scope or nursery.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses the handle: the child runs on.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let (width, height) = (6, 7);
    /// let run = scope().run(async |s: Scope<'_>| {
    ///     let (a, b) = (s.fork(async { Ok(&width) }), s.fork(async { Ok(&height) }));
    ///     Ok(a.value().await * b.value().await)
    /// });
    /// assert_eq!(block_on(run)?, 42);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn value(self) -> ScopeValue<T, E> {
        ScopeValue { child: self, place: Location::caller() }
    }
}

impl<T, E: Send + Sync + 'static> ScopeChild<T, E> {
    /// Returns the value or why there is none, if the child has ended. Does not wait.
    pub fn try_join(&mut self) -> Option<Result<T, JoinError<E>>> {
        let taken = self.take()?;
        Some(taken.map_err(|(error, lack)| {
            self.lacking(lack).tell();
            error
        }))
    }

    fn lacking(&self, lack: Lack) -> Lacking<'_> {
        Lacking { child: self.core(), lack, view: self.view }
    }

    fn take(&mut self) -> Option<Result<T, (JoinError<E>, Lack)>> {
        let taken = || (JoinError::taken(), Lack::Taken);
        match &mut self.inner {
            Inner::Refused(error) => Some(Err(match error.take() {
                Some(error) => match error.reason().cloned() {
                    Some(reason) => (error, Lack::Cancelled(reason)),
                    None => (error, Lack::Taken),
                },
                None => taken(),
            })),
            Inner::Admitted { is_taken: true, .. } => Some(Err(taken())),
            Inner::Admitted { core, cell, is_taken } => match cell.take() {
                Err(false) => None,
                Err(true) => Some(Err(taken())),
                Ok((outcome, ending)) => {
                    *is_taken = true;
                    let result = JoinError::split(outcome, || core.who(), self.view);
                    Some(result.map_err(|error| (error, lack(ending))))
                }
            },
        }
    }

    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, (JoinError<E>, Lack)>> {
        if let Some(result) = self.take() {
            return Poll::Ready(result);
        }
        let waits = match &mut self.inner {
            Inner::Admitted { cell, .. } => cell.wait(cx.waker()),
            Inner::Refused(_) => false,
        };
        match waits {
            true => Poll::Pending,
            // It ended between the two looks.
            false => {
                let result = self.take();
                Poll::Ready(result.unwrap_or_else(|| Err((JoinError::taken(), Lack::Taken))))
            }
        }
    }
}

fn lack(ending: Ending) -> Lack {
    match ending {
        Ending::Cancelled(reason) => Lack::Cancelled(reason),
        ending => Lack::Failed(ending),
    }
}

impl<T, E> Unpin for ScopeChild<T, E> {}

impl<T, E: Send + Sync + 'static> Future for ScopeChild<T, E> {
    type Output = Result<T, JoinError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_take(cx).map_err(|(error, lack)| {
            self.lacking(lack).tell();
            error
        })
    }
}

impl<T, E> Drop for ScopeChild<T, E> {
    fn drop(&mut self) {
        // What was taken has left nothing.
        let Inner::Admitted { core, cell, is_taken: false } = &mut self.inner else { return };
        if let Some(ending) = cell.let_go() {
            hand_in(core, ending);
        }
    }
}

/// A failure that no caller looked at is the scope's, if that left it to the joiner.
fn hand_in(core: &Core, ending: Ending) {
    let fails = matches!(ending, Ending::Err(_) | Ending::Panicked(_) | Ending::NoValue(_));
    if fails && core.control().policy.isolates() {
        core.control().hand_in(Entry::new(ending, core.who()));
    }
}

impl<T, E> fmt::Debug for ScopeChild<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeChild")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// The future of [`ScopeChild::value`].
#[must_use = "it waits only when it is awaited"]
pub struct ScopeValue<T, E> {
    child: ScopeChild<T, E>,
    place: &'static Location<'static>,
}

impl<T, E: Send + Sync + 'static> Future for ScopeValue<T, E> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.child.poll_take(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(value)) => Poll::Ready(value),
            Poll::Ready(Err((_, lack))) => {
                self.child.lacking(lack).end_joiner(self.place);
                Poll::Pending
            }
        }
    }
}

impl<T, E> fmt::Debug for ScopeValue<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeValue").field("id", &self.child.id()).finish_non_exhaustive()
    }
}
