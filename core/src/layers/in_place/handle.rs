//! The handle of a scope, with which its body and its children spawn.

pub(crate) mod bounded;
mod defer;
pub(crate) mod draining;
pub(crate) mod idle;
mod members;

use super::child::ScopeChild;
use super::inbox::{Admission, Shared};
use super::mode::Mode;
use super::placed::{Pieces, Placed};
use super::task::{Gone, Spawned as Task};
use crate::layers::base::as_error::{BoxError, View};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::invariant::Invariant;
use crate::layers::base::mode::{Local, Sendable};
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::context::new_reason::by_caller;
use crate::layers::nursery::spawned::{Refused, Spawned};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;

/// Spawns children that borrow from the caller, and cancels them: the handle of a [`scope`](crate::scope).
///
/// The body of [`ScopeBuilder::run`](crate::in_place::ScopeBuilder::run) gets one by value. Clones
/// may be moved into children, so that they spawn siblings. A handle may outlive its scope, and
/// refuses every child then.
///
/// `'a` is what the children may borrow: everything that lives longer than the scope's future.
/// That is not what the body itself owns, since the body may end before the children.
///
/// # Compared with
///
/// - [`Nursery`](crate::Nursery): its children are `'static` and run in parallel, on a runtime. A
///   scope's borrow, and run concurrently in the caller's own task, without a runtime.
/// - `FuturesUnordered`: children of different types, that fail as a group, are polled also while
///   the body awaits something else, and may spawn siblings.
/// - moro: panics are contained, nothing hangs or aborts, children may be `async move`.
/// - `std::thread::scope`: tasks in place of threads, so it blocks nothing, and can be cancelled.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Scope, block_on, scope};
/// use std::cell::Cell;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let (pages, total) = (vec!["one", "three", "seven"], AtomicUsize::new(0));
/// let run = scope().run(async |s: Scope<'_>| {
///     for page in &pages {
///         s.spawn(async {
///             total.fetch_add(page.len(), Ordering::Relaxed);
///             Ok(())
///         });
///     }
///     Ok(())
/// });
/// block_on(run)?;
/// assert_eq!(total.into_inner(), 13);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Scope<'a, E = BoxError, M: Mode = Sendable> {
    shared: Arc<Shared<'a, M>>,
    view: View,
    error: Invariant<E>,
}

/// The handle of a scope whose children need not be `Send`: see
/// [`ScopeBuilder::local`](crate::in_place::ScopeBuilder::local).
pub type LocalScope<'a, E = BoxError> = Scope<'a, E, Local>;

impl<'a, E: Send + Sync + 'static, M: Mode> Scope<'a, E, M> {
    pub(super) fn new(shared: Arc<Shared<'a, M>>, view: View) -> Scope<'a, E, M> {
        Scope { shared, view, error: PhantomData }
    }

    pub(super) fn shared(&self) -> &Shared<'a, M> {
        &self.shared
    }

    pub(super) fn view(&self) -> View {
        self.view
    }

    /// Spawns a child with no name, no slot and no handle.
    #[track_caller]
    #[inline(always)]
    fn start<F>(&self, task: F, place_at: impl Fn(&mut Pieces, F) -> Placed<'a, M>) -> Spawned {
        let how = Admission { place: Location::caller(), reserved: false };
        let admitted = self.shared.admit(task, place_at, false, None, how);
        Spawned::new(admitted.map(|child| child.id))
    }

    /// Cancels the children and the body: each is polled once more, with the cancel visible, and
    /// dropped if it is not ready then. New children are refused. Returns `false` if the scope was
    /// cancelled before.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(by_caller(ReasonKind::Requested, Location::caller()))
    }

    /// Cancels the children and the body, for this reason. Same as [`cancel`](Scope::cancel)
    /// otherwise.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        self.shared.control.cancel(reason)
    }

    /// Drops the body and the children where they wait, at the scope's next poll: none is polled
    /// again. A task with a shield up, or with a nursery inside that is not home, is dropped when
    /// that is over. Returns `false` if the scope was aborted before.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    /// use std::time::Duration;
    ///
    /// let run = scope().grace(Duration::MAX).run(async |s: Scope<'_>| {
    ///     s.spawn(std::future::pending());
    ///     assert!(s.abort());
    ///     Ok(())
    /// });
    /// assert!(block_on(run).is_ok(), "the body has its value in the poll in which it aborts");
    /// # }
    /// ```
    #[track_caller]
    pub fn abort(&self) -> bool {
        self.shared.control.abort(by_caller(ReasonKind::Aborted, Location::caller()))
    }

    /// Refuses new children from now on; those that are there go on. Returns `false` if the scope was
    /// closed before.
    #[track_caller]
    pub fn close(&self) -> bool {
        self.shared.close(by_caller(ReasonKind::Closed, Location::caller()))
    }

    /// Returns `true` if new children are refused.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Returns `true` if the scope was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }

    /// Returns why the scope was cancelled, if it was.
    pub fn reason(&self) -> Option<Reason> {
        self.shared.control.reason().cloned()
    }

    /// Returns the number of children that have not ended.
    pub fn len(&self) -> usize {
        self.shared.control.members()
    }

    /// Returns `true` if every child has ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the scope's id, which the ids of its children have.
    pub fn id(&self) -> NurseryId {
        self.shared.control.id
    }

    /// Returns the scope's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.shared.control.name.as_deref()
    }
}

