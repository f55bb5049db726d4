//! The handle of one child, which is the future of its value.

use super::lacking::Lacking;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::id::TaskId;
use crate::layers::base::join_error::JoinError;
use crate::layers::base::outcome::{Ending, Outcome, TaskState};
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::base::who::Who;
use crate::layers::context::new_reason::by_caller;
use crate::layers::group::Group;
use crate::layers::group::registry::doing;
use crate::layers::record::joiner::Joiner;
use crate::layers::record::{Handle, RecordRef};
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The value of a child, to come: what [`fork`](crate::Nursery::fork) and
/// [`blocking`](crate::Nursery::blocking) return. Await it for the value; cancel or abort the child
/// with it.
///
/// `child.await` waits until the child has ended, and gives its value. When it is ready, the child's
/// own future has been dropped and its destructors have finished. It may be awaited anywhere: by
/// the nursery's body, by siblings, in other nurseries and outside of any; and after its nursery's
/// end. To wait for many, use [`join_all`](crate::join_all).
///
/// A handle owns nothing but the child's value. Dropping it neither ends the child nor detaches it:
/// the nursery still waits for the child. If the child has ended already, its value is dropped with
/// the handle.
///
/// # Errors
///
/// Gives a [`JoinError`] if the child has no value: it failed, panicked, was cancelled, was refused,
/// or was lost. The nursery reports a failure of the child as well, unless its policy is
/// [`Isolate`](crate::Policy::Isolate).
///
/// The outcome is given once. A handle that is awaited again gives an error for which
/// [`is_taken`](JoinError::is_taken) is true.
///
/// # Panics
///
/// Awaiting it never panics, neither because the child did nor because it was awaited before: the
/// child's panic is in the [`JoinError`]. The nursery resumes it when all children have ended,
/// unless [`panics`](crate::Builder::panics) says otherwise.
///
/// # Cancel safety
///
/// `child.await` owns the handle: if it is dropped before it is ready, the handle is dropped, the
/// child goes on, and its value is lost. `(&mut child).await` loses nothing: a later await gives the
/// outcome. Use that in a `select!` loop. (A task that has dropped such a borrow may be woken once
/// more, when the child ends.)
///
/// # Compared with
///
/// tokio's `JoinHandle` is a future, too. It detaches its task when it is dropped, panics if it is
/// polled after it was ready, and its error is a panic or an abort. Here the child's own error is
/// one of the cases of a [`JoinError`], and the nursery reports it as well.
///
/// # Examples
///
/// A join error is an error like any other, so `?` works:
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
///
/// let run = nursery().run(async |n: Nursery| {
///     let length = n.fork(async { Ok("home".len()) });
///     let number = n.fork(async { Ok("7".parse::<usize>()?) });
///     Ok(length.await? * number.await?)
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
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::cancel::ReasonKind;
/// use std::convert::Infallible;
///
/// let run = nursery().run(async |n: Nursery<Infallible>| {
///     let child = n.fork(std::future::pending::<Result<(), _>>());
///     child.cancel();
///     Ok(match child.await {
///         Ok(()) => unreachable!("it never returns a value"),
///         Err(error) => error.reason().map(|reason| reason.kind()),
///     })
/// });
/// assert_eq!(block_on(run)?, Some(ReasonKind::Requested));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the child runs, but its value is lost: await the handle, or `drop` it; to start an \
              `async` child without a value, use `spawn` or `go`"]
pub struct Child<T, E> {
    inner: Inner<T, E>,
}

enum Inner<T, E> {
    /// `waits`: the record holds the waker of a task that polled the handle.
    Admitted {
        group: Weak<Group>,
        handle: Handle<T, E>,
        waits: bool,
    },
    Refused(JoinError<E>),
    Taken,
}

impl<T, E> Child<T, E> {
    pub(crate) fn new(
        group: &Group,
        admitted: Result<TaskId, Reason>,
        handle: Handle<T, E>,
    ) -> Child<T, E> {
        let inner = match admitted {
            Ok(_) => Inner::Admitted { group: group.weak(), handle, waits: false },
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
            Inner::Admitted { group, handle, .. } => Some(group.task_id(handle.header())),
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
            Inner::Admitted { handle, .. } => doing(handle.header()),
            Inner::Refused(_) | Inner::Taken => TaskState::Ended,
        }
    }

    /// Returns `true` if the child has ended: awaiting it does not wait then.
    pub fn is_ended(&self) -> bool {
        match &self.inner {
            Inner::Admitted { handle, .. } => handle.header().state().is_done(),
            Inner::Refused(_) | Inner::Taken => true,
        }
    }

