//! The handle of a local nursery.

pub(crate) mod reserve;
pub(crate) mod task_builder;

use super::Nursery;
use super::child::Child;
use super::reserve_error::TryReserveError;
use super::spawned::{Refused, Spawned};
use crate::layers::base::as_error::BoxError;
use crate::layers::base::id::TaskId;
use crate::layers::base::stays::LocalFuture;
use crate::layers::group::Group;
use crate::layers::group::own_thread::Post;
use reserve::LocalReserve;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;
use task_builder::LocalTaskBuilder;

/// Spawns children that are not `Send`, on its thread: the handle of a nursery that was opened with
/// [`local`](crate::Builder::local).
///
/// When `run` returns, every child has been dropped, on its own thread, and its destructors have
/// finished. Whatever ends a child is carried out there: a cancel or abort from another thread, of
/// the nursery, of what it is in or by a token, destroys a child as soon as its thread comes to it.
///
/// It is a [`Nursery`] in all else (it dereferences to one): names, limits, deadlines, policies, the
/// errors, the tree, [`blocking`](Nursery::blocking). The verbs of this type are the nursery's,
/// without `Send`.
///
/// # What may leave the thread
///
/// This handle may not:
///
/// ```compile_fail,E0277
/// # fn send(n: allhome::local::LocalNursery) {
/// std::thread::spawn(move || n.cancel());
/// # }
/// ```
///
/// The nursery's other handle may, `Nursery::clone(&n)`: it cancels from anywhere, and spawns from
/// anywhere what is `Send`; those children run on the nursery's thread, too. The [`Child`] of a value
/// that is `Send` may, as that of any nursery. The `Child` of a value that is not, may not:
///
/// ```compile_fail,E0277
/// # fn send(child: allhome::Child<std::rc::Rc<str>, String>) {
/// std::thread::spawn(move || drop(child));
/// # }
/// ```
///
/// # The end of the thread's runtime
///
/// A runtime that is dropped before the nursery has ended drops the children, on their thread, and
/// they are [lost](crate::task::Outcome::Lost). A local runtime that is leaked, with
/// `mem::forget`, leaks them.
///
/// # Compared with
///
/// - [`Nursery`]: children run in parallel and are `Send`.
/// - tokio's `LocalSet`: runs the tasks, and does not wait for them. A local nursery is opened on one.
///
/// # Examples
///
/// A child that waits on another thread's answer, and keeps what is not `Send` meanwhile:
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::local::LocalNursery;
/// use allhome::runtime::LocalExecutor;
/// use allhome::nursery;
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// let (executor, log) = (LocalExecutor::new(), Rc::new(RefCell::new(Vec::new())));
/// executor.run(nursery().local(&executor).run(async |n: LocalNursery| {
///     let (answer, log) = (n.blocking(|_| Ok(6 * 7)), log.clone());
///     n.task("writer").spawn(async move { Ok(log.borrow_mut().push(answer.await?)) });
///     Ok(())
/// }))?;
/// assert_eq!(*log.borrow(), [42]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LocalNursery<E = BoxError> {
    nursery: Nursery<E>,
    stays: PhantomData<Rc<()>>,
}

impl<E: Send + Sync + 'static> LocalNursery<E> {
    /// The nursery is local, and this its thread.
    pub(super) fn new(nursery: Nursery<E>) -> LocalNursery<E> {
        LocalNursery { nursery, stays: PhantomData }
    }

    /// Spawns a child that may fail and gives no value: see [`Nursery::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        let spawned = self.nursery.spawn(stays(&self.nursery.group, future));
        tidy(&self.nursery.group);
        spawned
    }

    /// Spawns a child, and gives the future back if it is refused: see [`Nursery::try_spawn`].
    ///
    /// # Errors
    ///
    /// Returns the future, unpolled, in a [`Refused`] if the nursery takes no more children.
    #[track_caller]
    pub fn try_spawn<F>(&self, future: F) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        let spawned = self.nursery.try_spawn(stays(&self.nursery.group, future));
        tidy(&self.nursery.group);
        spawned.map_err(given_back)
    }

    /// Spawns a child that cannot fail and gives nothing: see [`Nursery::go`].
    #[track_caller]
    pub fn go<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = ()> + 'static,
    {
        let spawned = self.nursery.go(stays(&self.nursery.group, future));
        tidy(&self.nursery.group);
        spawned
    }

    /// Spawns a child that gives a value, which need not be `Send`: see [`Nursery::fork`].
    #[track_caller]
    pub fn fork<T, F>(&self, future: F) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        let child = self.nursery.fork_local(future, None, Location::caller());
        tidy(&self.nursery.group);
        child
    }

    /// Registers a finalizer, which is run on the nursery's thread: see [`Nursery::defer`].
    #[track_caller]
    pub fn defer<F>(&self, budget: Duration, future: F) -> bool
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        self.nursery.defer(budget, stays(&self.nursery.group, future))
    }

    /// Names the next child: see [`Nursery::task`].
    pub fn task(&self, name: impl Into<String>) -> LocalTaskBuilder<'_, E> {
        LocalTaskBuilder::new(self.nursery.task(name))
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
    pub fn reserve(&self) -> LocalReserve<E> {
        LocalReserve::new(self.nursery.reserve())
    }

    /// Takes a slot if one is free: see [`Nursery::try_reserve`].
    ///
    /// # Errors
    ///
    /// Same as [`Nursery::try_reserve`].
    #[track_caller]
    pub fn try_reserve(&self) -> Result<LocalTaskBuilder<'static, E>, TryReserveError> {
        self.nursery.try_reserve().map(LocalTaskBuilder::new)
    }
}

fn post(group: &Group) -> &Post {
    group.post().expect("a local nursery has a thread")
}

/// Puts a future on the shelf of its thread, which is that of the nursery.
fn stays<F: Future + 'static>(group: &Group, future: F) -> LocalFuture<F> {
    LocalFuture::new(future, post(group).mark())
}

/// A child was spawned: if the thread's runtime has ended, so has the child.
fn tidy(group: &Group) {
    post(group).tidy();
}

fn given_back<F: Future + 'static>(refused: Refused<LocalFuture<F>>) -> Refused<F> {
    refused.map(|future| future.into_unpolled().expect("it was made here, and refused"))
}

impl<E> Deref for LocalNursery<E> {
    type Target = Nursery<E>;

    fn deref(&self) -> &Nursery<E> {
        &self.nursery
    }
}

impl<E> Clone for LocalNursery<E> {
    fn clone(&self) -> LocalNursery<E> {
        LocalNursery { nursery: self.nursery.clone(), stays: PhantomData }
    }
}

impl<E> fmt::Debug for LocalNursery<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalNursery").field(&self.nursery).finish()
    }
}
