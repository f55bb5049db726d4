//! The handle of a nursery, with which its body and its children spawn.
//!
//! The verbs stand here: the compiler names a method by its type's path if the `impl` is in the
//! type's module, and else by a private path; and users' futures break the bounds of the verbs.

pub(crate) mod blocking;
mod bounded;
pub(crate) mod builder;
pub(crate) mod cancel_on_drop;
mod cannot_fail;
pub(crate) mod child;
pub(crate) mod condition;
pub(crate) mod draining;
mod end;
pub(crate) mod error;
pub(crate) mod guard;
pub(crate) mod idle;
mod inside;
pub(crate) mod join;
pub(crate) mod join_all;
mod lacking;
pub(crate) mod local;
pub(crate) mod mode;
pub(crate) mod owner;
mod queries;
pub(crate) mod reserve;
pub(crate) mod reserve_error;
pub(crate) mod run;
pub(crate) mod settled;
mod setup;
mod spawn;
pub(crate) mod spawned;
pub(crate) mod task_builder;
pub(crate) mod task_handle;
pub(crate) mod tree;
pub(crate) mod value;

use crate::layers::base::as_error::BoxError;
use crate::layers::base::big::{BoxedFuture, is_big};
use crate::layers::base::counted::Strong;
use crate::layers::base::id::TaskId;
use crate::layers::base::invariant::Invariant;
use crate::layers::group::Group;
use crate::layers::group::admit::Admission;
use crate::layers::group::registry::finalizers::Deferred;
use blocking::{BlockingCx, BoxedWork};
use cannot_fail::{BoxedUnit, CannotFail};
use child::Child;
use spawned::{Refused, Spawned};
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
/// To cancel a child alone, use its [`Child`](crate::Child), or its [id](Nursery::cancel_task).
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

    /// Spawns a child that may fail and gives no value. The nursery reports its error.
    ///
    /// The runtime polls the child for the first time, later. If the nursery takes no more
    /// children, the future is dropped unpolled, and the return value says why. It may be ignored.
    ///
    /// In a nursery with a [limit](crate::Builder::limit) the child waits for a slot first. The
    /// caller does not wait, and no child is refused because no slot is free. To make the caller
    /// wait, use [`reserve`](Nursery::reserve). The other verbs are in the [table](Nursery#which-verb).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// block_on(nursery().run(async |n: Nursery<std::io::Error>| {
    ///     assert!(n.spawn(async { Ok(()) }).is_admitted());
    ///     n.close();
    ///     let late = n.spawn(async { unreachable!("never polled") });
    ///     assert!(late.refused().is_some());
    ///     Ok(())
    /// }))?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.spawn_at(future, Location::caller())
    }

    /// Spawns a child, as [`spawn`](Nursery::spawn) does, and gives the future back if it is refused.
    ///
    /// For a future that holds what must not be lost without a word, such as a socket that was
    /// accepted. The look whether the nursery takes children and the admission are one step: the
    /// child is admitted, or the future comes back.
    ///
    /// # Errors
    ///
    /// Returns the future, unpolled, and the reason in a [`Refused`] if the nursery takes no more
    /// children.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     n.close();
    ///     let answer = String::from("503");
    ///     let refused = n.try_spawn(async move { Ok(drop(answer)) });
    ///     Ok(refused.err().map(|refused| refused.into_future()).is_some())
    /// });
    /// assert!(block_on(run)?);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn try_spawn<F>(&self, future: F) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        if const { is_big::<F>() } {
            return self.try_spawn_boxed(Box::new(future), None, Location::caller());
        }
        self.try_spawn_named(future, None, Location::caller())
    }

    /// Spawns a child that cannot fail and gives nothing: a loop, a watcher, a log.
    ///
    /// Everything else is as for [`spawn`](Nursery::spawn). To cancel it alone, [`fork`](Nursery::fork)
    /// it, and end its future with `Ok(())`. A panic of the child is a failure, as
    /// that of every child. An endless loop fits, too. A function that returns `!` is called in a
    /// block: `n.go(async { serve().await })`.
    ///
    /// The name is that of `WaitGroup.Go` of Go 1.25, which takes a function without a result, and
    /// whose group waits for it; so does this one. (A `go` statement has no owner. Here there is
    /// none without.)
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery, yield_now};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     n.go(async {
    ///         loop {
    ///             yield_now().await;
    ///         }
    ///     });
    ///     n.cancel();
    ///     Ok(7)
    /// });
    /// assert_eq!(block_on(run)?, 7);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn go<F>(&self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if const { is_big::<F>() } {
            let future: BoxedUnit = Box::pin(future);
            return self.spawn_named(CannotFail::new(future), None, Location::caller());
        }
        self.spawn_named(CannotFail::new(future), None, Location::caller())
    }

    /// Spawns a child that gives a value: await the [`Child`] for it.
    ///
    /// If the nursery takes no more children, the future is dropped unpolled, and awaiting the
    /// handle gives the reason. To spawn a child without a value, use [`spawn`](Nursery::spawn) or
    /// [`go`](Nursery::go), or, if it must be [cancelled](crate::Child::cancel) alone, a future that
    /// ends with `Ok(())`. One that never ends does not say what it gives: `n.fork::<(), _>(..)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     let (six, seven) = (n.fork(async { Ok(6) }), n.fork(async { Ok("7".parse::<u8>()?) }));
    ///     Ok(six.await? * seven.await?)
    /// });
    /// assert_eq!(block_on(run)?, 42);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Runs work that blocks its thread, as a child: on the runtime's blocking pool.
    ///
    /// The work is counted, listed and awaited like any other child, and has the values and the
    /// context of one. It cannot be ended from outside: the nursery waits for it. Call
    /// [`BlockingCx::check`] regularly. If `check` reported a cancel and the work then returns an
    /// error, the outcome is [`Cancelled`](crate::task::Outcome::Cancelled). Work that is cancelled
    /// before it begins is dropped.
    ///
    /// With a [blocking limit](crate::Builder::blocking_limit) the work waits for its turn, first
    /// come first served. The nursery's [`limit`](crate::Builder::limit) does not count it;
    /// work with a reserved place is counted: `n.reserve().await?.blocking(..)`.
    ///
    /// Where its value is of no use, drop the handle: `drop(n.blocking(..))`. The nursery waits for
    /// the work in any case, and reports its failure.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     let sum = n.blocking(|cx| {
    ///         let mut sum = 0u64;
    ///         for number in 0..1_000 {
    ///             cx.check()?;
    ///             sum += number;
    ///         }
    ///         Ok(sum)
    ///     });
    ///     Ok(sum.await?)
    /// });
    /// assert_eq!(block_on(run)?, 499_500);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn blocking<T, F>(&self, work: F) -> Child<T, E>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        if const { is_big::<F>() } {
            let work: BoxedWork<T, E> = Box::new(work);
            return self.admit_blocking(
                work,
                |work| work,
                (None, Location::caller()),
                Admission::Plain,
            );
        }
        self.admit_blocking(work, |work| work, (None, Location::caller()), Admission::Plain)
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
