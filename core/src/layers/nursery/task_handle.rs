//! Handles of children that lead to no value, and what can be done to a child by its id.

use super::Nursery;
use super::child::Child;
use crate::layers::base::counted::Weak;
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::context::new_reason::by_caller;
use crate::layers::group::Group;
use crate::layers::group::registry::doing;
use crate::layers::record::Kept;
use std::fmt;
use std::panic::Location;

/// A handle of a child that cancels it and says what it does, and has no part in its value.
/// [`Child::task_handle`] gives it; or, for a child that was spawned without a [`Child`],
/// [`Nursery::task_handle`], by the child's id.
///
/// Clones are handles of the same child, and may go anywhere. A handle owns nothing: neither the
/// child nor its value is kept by it. It keeps the child's memory until the last clone is dropped.
///
/// # Compared with
///
/// tokio's `AbortHandle`, whose `abort` is [`cancel`](TaskHandle::cancel) here: the child sees it in
/// a last poll.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::task::TaskState;
///
/// let run = nursery().run(async |n: Nursery| {
///     let watcher = n.task("watcher").go(std::future::pending::<()>());
///     let handle = watcher.id().and_then(|id| n.task_handle(id)).expect("it was admitted");
///     assert_eq!(handle.name(), Some("watcher"));
///     assert!(handle.cancel());
///     n.idle().await;
///     Ok(handle.state())
/// });
/// assert_eq!(block_on(run)?, TaskState::Ended);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TaskHandle {
    inner: Arc<Inner>,
}

struct Inner {
    group: Weak<Group>,
    kept: Kept,
}

impl TaskHandle {
    pub(super) fn new(group: Weak<Group>, kept: Kept) -> TaskHandle {
        TaskHandle { inner: Arc::new(Inner { group, kept }) }
    }

    /// Returns the child's id.
    pub fn id(&self) -> TaskId {
        let Inner { group, kept } = &*self.inner;
        group.task_id(kept.record().header())
    }

    /// Returns the child's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.inner.kept.record().header().name()
    }

    /// Returns where the child was spawned.
    pub fn location(&self) -> &'static Location<'static> {
        self.inner.kept.record().header().location()
    }

    /// Returns what the child is doing right now. The answer may be old as soon as it is returned.
    pub fn state(&self) -> TaskState {
        doing(self.inner.kept.record().header())
    }

    /// Returns `true` if the child has ended.
    pub fn is_ended(&self) -> bool {
        self.state() == TaskState::Ended
    }

    /// Cancels the child and every nursery that it has open, as [`Child::cancel`] does. Returns
    /// `false` if the child had ended already.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(by_caller(ReasonKind::Requested, Location::caller()))
    }

    /// Like [`cancel`](TaskHandle::cancel), with a reason. If the child was cancelled before, its
    /// first reason stays.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        let Inner { group, kept } = &*self.inner;
        group.cancel_child(kept.record(), &reason)
    }

    /// Drops the child where it waits, as [`Child::abort`] does. Returns `false` if the child had
    /// ended already.
    #[track_caller]
    pub fn abort(&self) -> bool {
        let reason = by_caller(ReasonKind::Aborted, Location::caller());
        let Inner { group, kept } = &*self.inner;
        group.abort_child(kept.record(), &reason)
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl<T, E> Child<T, E> {
    /// Returns a handle of the child that leads to no value, and can be cloned; `None` if the child
    /// was refused or its outcome was taken.
    pub fn task_handle(&self) -> Option<TaskHandle> {
        let (group, record) = self.record()?;
        Some(TaskHandle::new(group.clone(), record.keep()))
    }
}

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Returns a handle of the child with this id; `None` if it has ended, or is no child of this
    /// nursery.
    ///
    /// It looks through the children, the newest first: at once for one that was just spawned, and
    /// else in a time that grows with their number, with the nursery's lock held. So keep the handle
    /// of a child that is asked for often.
    pub fn task_handle(&self, id: TaskId) -> Option<TaskHandle> {
        if id.nursery != self.group.id {
            return None;
        }
        let kept = self.group.keep_child(id.number)?;
        Some(TaskHandle::new(self.group.weak(), kept))
    }

    /// Cancels the child with this id, as [`Child::cancel`] does. Returns `false` if it has ended, or
    /// is no child of this nursery.
    ///
    /// It looks for the child as [`task_handle`](Nursery::task_handle) does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     let id = n.go(std::future::pending::<()>()).id().expect("it was admitted");
    ///     let was_there = n.cancel_task(id);
    ///     n.idle().await;
    ///     Ok((was_there, n.cancel_task(id)))
    /// });
    /// assert_eq!(block_on(run)?, (true, false));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn cancel_task(&self, id: TaskId) -> bool {
        let reason = by_caller(ReasonKind::Requested, Location::caller());
        self.task_handle(id).is_some_and(|handle| handle.cancel_with(reason))
    }

    /// Cancels every child that there is, each as [`Child::cancel`] does, and leaves the body and the
    /// nursery alone: the body goes on, and may spawn other children. Returns how many there were.
    ///
    /// [`cancel`](Nursery::cancel) cancels the body, too, and admits no child any more. To wait until
    /// the children are gone, await [`idle`](Nursery::idle). A child that calls this is one of them.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     for _ in 0..3 {
    ///         n.go(std::future::pending::<()>());
    ///     }
    ///     assert_eq!(n.cancel_children(), 3);
    ///     n.idle().await;
    ///     Ok(n.fork(async { Ok(7) }).await?)
    /// });
    /// assert_eq!(block_on(run)?, 7);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn cancel_children(&self) -> usize {
        self.group.cancel_children(&by_caller(ReasonKind::Requested, Location::caller()))
    }
}