    /// Cancels the child and every nursery that it has open.
    ///
    /// The child is polled once more with the cancel visible. If it is still waiting after that
    /// poll, it is dropped where it waits. A cancelled child is not a failure of its nursery, and
    /// neither is an error that it ends with after the cancel, unless it has cancelled itself: that
    /// is an [echo](crate::GroupError::echoes). What must count is reported with
    /// [`fail`](crate::Nursery::fail), or done in a [finalizer](crate::Nursery::defer).
    ///
    /// Returns `false` if the child had ended already. [`abort`](Child::abort) drops a waiting
    /// child without that last poll.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(by_caller(ReasonKind::Requested, Location::caller()))
    }

    /// Like [`cancel`](Child::cancel), with a reason. If the child was cancelled before, its first
    /// reason stays.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        match &self.inner {
            Inner::Admitted { group, handle, .. } => group.cancel_child(handle.record(), &reason),
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
        let reason = by_caller(ReasonKind::Aborted, Location::caller());
        match &self.inner {
            Inner::Admitted { group, handle, .. } => group.abort_child(handle.record(), &reason),
            Inner::Refused(_) | Inner::Taken => false,
        }
    }

    /// Returns the child's value if the child has ended, and `None` if it has not. It does not
    /// wait.
    ///
    /// # Errors
    ///
    /// Those of awaiting the handle. Once the outcome was taken, the error is one for which
    /// [`is_taken`](JoinError::is_taken) is true.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery, yield_now};
    /// use std::convert::Infallible;
    ///
    /// let run = nursery().run(async |n: Nursery<Infallible>| {
    ///     let mut child = n.fork(async { Ok(7) });
    ///     loop {
    ///         if let Some(ended) = child.try_join() {
    ///             return Ok(ended.ok());
    ///         }
    ///         yield_now().await;
    ///     }
    /// });
    /// assert_eq!(block_on(run)?, Some(7));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join(&mut self) -> Option<Result<T, JoinError<E>>> {
        Some(self.take()?.map_err(|lacking| lacking.tell()))
    }

    /// Takes the outcome, if it is there, and says nothing of it yet.
    pub(super) fn take(&mut self) -> Option<Result<T, Box<Lacking<E>>>> {
        let (outcome, ending) = match &mut self.inner {
            Inner::Taken | Inner::Refused(_) => return Some(Err(self.never_had())),
            Inner::Admitted { handle, .. } => handle.take()?,
        };
        let inner = mem::replace(&mut self.inner, Inner::Taken);
        match outcome {
            Outcome::Ok(value) => {
                drop(inner);
                Some(Ok(value))
            }
            outcome => Self::lacking(inner, outcome, ending.expect("no value: it says why")),
        }
    }

    /// Says why there is no value.
    #[cold]
    fn lacking(
        inner: Inner<T, E>,
        outcome: Outcome<T, E>,
        ending: Ending,
    ) -> Option<Result<T, Box<Lacking<E>>>> {
        let Inner::Admitted { group, handle, .. } = inner else { return None };
        let mut who = None;
        let note = || who.insert(group.who(handle.header())).clone();
        let value = JoinError::split(outcome, note, group.config.view);
        Some(value.map_err(|error| Lacking::new(error, ending, who.map(|who| (group, who)))))
    }

    /// Says why there is no outcome, where there never was one, or is none any more.
    #[cold]
    fn never_had(&mut self) -> Box<Lacking<E>> {
        match mem::replace(&mut self.inner, Inner::Taken) {
            Inner::Refused(error) => match error.reason().cloned() {
                Some(reason) => Lacking::new(error, Ending::Cancelled(reason), None),
                None => Lacking::taken(),
            },
            Inner::Admitted { .. } | Inner::Taken => Lacking::taken(),
        }
    }

    /// Waits for the outcome, and says nothing of it yet.
    pub(super) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Box<Lacking<E>>>> {
        if let Some(result) = self.take() {
            return Poll::Ready(result);
        }
        if self.keep_joiner(Joiner::Task(cx.waker().clone())) {
            let number = self.record().map_or(0, |(_, record)| record.header().number());
            wait_mark::on(Kind::Child, number);
            return Poll::Pending;
        }
        // The child ended after the first look and before the lock was taken.
        Poll::Ready(self.take().unwrap_or_else(|| Err(Lacking::taken())))
    }

    /// Has what waits by many handles hear of the child's end. Returns `false` if the child has ended
    /// already.
    pub(super) fn enter(&mut self, joiner: Joiner) -> bool {
        self.keep_joiner(joiner)
    }

    /// Returns how the child ended, if its outcome is there.
    pub(super) fn ending(&self) -> Option<Ending> {
        match &self.inner {
            Inner::Admitted { handle, .. } => handle.ending(),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    /// Returns the child's record and its group, if there is one.
    pub(super) fn record(&self) -> Option<(&Weak<Group>, RecordRef<'_>)> {
        match &self.inner {
            Inner::Admitted { group, handle, .. } => Some((group, handle.record())),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    /// Returns the address of the child's record, if there is one.
    pub(super) fn key(&self) -> Option<usize> {
        match &self.inner {
            Inner::Admitted { handle, .. } => Some(handle.ptr().address()),
            Inner::Refused(_) | Inner::Taken => None,
        }
    }

    fn keep_joiner(&mut self, joiner: Joiner) -> bool {
        let Inner::Admitted { group, handle, waits } = &mut self.inner else { return false };
        let is_task = matches!(joiner, Joiner::Task(_));
        let joiner = Foreign::new(joiner);
        // What is not kept, or not any more, is dropped here, without the lock.
        let kept = group.locked(|registry| registry.members.set_joiner(handle, joiner)).is_ok();
        *waits |= kept && is_task;
        kept
    }

    /// Takes the waker of a task that polled the handle out of the record.
    fn stop_waiting(&mut self) {
        if let Inner::Admitted { group, handle, waits: waits @ true } = &mut self.inner {
            *waits = false;
            drop(group.locked(|registry| registry.members.forget_joiner(handle)));
        }
    }
}

impl<T, E> Future for Child<T, E> {
    type Output = Result<T, JoinError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_take(cx).map_err(|lacking| lacking.tell())
    }
}

impl<T, E> Drop for Child<T, E> {
    fn drop(&mut self) {
        self.stop_waiting();
        let Inner::Admitted { group, .. } = &self.inner else { return };
        if !group.config.policy.isolates() {
            return;
        }
        // A failure that no caller looked at is the nursery's.
        let inner = mem::replace(&mut self.inner, Inner::Taken);
        let Inner::Admitted { group, handle, .. } = inner else { return };
        let Some(handle) = handle.let_go() else { return };
        if let Some(ending) = handle.ending() {
            group.hand_in(ending, group.who(handle.header()));
        }
    }
}

impl<T, E> fmt::Debug for Child<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Child<[u64; 8], u8>>() <= 40);
