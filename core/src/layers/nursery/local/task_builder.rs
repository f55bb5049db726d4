//! What a child of a local nursery is spawned with, besides its future.

use super::{given_back, stays, tidy};
use crate::layers::base::id::TaskId;
use crate::layers::nursery::blocking::BlockingCx;
use crate::layers::nursery::child::Child;
use crate::layers::nursery::spawned::{Refused, Spawned};
use crate::layers::nursery::task_builder::TaskBuilder;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;

/// Spawns one child of a local nursery with a name, or into a place that was reserved for it.
///
/// It is a [`TaskBuilder`] for children that are not `Send`;
/// [`LocalNursery::task`](crate::local::LocalNursery::task) and
/// [`reserve`](crate::local::LocalNursery::reserve) make one.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::local::LocalNursery;
/// use allhome::nursery;
/// use allhome::runtime::LocalExecutor;
/// use std::rc::Rc;
///
/// let executor = LocalExecutor::new();
/// let run = nursery().local(&executor).limit(1).run(async |n: LocalNursery| {
///     let one = n.reserve().await?.name("one").fork(async { Ok(Rc::new(1)) });
///     Ok(*one.await?)
/// });
/// assert_eq!(executor.run(run)?, 1);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it does nothing until a child is spawned with it; a place is given back when it is dropped"]
pub struct LocalTaskBuilder<'a, E> {
    task: TaskBuilder<'a, E>,
    stays: PhantomData<Rc<()>>,
}

impl<'a, E: Send + Sync + 'static> LocalTaskBuilder<'a, E> {
    pub(super) fn new(task: TaskBuilder<'a, E>) -> LocalTaskBuilder<'a, E> {
        LocalTaskBuilder { task, stays: PhantomData }
    }

    /// Names the child, for errors and dumps.
    pub fn name(self, name: impl Into<String>) -> Self {
        LocalTaskBuilder::new(self.task.name(name))
    }

    /// Spawns a child that may fail: see [`Nursery::spawn`](crate::Nursery::spawn).
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        let group = self.task.nursery().group.clone();
        let spawned = self.task.spawn(stays(&group, future));
        tidy(&group);
        spawned
    }

    /// Spawns a child that may fail, and gives the future back if it is refused: see
    /// [`Nursery::try_spawn`](crate::Nursery::try_spawn).
    ///
    /// # Errors
    ///
    /// Returns the future in a [`Refused`] if the nursery takes no more children. The place, if
    /// there is one, is given back.
    #[track_caller]
    pub fn try_spawn<F>(self, future: F) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        let group = self.task.nursery().group.clone();
        let spawned = self.task.try_spawn(stays(&group, future));
        tidy(&group);
        spawned.map_err(given_back)
    }

    /// Spawns a child that cannot fail: see [`Nursery::go`](crate::Nursery::go).
    #[track_caller]
    pub fn go<F>(self, future: F) -> Spawned
    where
        F: Future<Output = ()> + 'static,
    {
        let group = self.task.nursery().group.clone();
        let spawned = self.task.go(stays(&group, future));
        tidy(&group);
        spawned
    }

    /// Spawns a child whose value can be awaited, and need not be `Send`: see
    /// [`Nursery::fork`](crate::Nursery::fork).
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        let group = self.task.nursery().group.clone();
        let child = self.task.fork_local(future, Location::caller());
        tidy(&group);
        child
    }

    /// Runs work that blocks its thread, as a child: see
    /// [`Nursery::blocking`](crate::Nursery::blocking). It leaves the thread, so it is `Send`.
    #[track_caller]
    pub fn blocking<T, F>(self, work: F) -> Child<T, E>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.task.blocking(work)
    }
}

impl<E: Send + Sync + 'static> fmt::Debug for LocalTaskBuilder<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalTaskBuilder").field(&self.task).finish()
    }
}
