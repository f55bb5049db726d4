//! The handle of a nursery, with which its body and its children spawn.

pub(crate) mod blocking;
mod bounded;
pub(crate) mod builder;
mod cannot_fail;
pub(crate) mod child;
pub(crate) mod condition;
pub(crate) mod draining;
mod end;
pub(crate) mod error;
pub(crate) mod idle;
mod inside;
pub(crate) mod join_all;
mod lacking;
pub(crate) mod owner;
pub(crate) mod reserve;
pub(crate) mod reserve_error;
pub(crate) mod run;
pub(crate) mod settled;
mod setup;
mod spawn;
pub(crate) mod spawned;
pub(crate) mod task_builder;
pub(crate) mod tree;
pub(crate) mod value;
mod verbs;

use crate::layers::base::as_error::BoxError;
use crate::layers::base::counted::Strong;
use crate::layers::base::id::NurseryId;
use crate::layers::base::invariant::Invariant;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::cancel::CancelToken;
use crate::layers::group::Group;
use crate::layers::group::registry::finalizers::Deferred;
use allhome_rt::Instant;
use allhome_rt::Runtime;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

/// Spawns children, and cancels and shows them: the handle of a nursery.
///
/// The body of [`Builder::run`](crate::Builder::run) gets one by value; clones may go to every
/// place that spawns children. A handle owns nothing: it neither keeps the nursery open nor its
/// children alive, and dropping it does nothing.
///
/// When `run` returns, every child has ended, its future has been dropped, and its destructors have
/// finished; children that block their thread can be [given up](crate::Builder::stuck_after). A
/// child that fails cancels its siblings, unless the nursery has another [policy](crate::Policy).
///
/// # Which verb
///
/// | verb | the child gives | it returns | for |
/// |---|---|---|---|
/// | [`spawn`](Nursery::spawn) | `Result<(), E>` | [`Spawned`](crate::task::Spawned), which may be ignored | a child that may fail |
/// | [`try_spawn`](Nursery::try_spawn) | `Result<(), E>` | its id, or [`Refused`](crate::task::Refused), which has the future | a child that must not be lost without a word |
/// | [`go`](Nursery::go) | `()` | [`Spawned`](crate::task::Spawned) | a child that cannot fail |
/// | [`fork`](Nursery::fork) | `Result<T, E>` | [`Child<T, E>`](crate::Child), a future | a child that gives a value |
/// | [`blocking`](Nursery::blocking) | `Result<T, E>` | [`Child<T, E>`](crate::Child) | work that blocks its thread |
///
/// A [`Child`](crate::Child) can be cancelled alone. A child without one ends by itself or with the
/// nursery, so fork what must be stopped alone.
///
/// To name the child, begin with [`task`](Nursery::task): `n.task("reader").spawn(..)`. To wait for
/// a place in a nursery with a [limit](crate::Builder::limit), begin with
/// [`reserve`](Nursery::reserve): `n.reserve().await?.spawn(..)`. Both give a
/// [`TaskBuilder`](crate::task::TaskBuilder), which has the same verbs. To let a child spawn siblings, give
/// it a clone of the handle.
///
/// # Compared with
///
/// - tokio's `JoinSet`: children cannot outlive the nursery, fail as a group, and leave no result
///   behind that is never asked for.
/// - tokio-util's `TaskTracker`: the same list of children, but owned: dropping the nursery's
///   future ends them.
/// - Go's `errgroup`, Trio's nursery: this is Trio's.
/// - `join!`: use it for a fixed handful of futures that need not run in parallel.
///
/// # Examples
///
/// Workers that share a total. When `run` has returned, all of them have ended:
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use std::convert::Infallible;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let total = Arc::new(AtomicUsize::new(0));
/// let run = nursery().run(async |n: Nursery<Infallible>| {
///     for page in ["one", "three", "seven"] {
///         let total = total.clone();
///         n.spawn(async move {
///             total.fetch_add(page.len(), Ordering::Relaxed);
///             Ok(())
///         });
///     }
///     Ok(())
/// });
/// block_on(run)?;
/// assert_eq!(total.load(Ordering::Relaxed), 13);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Nursery<E = BoxError> {
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

    /// Returns the nursery's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.group.config.name.as_deref()
    }

    /// Returns the runtime that the children run on.
    pub fn runtime(&self) -> &Runtime {
        &self.group.owned().inherited.runtime
    }

    /// Returns how many children have not ended yet.
    pub fn len(&self) -> usize {
        self.group.locked(|registry| registry.members.count())
    }

    /// Returns `true` if every child has ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the nursery's level: how far it is on its way to its end.
    pub fn level(&self) -> Level {
        self.group.requested_level()
    }

    /// Returns `true` if the nursery was cancelled or aborted. One atomic load.
    pub fn is_cancelled(&self) -> bool {
        self.level() >= Level::Cancelled
    }

    /// Returns why the nursery was cancelled, if it was.
    pub fn reason(&self) -> Option<Reason> {
        self.group.locked(|registry| registry.cancel.requested_reason())
    }

    /// Returns the nursery's token. The token is cancelled with the nursery, and cancelling the
    /// token cancels the nursery.
    ///
    /// The token is created by the first call; a nursery without one pays nothing for it.
    pub fn token(&self) -> CancelToken {
        self.group.token()
    }

    /// Returns the deadline that holds for the nursery: its own, or an earlier one around it.
    pub fn deadline(&self) -> Option<Instant> {
        self.group.deadline()
    }

    /// Moves the nursery's own deadline to another instant of the runtime's timer, earlier or
    /// later, or removes it.
    ///
    /// Returns `false`, and changes nothing, if the nursery is cancelled or closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    /// use allhome::time::now;
    /// use std::convert::Infallible;
    ///
    /// let run = nursery().run(async |n: Nursery<Infallible>| {
    ///     assert!(n.set_deadline(Some(now())));
    ///     std::future::pending::<Result<(), _>>().await
    /// });
    /// assert!(block_on(run).unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn set_deadline(&self, at: Option<Instant>) -> bool {
        self.group.move_deadline(at)
    }

    /// Registers a finalizer: an async cleanup that runs when the body and all children are gone,
    /// before [`run`](crate::Builder::run) is ready.
    ///
    /// Finalizers run one after the other, the last registered first, on every way out. They also
    /// run when the nursery was cancelled or aborted, and when its future was dropped; in that case
    /// the nursery around waits for them. The cancel does not show in them. A finalizer that is not
    /// done within its `budget`, counted from its own start, is cut: it is polled once more with a
    /// cancel visible, and then dropped. An error, a panic or a cut in a finalizer is a
    /// [failure](crate::error::Failure) of the nursery, beside the others.
    ///
    /// A finalizer may register another. Finalizers have the runtime, the scoped values and the
    /// task context of the nursery. If the runtime is shut down first, they are lost, and reported
    /// as lost.
    ///
    /// Returns `false` if the nursery has ended already; the future is dropped unpolled then.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
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
    /// let run = nursery().run(async |n: Nursery| {
    ///     n.defer(Duration::from_secs(5), write("database closed"));
    ///     n.defer(Duration::from_secs(5), write("server stopped"));
    ///     n.abort();
    ///     Ok(())
    /// });
    /// block_on(run)?;
    /// assert_eq!(*log.lock().unwrap(), ["server stopped", "database closed"]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn defer<F>(&self, budget: Duration, future: F) -> bool
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.group.defer(Deferred::new(Box::pin(future), budget, Location::caller()))
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
