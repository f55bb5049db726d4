//! The verbs that spawn a child.

use super::Nursery;
use super::blocking::{BlockingCx, BoxedWork};
use super::cannot_fail::{BoxedUnit, CannotFail};
use super::child::Child;
use super::spawned::{Refused, Spawned};
use crate::layers::base::big::{BoxedFuture, is_big};
use crate::layers::base::id::TaskId;
use crate::layers::group::admit::Admission;
use std::future::Future;
use std::panic::Location;

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Spawns a child that may fail and gives no value. The nursery reports its error.
    ///
    /// The runtime polls the child for the first time, later. If the nursery takes no more
    /// children, the future is dropped unpolled, and the return value says why. It may be ignored,
    /// because a nursery that refuses children has its own way of reporting that to its owner.
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
        if const { is_big::<F>() } {
            let future: BoxedFuture<(), E> = Box::pin(future);
            return self.spawn_named(future, None, Location::caller());
        }
        self.spawn_named(future, None, Location::caller())
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
}
