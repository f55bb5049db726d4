//! The handle of one child, and the future that joins it.

use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::{JoinError, Outcome, TaskState};
use crate::layers::base::panic;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::group::Group;
use crate::layers::group::config::Policy;
use crate::layers::record::Handle;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What became of a [`spawn`](crate::Nursery::spawn). It may be ignored.
#[derive(Debug, Clone)]
pub struct Spawned {
    result: Result<TaskId, Reason>,
}

impl Spawned {
    pub(crate) fn new(result: Result<TaskId, Reason>) -> Spawned {
        Spawned { result }
    }

    /// Tells whether the child was admitted.
    pub fn is_admitted(&self) -> bool {
        self.result.is_ok()
    }

    /// Returns the child's id, if it was admitted.
    pub fn id(&self) -> Option<TaskId> {
        self.result.as_ref().ok().copied()
    }

    /// Returns why the child was refused: its future was dropped unpolled.
    pub fn refused(&self) -> Option<&Reason> {
        self.result.as_ref().err()
    }

    /// Returns the id, or the reason, for `?`.
    ///
    /// # Errors
    ///
    /// The reason for which the child was refused.
    pub fn into_result(self) -> Result<TaskId, Reason> {
        self.result
    }
}

/// The handle of a child that was forked: joins it, cancels it.
///
/// A handle owns nothing but the child's value: dropping it neither kills the child nor detaches
/// it. A value that is there when the handle is dropped is dropped with it. The handle may outlive
/// the nursery, and be joined anywhere.
#[must_use = "to spawn a child that nobody joins, use `spawn`"]
pub struct Child<T, E: Send + Sync + 'static> {
    inner: Inner<T, E>,
}

enum Inner<T, E> {
    /// `waits`: the record has the waker of a join that was polled.
    Admitted {
        group: Weak<Group>,
        handle: Handle<T, E>,
        id: TaskId,
        waits: bool,
    },
    Refused(Reason),
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
            Err(reason) => Inner::Refused(reason),
        };
        Child { inner }
    }

    pub(crate) fn refused(reason: Reason) -> Child<T, E> {
        Child { inner: Inner::Refused(reason) }
    }

    /// Returns the child's id; none if it was refused.
    pub fn id(&self) -> Option<TaskId> {
        match &self.inner {
            Inner::Admitted { id, .. } => Some(*id),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    /// Returns the child's name.
    pub fn name(&self) -> Option<&str> {
        match &self.inner {
            Inner::Admitted { handle, .. } => handle.header().name(),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    /// Returns where the child was spawned; none if it was refused.
    pub fn place(&self) -> Option<&'static Location<'static>> {
        match &self.inner {
            Inner::Admitted { handle, .. } => Some(handle.header().place()),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    /// Returns what the child is doing right now.
    pub fn state(&self) -> TaskState {
        match &self.inner {
            Inner::Admitted { group, handle, .. } => {
                group.locked(|registry| registry.state_of(handle))
            }
            Inner::Refused(_) | Inner::Taken => TaskState::Ended,
        }
    }

    /// Tells whether the child has ended, so that joining it will not wait.
    pub fn is_ended(&self) -> bool {
        match &self.inner {
            Inner::Admitted { handle, .. } => handle.header().state().is_done(),
            Inner::Refused(_) | Inner::Taken => true,
        }
    }

    /// Cancels the child, and the nurseries that it has open: it is polled once more with the
    /// cancel visible, and dropped where it waits if it has not come to its end then.
    ///
    /// Returns false if it had ended. That a child is cancelled is no failure of its nursery.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(Reason::new(String::new()))
    }

    /// As [`cancel`](Child::cancel), with a reason. The first reason stays.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        match &self.inner {
            Inner::Admitted { group, handle, .. } => group.cancel_child(handle, &reason),
            Inner::Refused(_) | Inner::Taken => false,
        }
    }

    /// Destroys the child where it waits, and everything in the nurseries that it has open; if it
    /// is being polled, as soon as that poll is over. On return a child that was waiting is gone.
    ///
    /// Returns false if it had ended.
    #[track_caller]
    pub fn abort(&self) -> bool {
        let reason = Reason::of(ReasonKind::Aborted, String::new(), None, Location::caller());
        match &self.inner {
            Inner::Admitted { group, handle, .. } => group.abort_child(handle, &reason),
            Inner::Refused(_) | Inner::Taken => false,
        }
    }

    /// Waits until the child has ended, and gives its value.
    ///
    /// # Errors
    ///
    /// A [`JoinError`] if it gave none: it failed, panicked, was cancelled, refused or lost.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handle: the child goes on, and its value is lost. To wait in
    /// a `select!` loop use [`join_mut`](Child::join_mut).
    pub fn join(self) -> Join<T, E> {
        Join { child: self }
    }

    /// As [`join`](Child::join), and the handle stays: for `select!` loops.
    ///
    /// Once the outcome was taken, every further join gives an error for which
    /// [`is_taken`](JoinError::is_taken) is true.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped before it is ready.
    pub fn join_mut(&mut self) -> JoinMut<'_, T, E> {
        JoinMut { child: self }
    }

    /// Gives the child's value if it has ended.
    ///
    /// # Errors
    ///
    /// As [`join`](Child::join).
    pub fn try_join(&mut self) -> Option<Result<T, JoinError<E>>> {
        let outcome = match &mut self.inner {
            Inner::Taken => return Some(Err(JoinError::taken())),
            Inner::Refused(reason) => Outcome::Cancelled(reason.clone()),
            Inner::Admitted { handle, .. } => handle.take()?,
        };
        self.inner = Inner::Taken;
        Some(JoinError::split(outcome))
    }

    fn poll_join(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError<E>>> {
        if let Some(result) = self.try_join() {
            return Poll::Ready(result);
        }
        let waker = Foreign::new(cx.waker().clone());
        if let Inner::Admitted { group, handle, waits, .. } = &mut self.inner {
            let kept = group.locked(|registry| registry.set_joiner(handle, waker));
            match kept {
                Ok(old) => {
                    *waits = true;
                    drop(old);
                    return Poll::Pending;
                }
                // It ended between the look and the lock.
                Err(waker) => drop(waker),
            }
        }
        Poll::Ready(self.try_join().unwrap_or_else(|| Err(JoinError::taken())))
    }

    /// A join is given up: takes its waker back.
    fn stop_waiting(&mut self) {
        if let Inner::Admitted { group, handle, waits: waits @ true, .. } = &mut self.inner {
            *waits = false;
            drop(group.locked(|registry| registry.forget_joiner(handle)));
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
    /// Gives the handle back.
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
