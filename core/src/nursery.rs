//! The handle of a nursery: what its body and its children spawn with.

use crate::child::{Child, Spawned};
use crate::group::Group;
use crate::id::NurseryId;
use crate::reason::{Level, Reason, ReasonKind};
use crate::record::Fresh;
use crate::sync::Arc;
use crate::time::Unsupported;
use crate::tree::Tree;
use allhome_rt::Runtime;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A nursery's handle: spawns children, cancels them, shows them.
///
/// The body of [`Builder::run`](crate::Builder::run) gets one by value; clones may go wherever
/// children are to be spawned from. A handle owns nothing: it neither keeps the nursery open nor
/// its children alive, and dropping it does nothing.
///
/// # Compared with
///
/// - tokio's `JoinSet`: children may fail as a group, cannot outlive it, and hold no result that
///   nobody asked for.
/// - tokio-util's `TaskTracker`: the same list of children, but owned: dropping the nursery's
///   future ends them.
/// - Go's `errgroup`, Trio's nursery: this is the latter.
/// - `join!`: use that for a fixed handful of futures that need not run in parallel.
pub struct Nursery<E> {
    group: Arc<Group>,
    error: PhantomData<fn(E)>,
}

impl<E: Send + Sync + 'static> Nursery<E> {
    pub(crate) fn new(group: Arc<Group>) -> Nursery<E> {
        Nursery { group, error: PhantomData }
    }

    /// Returns the nursery's id.
    pub fn id(&self) -> NurseryId {
        self.group.id
    }

    /// Returns the nursery's name.
    pub fn name(&self) -> Option<&str> {
        self.group.config.name.as_deref()
    }

    /// Returns the runtime that the children run on.
    pub fn runtime(&self) -> &Runtime {
        &self.group.runtime
    }

    /// Returns how many children are not home yet.
    pub fn len(&self) -> usize {
        self.group.lock().count()
    }

    /// Tells whether every child is home.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how far the nursery is on its way out.
    pub fn level(&self) -> Level {
        self.group.level()
    }

    /// Tells whether the nursery was cancelled or aborted. One atomic load.
    pub fn is_cancelled(&self) -> bool {
        self.group.is_cancelled()
    }

    /// Returns why the nursery was cancelled.
    pub fn reason(&self) -> Option<Reason> {
        self.group.lock().reason.clone()
    }

    /// Returns a snapshot of the nursery's tasks and of the nurseries inside it.
    pub fn tree(&self) -> Tree {
        Tree::of(&self.group)
    }

    /// Spawns a child that nobody will join. Its error, if it has one, is the nursery's.
    ///
    /// The child is polled for the first time by the runtime, later. If the nursery takes no more
    /// children, the future is dropped unpolled, and the return value says why; it may be ignored,
    /// because a nursery that refuses has its own way of telling its owner.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    ///
    /// block_on(nursery_on::<std::io::Error>(ThreadPool::global()).run(async |n| {
    ///     assert!(n.spawn(async { Ok(()) }).is_admitted());
    ///     n.close();
    ///     let late = n.spawn(async { unreachable!("never polled") });
    ///     assert!(late.refused().is_some());
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        Spawned::new(self.group.admit(Fresh::new(future, None, Location::caller())))
    }

    /// Spawns a child whose value can be joined.
    ///
    /// A refused child's handle gives the reason when it is joined.
    #[track_caller]
    pub fn fork<T, F>(&self, future: F) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.fork_named(future, None, Location::caller())
    }

    /// Spawns a child that gets a handle of its own, to spawn siblings with.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    ///
    /// let three = block_on(nursery_on::<std::io::Error>(ThreadPool::global()).run(async |n| {
    ///     let child = n.fork_with(async |n| {
    ///         n.spawn(async { Ok(()) });
    ///         Ok(3)
    ///     });
    ///     Ok(child.join().await.unwrap())
    /// }));
    /// assert_eq!(three.unwrap(), 3);
    /// # }
    /// ```
    #[track_caller]
    pub fn fork_with<T, F, Fut>(&self, f: F) -> Child<T, E>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.fork(f(self.clone()))
    }

    /// Runs blocking work as a child, on the runtime's blocking pool.
    ///
    /// The nursery waits for it like for any child. A thread cannot be interrupted: a cancel
    /// before the work has begun drops it uncalled, later ones only show in
    /// [`is_cancelled`](crate::is_cancelled), which long work should ask now and then.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if the runtime has no blocking pool; the work is dropped uncalled.
    #[track_caller]
    pub fn blocking<T, F>(&self, work: F) -> Result<Child<T, E>, Unsupported>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.blocking_named(work, None, Location::caller())
    }

    /// Names the next child, for errors and dumps: `n.named("reader").spawn(..)`.
    pub fn named(&self, name: impl Into<String>) -> Named<'_, E> {
        Named { nursery: self, name: name.into().into_boxed_str() }
    }

    fn fork_named<T, F>(
        &self,
        future: F,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let (fresh, handle) = Fresh::with_handle(future, name, place);
        Child::new(&self.group, self.group.admit(fresh), handle)
    }

    fn blocking_named<T, F>(
        &self,
        work: F,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> Result<Child<T, E>, Unsupported>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        if self.group.runtime.blocking().is_none() {
            return Err(Unsupported::new("a blocking pool", self.group.runtime.name()));
        }
        let (fresh, handle) = Fresh::with_handle(Blocking(Some(work)), name, place);
        Ok(Child::new(&self.group, self.group.admit_blocking(fresh), handle))
    }

    /// Takes no more children; those that are there go on. Returns false if that was so already.
    pub fn close(&self) -> bool {
        self.group.close()
    }

    /// Cancels all children and the body: each is polled once more with the cancel visible, and
    /// dropped where it waits if it has not come to its end then.
    ///
    /// Returns false if the nursery had been cancelled before: the first reason stays.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(Reason::new(String::new()))
    }

    /// As [`cancel`](Nursery::cancel), with a reason.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        let fresh = !self.is_cancelled();
        self.group.raise_tree(Level::Cancelled, &reason);
        fresh
    }

    /// Destroys all children where they wait, unpolled; those that are being polled, as soon as
    /// that poll is over. On return all that were waiting are gone.
    ///
    /// Returns false if the nursery had been aborted before.
    #[track_caller]
    pub fn abort(&self) -> bool {
        let reason =
            Reason::of(ReasonKind::Aborted, String::new(), None, std::panic::Location::caller());
        let fresh = self.level() < Level::Aborted;
        self.group.raise_tree(Level::Aborted, &reason);
        fresh
    }
}

