//! The handle of a nursery: what its body and its children spawn with.

pub(crate) mod blocking;
mod bounded;
pub(crate) mod builder;
pub(crate) mod child;
mod end;
pub(crate) mod error;
pub(crate) mod named;
mod reserve;
mod reserve_error;
pub(crate) mod run;
pub(crate) mod slot;
mod spawn;
pub(crate) mod tree;

use crate::layers::base::big::{BoxedFuture, is_big};
use crate::layers::base::counted::Strong;
use crate::layers::base::id::NurseryId;
use crate::layers::base::invariant::Invariant;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::unsupported::Unsupported;
use crate::layers::cancel::CancelToken;
use crate::layers::group::Group;
use crate::layers::group::finalizers::DeferError;
use crate::layers::group::registry::deferred::Deferred;
use allhome_rt::Runtime;
use blocking::{BlockingCx, BoxedWork};
use child::{Child, Spawned};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::{Duration, Instant};

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
    pub(crate) group: Strong<Group>,
    error: Invariant<E>,
}

impl<E: Send + Sync + 'static> Nursery<E> {
    pub(crate) fn new(group: Strong<Group>) -> Nursery<E> {
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
        &self.group.owned().inherited.runtime
    }

    /// Returns how many children are not home yet.
    pub fn len(&self) -> usize {
        self.group.locked(|registry| registry.count())
    }

    /// Tells whether every child is home.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how far the nursery is on its way out.
    pub fn level(&self) -> Level {
        self.group.risen()
    }

    /// Tells whether the nursery was cancelled or aborted. One atomic load.
    pub fn is_cancelled(&self) -> bool {
        self.level() >= Level::Cancelled
    }

    /// Returns why the nursery was cancelled.
    pub fn reason(&self) -> Option<Reason> {
        self.group.locked(|registry| self.group.risen_reason(registry))
    }

    /// Returns the nursery's token: it is cancelled with the nursery, and cancelling it cancels the
    /// nursery.
    ///
    /// It is made when it is asked for; a nursery that nobody asks costs none.
    pub fn token(&self) -> CancelToken {
        self.group.token()
    }

    /// Returns the deadline that holds for the nursery: its own, or an earlier one of what it is in.
    pub fn deadline(&self) -> Option<Instant> {
        self.group.deadline()
    }

    /// Moves the nursery's own deadline to another instant of the runtime's timer, earlier or later,
    /// or takes it away. Returns false, and changes nothing, if the nursery is cancelled or closed.
    ///
    /// # Errors
    ///
    /// The runtime has not got a timer.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let run = nursery_on::<Infallible>(ThreadPool::global()).run(async |n| {
    ///     let now = n.runtime().timer().unwrap().now();
    ///     assert_eq!(n.set_deadline(Some(now)), Ok(true));
    ///     std::future::pending::<Result<(), _>>().await
    /// });
    /// assert!(block_on(run).unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn set_deadline(&self, at: Option<Instant>) -> Result<bool, Unsupported> {
        self.group.move_deadline(at)
    }

    /// Registers a finalizer: an async cleanup that is run when the body and all children are gone,
    /// before [`run`](crate::Builder::run) is ready.
    ///
    /// Finalizers are run one after the other, the last first, on every way out: also when the
    /// nursery was cancelled or aborted, and also when its future was dropped, where the nursery
    /// that it was opened in waits for them. The cancel does not show in them. One that is not done
    /// within its `budget`, counted from its own start, is cut: it is polled once more with a cancel
    /// visible, and then dropped. What goes wrong in them, an error, a panic, a cut, is a
    /// [failure](crate::Failure) of the nursery, beside the others.
    ///
    /// A finalizer may register another. They have the runtime, the scoped values and the task
    /// context of the nursery. If the runtime is shut down first they are lost, and reported so.
    ///
    /// # Errors
    ///
    /// The runtime has not got a timer, and the budget is less than [`Duration::MAX`]; or the nursery
    /// has ended already. The future is dropped unpolled then.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    /// use std::sync::{Arc, Mutex};
    /// use std::time::Duration;
    ///
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let write = |line| {
    ///     let log = log.clone();
    ///     async move {
    ///         log.lock().unwrap().push(line);
    ///         Ok(())
    ///     }
    /// };
    /// let run = nursery_on::<Infallible>(ThreadPool::global()).run(async |n| {
    ///     n.defer(Duration::from_secs(5), write("database closed")).unwrap();
    ///     n.defer(Duration::from_secs(5), write("server stopped")).unwrap();
    ///     n.abort();
    ///     Ok(())
    /// });
    /// block_on(run).unwrap();
    /// assert_eq!(*log.lock().unwrap(), ["server stopped", "database closed"]);
    /// # }
    /// ```
    #[track_caller]
    pub fn defer<F>(&self, budget: Duration, future: F) -> Result<(), DeferError>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.group.defer(Deferred::new(Box::pin(future), budget, Location::caller()))
    }

    /// Spawns a child that nobody will join. Its error, if it has one, is the nursery's.
    ///
    /// The child is polled for the first time by the runtime, later. If the nursery takes no more
    /// children, the future is dropped unpolled, and the return value says why; it may be ignored,
    /// because a nursery that refuses has its own way of telling its owner.
    ///
    /// In a nursery with a [limit](crate::Builder::limit) the child waits for a slot first: nobody waits
    /// here, and nobody is refused for that. [`reserve`](Nursery::reserve) is for a caller that is to
    /// wait.
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
        if const { is_big::<F>() } {
            let future: BoxedFuture<(), E> = Box::pin(future);
            return self.spawn_named(future, None, Location::caller());
        }
        self.spawn_named(future, None, Location::caller())
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
        if const { is_big::<F>() } {
            let future: BoxedFuture<T, E> = Box::pin(future);
            return self.fork_named(future, None, Location::caller());
        }
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
        if const { is_big::<Fut>() } {
            let future: BoxedFuture<T, E> = Box::pin(f(self.clone()));
            return self.fork_named(future, None, Location::caller());
        }
        self.fork_named(f(self.clone()), None, Location::caller())
    }

    /// Runs work that blocks its thread, as a child: on the runtime's blocking pool.
    ///
    /// It is counted, listed and joined like any other child, and has the values and the context of
    /// one. Nobody can end it from outside: the nursery waits for it. A cancel is shown by
    /// [`BlockingCx::check`], which is to be asked now and then; if it has told of the cancel and the
    /// work then returns an error, the outcome is [`Cancelled`](crate::Outcome::Cancelled). Work that
    /// is cancelled before it begins is dropped.
    ///
    /// With a [limit](crate::Builder::blocking_limit) it waits for its turn, first come first served. The
    /// nursery's [`limit`](crate::Builder::limit) does not count it: [`Slot::blocking`](crate::Slot::blocking)
    /// is for work that is to be counted.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if the runtime has no blocking pool.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Reason, ThreadPool, block_on, nursery_on};
    ///
    /// let run = nursery_on::<Reason>(ThreadPool::global()).run(async |n| {
    ///     let sum = n.blocking(|cx| {
    ///         let mut sum = 0u64;
    ///         for number in 0..1_000 {
    ///             cx.check()?;
    ///             sum += number;
    ///         }
    ///         Ok(sum)
    ///     });
    ///     Ok(sum.unwrap().join().await.unwrap())
    /// });
    /// assert_eq!(block_on(run).unwrap(), 499_500);
    /// # }
    /// ```
    #[track_caller]
    pub fn blocking<T, F>(&self, work: F) -> Result<Child<T, E>, Unsupported>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        if const { is_big::<F>() } {
            let work: BoxedWork<T, E> = Box::new(work);
            return self.blocking_named(work, None, Location::caller());
        }
        self.blocking_named(work, None, Location::caller())
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
