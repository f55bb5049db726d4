//! What a child of a thread scope is spawned with, besides its future.

use super::child::{Fills, Slot, ThreadChild};
use super::loan::Loans;
use crate::layers::nursery::Nursery;
use crate::layers::nursery::blocking::BlockingCx;
use crate::layers::nursery::child::Child;
use crate::layers::nursery::spawned::Spawned;
use crate::layers::nursery::task_builder::TaskBuilder;
use std::fmt;
use std::future::Future;

/// Spawns one child of a thread scope with a name, or into a place that was reserved for it.
///
/// It is a [`TaskBuilder`] for children that borrow; [`ThreadScope::task`](crate::ThreadScope::task)
/// and [`reserve`](crate::ThreadScope::reserve) make one.
///
/// # Examples
///
/// ```
/// use allhome::{ThreadScope, nursery};
///
/// let text = String::from("a b c");
/// let words = nursery().limit(2).thread_scope().run(async |s: ThreadScope<'_>| {
///     let count = s.reserve().await?.name("count").fork(async { Ok(text.split(' ').count()) });
///     Ok(count.await?)
/// })?;
/// assert_eq!(words, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it does nothing until a child is spawned with it; a place is given back when it is dropped"]
pub struct ThreadTask<'s, 'a, E> {
    task: TaskBuilder<'s, E>,
    loans: Loans<'a>,
}

impl<'s, 'a, E: Send + Sync + 'static> ThreadTask<'s, 'a, E> {
    pub(super) fn new(task: TaskBuilder<'s, E>, loans: Loans<'a>) -> ThreadTask<'s, 'a, E> {
        ThreadTask { task, loans }
    }

    /// Names the child, for errors and dumps.
    pub fn name(self, name: impl Into<String>) -> Self {
        ThreadTask { task: self.task.name(name), loans: self.loans }
    }

    /// Spawns a child that may fail: see [`Nursery::spawn`](crate::Nursery::spawn).
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        self.task.spawn(self.loans.lend(future))
    }

    /// Spawns a child that cannot fail: see [`Nursery::go`](crate::Nursery::go).
    #[track_caller]
    pub fn go<F>(self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'a,
    {
        self.task.go(self.loans.lend(future))
    }

    /// Spawns a child whose value can be awaited, and may borrow: see
    /// [`Nursery::fork`](crate::Nursery::fork).
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> ThreadChild<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'a,
        T: Send + 'a,
    {
        let slot = Slot::new();
        let lent = self.loans.lend(Fills::new(future, slot.clone()));
        ThreadChild::new(self.task.fork(lent), slot)
    }
}

impl<E: Send + Sync + 'static> ThreadTask<'_, '_, E> {
    /// Returns the nursery that the scope is.
    pub fn nursery(&self) -> &Nursery<E> {
        self.task.nursery()
    }

    /// Runs work that blocks its thread, on one that is for that, as a child: see
    /// [`Nursery::blocking`]. It does not borrow.
    #[track_caller]
    pub fn blocking<T, F>(self, work: F) -> Child<T, E>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.task.blocking(work)
    }
}

impl<E> fmt::Debug for ThreadTask<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadTask").field(&self.task).finish()
    }
}
