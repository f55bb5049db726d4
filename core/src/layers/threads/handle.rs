//! The handle of a thread scope.

use super::child::{Fills, Slot, ThreadChild};
use super::loan::Loans;
use super::reserve::ThreadReserve;
use super::task_builder::ThreadTask;
use crate::layers::base::as_error::BoxError;
use crate::layers::nursery::Nursery;
use crate::layers::nursery::reserve_error::TryReserveError;
use crate::layers::nursery::spawned::Spawned;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::time::Duration;

/// Spawns children that borrow from the caller and run in parallel: what the body of a
/// [`thread_scope`](crate::thread_scope) gets.
///
/// It is a [`Nursery`] in all else (it dereferences to one): names, limits, cancel, the tree. The verbs of this
/// type are the nursery's, for what lives at least as long as `'a`. The handle can be cloned, and a
/// child may own one: children spawn children.
///
/// # What a child may borrow
///
/// What was there before [`run`](crate::threads::ThreadScopeBuilder::run) was called. Not the body's own
/// variables, which are gone before the children are:
///
/// ```compile_fail,E0597
/// use allhome::{ThreadScope, thread_scope};
///
/// thread_scope().run(async |s: ThreadScope<'_>| {
///     let number = 7;
///     s.go(async { println!("{}", &number) });
///     Ok(())
/// });
/// ```
///
/// And not what can be used by one thread at a time only, for the children run on several:
///
/// ```compile_fail,E0277
/// use allhome::{ThreadScope, thread_scope};
/// use std::cell::Cell;
///
/// let count = Cell::new(0);
/// thread_scope().run(async |s: ThreadScope<'_>| {
///     s.go(async { count.set(1) });
///     Ok(())
/// });
/// ```
///
/// # Examples
///
/// ```
/// use allhome::{ThreadScope, thread_scope};
///
/// let mut grid = [[1, 2, 3], [4, 5, 6]];
/// thread_scope().run(async |s: ThreadScope<'_>| {
///     for row in &mut grid {
///         s.go(async { row.iter_mut().for_each(|cell| *cell *= 10) });
///     }
///     Ok(())
/// })?;
/// assert_eq!(grid, [[10, 20, 30], [40, 50, 60]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ThreadScope<'a, E = BoxError> {
    nursery: Nursery<E>,
    loans: Loans<'a>,
}

impl<'a, E: Send + Sync + 'static> ThreadScope<'a, E> {
    pub(super) fn new(nursery: Nursery<E>, loans: Loans<'a>) -> ThreadScope<'a, E> {
        ThreadScope { nursery, loans }
    }

    /// Spawns a child that may fail and gives no value: see [`Nursery::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        self.nursery.spawn(self.loans.lend(future))
    }

    /// Spawns a child that cannot fail and gives nothing: see [`Nursery::go`].
    #[track_caller]
    pub fn go<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'a,
    {
        self.nursery.go(self.loans.lend(future))
    }

    /// Spawns a child that gives a value, which may borrow: see [`Nursery::fork`].
    #[track_caller]
    pub fn fork<T, F>(&self, future: F) -> ThreadChild<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'a,
        T: Send + 'a,
    {
        let slot = Slot::new();
        let lent = self.loans.lend(Fills::new(future, slot.clone()));
        ThreadChild::new(self.nursery.fork_named(lent, None, Location::caller()), slot)
    }

    /// Registers a finalizer: see [`Nursery::defer`].
    #[track_caller]
    pub fn defer<F>(&self, budget: Duration, future: F) -> bool
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        self.nursery.defer(budget, self.loans.lend(future))
    }

    /// Names the next child: see [`Nursery::task`].
    pub fn task(&self, name: impl Into<String>) -> ThreadTask<'_, 'a, E> {
        ThreadTask::new(self.nursery.task(name), self.loans.clone())
    }

    /// Reserves a place for one child: see [`Nursery::reserve`].
    ///
    /// # Errors
    ///
    /// Same as [`Nursery::reserve`].
    ///
    /// # Cancel safety
    ///
    /// Same as [`Nursery::reserve`]: nothing is lost but the place in the queue.
    #[track_caller]
    pub fn reserve(&self) -> ThreadReserve<'a, E> {
        ThreadReserve::new(self.nursery.reserve(), self.loans.clone())
    }

    /// Takes a slot if one is free: see [`Nursery::try_reserve`].
    ///
    /// # Errors
    ///
    /// Same as [`Nursery::try_reserve`].
    #[track_caller]
    pub fn try_reserve(&self) -> Result<ThreadTask<'static, 'a, E>, TryReserveError> {
        self.nursery.try_reserve().map(|task| ThreadTask::new(task, self.loans.clone()))
    }
}

impl<E> Deref for ThreadScope<'_, E> {
    type Target = Nursery<E>;

    fn deref(&self) -> &Nursery<E> {
        &self.nursery
    }
}

impl<E> Clone for ThreadScope<'_, E> {
    fn clone(&self) -> Self {
        ThreadScope { nursery: self.nursery.clone(), loans: self.loans.clone() }
    }
}

impl<E> fmt::Debug for ThreadScope<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadScope").field(&self.nursery).finish()
    }
}
