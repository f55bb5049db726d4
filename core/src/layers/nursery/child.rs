//! The handle of one child, and the future that joins it.

use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::id::TaskId;
use crate::layers::base::join_error::JoinError;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::panic;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::who::Who;
use crate::layers::group::Group;
use crate::layers::group::config::Policy;
use crate::layers::record::Handle;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What [`spawn`](crate::Nursery::spawn) returns: whether the child was admitted. It may be
/// ignored.
#[derive(Debug, Clone)]
pub struct Spawned {
    result: Result<TaskId, Reason>,
}

impl Spawned {
    pub(crate) fn new(result: Result<TaskId, Reason>) -> Spawned {
        Spawned { result }
    }

    /// Returns `true` if the child was admitted.
    pub fn is_admitted(&self) -> bool {
        self.result.is_ok()
    }

    /// Returns the child's id, or `None` if the child was refused.
    pub fn id(&self) -> Option<TaskId> {
        self.result.as_ref().ok().copied()
    }

    /// Returns why the child was refused, or `None` if it was admitted. The future of a refused
    /// child was dropped unpolled.
    pub fn refused(&self) -> Option<&Reason> {
        self.result.as_ref().err()
    }

    /// Converts into a `Result`, for `?`.
    ///
    /// # Errors
    ///
    /// Returns the [`Reason`] for which the child was refused.
    pub fn into_result(self) -> Result<TaskId, Reason> {
        self.result
    }
}

/// Joins or cancels one child: the handle that [`fork`](crate::Nursery::fork) returns.
///
/// A handle owns nothing but the child's value. Dropping it neither ends the child nor detaches it:
/// the nursery still waits for the child. If the child has ended already, its value is dropped with
/// the handle. A handle may outlive the nursery and may be joined anywhere.
///
/// # Compared with
///
/// tokio's `JoinHandle` detaches its task when it is dropped, and its error is a panic or an abort.
/// Here the child's own error is one of the cases of a [`JoinError`], and the nursery reports it as
/// well.
#[must_use = "to spawn a child that is never joined, use `spawn`"]
pub struct Child<T, E: Send + Sync + 'static> {
    inner: Inner<T, E>,
}

enum Inner<T, E> {
    /// `waits`: the record holds the waker of a join that was polled.
    Admitted {
        group: Weak<Group>,
        handle: Handle<T, E>,
        id: TaskId,
        waits: bool,
    },
    Refused(JoinError<E>),
    Taken,
}