impl<E> Clone for Nursery<E> {
    fn clone(&self) -> Nursery<E> {
        Nursery { group: self.group.clone(), error: PhantomData }
    }
}

impl<E> fmt::Debug for Nursery<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nursery")
            .field("id", &self.group.id)
            .field("name", &self.group.config.name)
            .field("level", &self.group.level())
            .finish_non_exhaustive()
    }
}

/// A nursery's handle with a name for the next child; made by [`Nursery::named`].
#[must_use = "a name does nothing until a child is spawned with it"]
pub struct Named<'a, E> {
    nursery: &'a Nursery<E>,
    name: Box<str>,
}

impl<E: Send + Sync + 'static> Named<'_, E> {
    /// As [`Nursery::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let fresh = Fresh::new(future, Some(self.name), Location::caller());
        Spawned::new(self.nursery.group.admit(fresh))
    }

    /// As [`Nursery::fork`].
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.nursery.fork_named(future, Some(self.name), Location::caller())
    }

    /// As [`Nursery::fork_with`].
    #[track_caller]
    pub fn fork_with<T, F, Fut>(self, f: F) -> Child<T, E>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let future = f(self.nursery.clone());
        self.fork(future)
    }

    /// As [`Nursery::blocking`].
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if the runtime has no blocking pool.
    #[track_caller]
    pub fn blocking<T, F>(self, work: F) -> Result<Child<T, E>, Unsupported>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.nursery.blocking_named(work, Some(self.name), Location::caller())
    }
}

impl<E> fmt::Debug for Named<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Blocking work as a future: its first poll does it all.
struct Blocking<F>(Option<F>);

impl<F> Unpin for Blocking<F> {}

impl<T, E, F: FnOnce() -> Result<T, E>> Future for Blocking<F> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<T, E>> {
        let work = self.0.take().expect("a child is not polled after it was ready");
        Poll::Ready(work())
    }
}