impl<'a, E: Send + Sync + 'static> Scope<'a, E, Sendable> {
    /// Spawns a child that may fail and gives no value. The scope reports its error.
    ///
    /// It is polled for the first time later, by the scope's future. If the scope takes no more
    /// children, the future is dropped unpolled, and the return value, which may be ignored, says
    /// why.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        match self.limiter() {
            None => self.start(Task::new(future), Placed::sendable),
            Some(_) => self.plain().spawn(future),
        }
    }

    /// Spawns a child that may fail, and gives the future back if it is refused.
    ///
    /// # Errors
    ///
    /// Returns the future in a [`Refused`] if the scope takes no more children.
    #[track_caller]
    pub fn try_spawn<F>(&self, future: F) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        self.plain().try_spawn(future)
    }

    /// Spawns a child that cannot fail and gives nothing. A panic of it is a failure still.
    #[track_caller]
    pub fn go<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'a,
    {
        match self.limiter() {
            None => self.start(Gone::new(future), Placed::sendable),
            Some(_) => self.plain().go(future),
        }
    }

    /// Spawns a child that gives a value: await the [`ScopeChild`] for it. The value may borrow, too.
    ///
    /// If the scope takes no more children, the future is dropped unpolled, and awaiting the handle
    /// gives the reason.
    #[track_caller]
    pub fn fork<T, F>(&self, future: F) -> ScopeChild<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'a,
        T: Send + 'a,
    {
        self.plain().fork(future)
    }
}

impl<'a, E: Send + Sync + 'static> Scope<'a, E, Local> {
    /// Spawns a child that may fail and gives no value; it need not be `Send`.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + 'a,
    {
        match self.limiter() {
            None => self.start(Task::new(future), Placed::local),
            Some(_) => self.plain().spawn(future),
        }
    }

    /// Spawns a child that may fail, and gives the future back if it is refused.
    ///
    /// # Errors
    ///
    /// Returns the future in a [`Refused`] if the scope takes no more children.
    #[track_caller]
    pub fn try_spawn<F>(&self, future: F) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + 'a,
    {
        self.plain().try_spawn(future)
    }

    /// Spawns a child that cannot fail and gives nothing; it need not be `Send`.
    #[track_caller]
    pub fn go<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = ()> + 'a,
    {
        match self.limiter() {
            None => self.start(Gone::new(future), Placed::local),
            Some(_) => self.plain().go(future),
        }
    }

    /// Spawns a child that gives a value; neither need be `Send`.
    #[track_caller]
    pub fn fork<T, F>(&self, future: F) -> ScopeChild<T, E>
    where
        F: Future<Output = Result<T, E>> + 'a,
        T: 'a,
    {
        self.plain().fork(future)
    }
}

impl<E, M: Mode> Clone for Scope<'_, E, M> {
    fn clone(&self) -> Self {
        Scope { shared: self.shared.clone(), view: self.view, error: PhantomData }
    }
}

impl<E, M: Mode> fmt::Debug for Scope<'_, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let control = &self.shared.control;
        f.debug_struct("Scope")
            .field("id", &control.id)
            .field("name", &control.name)
            .field("len", &control.members())
            .finish_non_exhaustive()
    }
}