impl<T, E: Send + Sync + 'static> Child<T, E> {
    pub(crate) fn new(
        group: &Group,
        admitted: Result<TaskId, Reason>,
        handle: Handle<T, E>,
    ) -> Child<T, E> {
        let inner = match admitted {
            Ok(id) => Inner::Admitted { group: group.weak(), handle, id, waits: false },
            Err(reason) => {
                let header = handle.header();
                return Child::refused(reason, header.name().map(Box::from), header.location());
            }
        };
        Child { inner }
    }

    pub(crate) fn refused(
        reason: Reason,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> Child<T, E> {
        let who = Who { task: None, name, place, finalizer: false };
        Child { inner: Inner::Refused(JoinError::refused(reason, who)) }
    }

    /// Returns the child's id, or `None` if the child was refused or its outcome was taken.
    pub fn id(&self) -> Option<TaskId> {
        match &self.inner {
            Inner::Admitted { id, .. } => Some(*id),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    /// Returns the child's name, if it has one and its outcome was not taken.
    pub fn name(&self) -> Option<&str> {
        match &self.inner {
            Inner::Admitted { handle, .. } => handle.header().name(),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    /// Returns where the child was spawned, or `None` if it was refused or its outcome was taken.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        match &self.inner {
            Inner::Admitted { handle, .. } => Some(handle.header().location()),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    /// Returns what the child is doing right now. The answer may be old as soon as it is returned.
    pub fn state(&self) -> TaskState {
        match &self.inner {
            Inner::Admitted { group, handle, .. } => {
                group.locked(|registry| registry.members.state_of(handle))
            }
            Inner::Refused(_) | Inner::Taken => TaskState::Ended,
        }
    }

    /// Returns `true` if the child has ended: joining it does not wait then.
    pub fn is_ended(&self) -> bool {
        match &self.inner {
            Inner::Admitted { handle, .. } => handle.header().state().is_done(),
            Inner::Refused(_) | Inner::Taken => true,
        }
    }

    /// Cancels the child and every nursery that it has open.
    ///
    /// The child is polled once more with the cancel visible. If it is still waiting after that
    /// poll, it is dropped where it waits. A cancelled child is not a failure of its nursery.
    ///
    /// Returns `false` if the child had ended already. [`abort`](Child::abort) drops a waiting
    /// child without that last poll.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(Reason::new(String::new()))
    }

    /// Like [`cancel`](Child::cancel), with a reason. If the child was cancelled before, its first
    /// reason stays.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        match &self.inner {
            Inner::Admitted { group, handle, .. } => group.cancel_child(handle, &reason),
            Inner::Refused(_) | Inner::Taken => false,
        }
    }

    /// Drops the child where it waits, and everything in the nurseries that it has open.
    ///
    /// A child that is being polled is dropped as soon as that poll returns. When `abort` returns,
    /// a child that was waiting is gone.
    ///
    /// Returns `false` if the child had ended already.
    #[track_caller]
    pub fn abort(&self) -> bool {
        let reason = Reason::of(ReasonKind::Aborted, String::new(), None, Location::caller());
        match &self.inner {
            Inner::Admitted { group, handle, .. } => group.abort_child(handle, &reason),
            Inner::Refused(_) | Inner::Taken => false,
        }
    }

    /// Waits until the child has ended, and returns its value.
    ///
    /// When the future is ready, the child's own future has been dropped and its destructors have
    /// finished.
    ///
    /// # Errors
    ///
    /// Returns a [`JoinError`] if the child has no value: it failed, panicked, was cancelled, was
    /// refused, or was lost. The nursery reports a failure of the child as well, unless its policy
    /// is [`Isolate`](crate::Policy::Isolate).
    ///
    /// # Panics
    ///
    /// Never panics because the child did: the panic is in the [`JoinError`]. The nursery resumes
    /// it when all children have ended, unless [`panics`](crate::Builder::panics) says otherwise.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handle: the child goes on, and its value is lost. To wait in a
    /// `select!` loop, use [`join_mut`](Child::join_mut).
    ///
    /// # Examples
    ///
    /// A join error is an error like any other, so `?` works:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, ThreadPool, block_on, nursery};
    ///
    /// let run = nursery().on(ThreadPool::global()).run(async |n: Nursery| {
    ///     let length = n.fork(async { Ok("home".len()) });
    ///     let number = n.fork(async { Ok("7".parse::<usize>()?) });
    ///     Ok(length.join().await? * number.join().await?)
    /// });
    /// assert_eq!(block_on(run)?, 28);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// What went wrong is found with the methods of [`JoinError`]:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, ReasonKind, ThreadPool, block_on, nursery};
    /// use std::convert::Infallible;
    ///
    /// let run = nursery().on(ThreadPool::global()).run(async |n: Nursery<Infallible>| {
    ///     let child = n.fork(std::future::pending::<Result<(), _>>());
    ///     child.cancel();
    ///     let error = child.join().await.expect_err("it never returns a value");
    ///     Ok(error.reason().map(|reason| reason.kind()))
    /// });
    /// assert_eq!(block_on(run)?, Some(ReasonKind::Requested));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(self) -> Join<T, E> {
        Join { child: self }
    }

    /// Like [`join`](Child::join), but keeps the handle: for `select!` loops.
    ///
    /// # Errors
    ///
    /// Same as [`join`](Child::join). Once the outcome was taken, every further join returns an
    /// error for which [`is_taken`](JoinError::is_taken) is true.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped before it is ready: a later join returns the
    /// outcome.
    pub fn join_mut(&mut self) -> JoinMut<'_, T, E> {
        JoinMut { child: self }
    }

    /// Returns the child's value if the child has ended, and `None` if it has not. It does not
    /// wait.
    ///
    /// # Errors
    ///
    /// Same as [`join_mut`](Child::join_mut).
    pub fn try_join(&mut self) -> Option<Result<T, JoinError<E>>> {
        let Inner::Admitted { group, handle, id, .. } = &mut self.inner else {
            return Some(Err(match mem::replace(&mut self.inner, Inner::Taken) {
                Inner::Refused(error) => error,
                Inner::Admitted { .. } | Inner::Taken => JoinError::taken(),
            }));
        };
        let outcome = handle.take()?;
        let who = || {
            let header = handle.header();
            let (name, place) = (header.name().map(Box::from), header.location());
            Who { task: Some(*id), name, place, finalizer: false }
        };
        let result = JoinError::split(outcome, who, group.config.view);
        self.inner = Inner::Taken;
        Some(result)
    }

    fn poll_join(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError<E>>> {
        if let Some(result) = self.try_join() {
            return Poll::Ready(result);
        }
        let waker = Foreign::new(cx.waker().clone());
        if let Inner::Admitted { group, handle, waits, .. } = &mut self.inner {
            let kept = group.locked(|registry| registry.members.set_joiner(handle, waker));
            match kept {
                Ok(old) => {
                    *waits = true;
                    drop(old);
                    return Poll::Pending;
                }
                // The child ended after the first look and before the lock was taken.
                Err(waker) => drop(waker),
            }
        }
        Poll::Ready(self.try_join().unwrap_or_else(|| Err(JoinError::taken())))
    }

    /// Gives up a join: takes its waker out of the record.
    fn stop_waiting(&mut self) {
        if let Inner::Admitted { group, handle, waits: waits @ true, .. } = &mut self.inner {
            *waits = false;
            drop(group.locked(|registry| registry.members.forget_joiner(handle)));
        }
    }
}

impl<T, E: Send + Sync + 'static> Drop for Child<T, E> {
    fn drop(&mut self) {
        self.stop_waiting();
        let Inner::Admitted { group, handle, .. } = &mut self.inner else { return };
        if group.config.policy != Policy::Isolate || handle.let_go() {
            return;
        }
        if let Some(outcome) = handle.take() {
            group.hand_in(handle, &outcome);
            if let Err(payload) = panic::catch_drop(outcome) {
                panic::discard(payload);
            }
        }
    }
}

impl<T, E: Send + Sync + 'static> fmt::Debug for Child<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// The future of [`Child::join`].
#[must_use = "a join does nothing unless it is awaited"]
pub struct Join<T, E: Send + Sync + 'static> {
    child: Child<T, E>,
}

impl<T, E: Send + Sync + 'static> Join<T, E> {
    /// Returns the handle.
    pub fn into_child(mut self) -> Child<T, E> {
        self.child.stop_waiting();
        self.child
    }
}

impl<T, E: Send + Sync + 'static> Future for Join<T, E> {
    type Output = Result<T, JoinError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.child.poll_join(cx)
    }
}

impl<T, E: Send + Sync + 'static> fmt::Debug for Join<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("id", &self.child.id()).finish()
    }
}

/// The future of [`Child::join_mut`].
#[must_use = "a join does nothing unless it is awaited"]
pub struct JoinMut<'a, T, E: Send + Sync + 'static> {
    child: &'a mut Child<T, E>,
}

impl<T, E: Send + Sync + 'static> Drop for JoinMut<'_, T, E> {
    fn drop(&mut self) {
        self.child.stop_waiting();
    }
}

impl<T, E: Send + Sync + 'static> Future for JoinMut<'_, T, E> {
    type Output = Result<T, JoinError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.child.poll_join(cx)
    }
}

impl<T, E: Send + Sync + 'static> fmt::Debug for JoinMut<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinMut").field("id", &self.child.id()).finish()
    }
}
