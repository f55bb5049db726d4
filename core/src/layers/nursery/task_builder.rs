//! What a child is spawned with, besides its future: a name, and a place that was reserved.
//!
//! The places of a bounded nursery are reserved by the spawner, held by the child until it is home,
//! and lent while the child waits for others that need one. The limiter is a
//! [`Semaphore`](crate::Semaphore); a place is one of its permits. docs/LIMITS.md says what was
//! decided, and why.

use super::Nursery;
use super::blocking::{BlockingCx, BoxedWork};
use super::cannot_fail::{BoxedUnit, CannotFail};
use super::child::Child;
use super::reserve::place_wait::Place;
use super::spawned::{Refused, Spawned};
use crate::layers::base::big::{BoxedFuture, is_big};
use crate::layers::base::id::TaskId;
use crate::layers::group::admit::Admission;
use crate::layers::lending::bounded::Bounded;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;

const RESERVED: Admission = Admission::Reserved;

/// Spawns one child with a name, or into a place that was reserved for it.
///
/// [`Nursery::task`] makes one with a name. [`Nursery::reserve`] and
/// [`try_reserve`](Nursery::try_reserve) make one with a place in the nursery; give it a name with
/// [`name`](TaskBuilder::name). The verbs are those of the [nursery](Nursery#which-verb).
///
/// # Places
///
/// A child that is spawned into a place has it until it is home: its future dropped, in whichever
/// way it ended. A place that is not used is given back as soon as the builder is dropped. The
/// builder of a reserved place borrows nothing: it may be moved to another task or thread, and may
/// outlive its nursery. A nursery that drains admits the child of a place that was reserved before.
/// One that is cancelled, or has ended, refuses it, and the place is given back.
///
/// Other tasks wait for a place that is kept: spawn with it soon after it was reserved.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
///
/// let run = nursery().limit(1).run(async |n: Nursery| {
///     let place = n.try_reserve()?;
///     assert!(n.try_reserve().is_err(), "there is but one");
///     drop(place);
///     let two = n.reserve().await?.name("two").fork(async { Ok(2) });
///     let three = n.task("three").fork(async { Ok(3) });
///     Ok((two.await?, three.await?))
/// });
/// assert_eq!(block_on(run)?, (2, 3));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it does nothing until a child is spawned with it; a place is given back when it is dropped"]
pub struct TaskBuilder<'a, E> {
    // Before the nursery: a place is given back first.
    place: Option<Place>,
    name: Option<Box<str>>,
    nursery: Whose<'a, E>,
}

/// A nursery's handle, borrowed or not.
enum Whose<'a, E> {
    Lent(&'a Nursery<E>),
    Own(Nursery<E>),
}

impl<E> Deref for Whose<'_, E> {
    type Target = Nursery<E>;

    fn deref(&self) -> &Nursery<E> {
        match self {
            Whose::Lent(nursery) => nursery,
            Whose::Own(nursery) => nursery,
        }
    }
}

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Names the next child, for errors and dumps: `n.task("reader").spawn(..)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery<String>| {
    ///     n.task("reader").spawn(async { Err("no such file".to_string()) });
    ///     Ok(())
    /// });
    /// assert_eq!(block_on(run).unwrap_err().first().name(), Some("reader"));
    /// # }
    /// ```
    pub fn task(&self, name: impl Into<String>) -> TaskBuilder<'_, E> {
        let name = Some(name.into().into_boxed_str());
        TaskBuilder { place: None, name, nursery: Whose::Lent(self) }
    }
}

impl<E: Send + Sync + 'static> TaskBuilder<'static, E> {
    pub(super) fn reserved(nursery: Nursery<E>, place: Place) -> TaskBuilder<'static, E> {
        TaskBuilder { place: Some(place), name: None, nursery: Whose::Own(nursery) }
    }
}

impl<E: Send + Sync + 'static> TaskBuilder<'_, E> {
    /// Names the child, for errors and dumps.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Returns the nursery that the child is spawned into.
    pub fn nursery(&self) -> &Nursery<E> {
        &self.nursery
    }

    /// Spawns a child that may fail: see [`Nursery::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        if const { is_big::<F>() } {
            let future: BoxedFuture<(), E> = Box::pin(future);
            return self.spawn_at(future, Location::caller());
        }
        self.spawn_at(future, Location::caller())
    }

    /// Spawns a child that may fail, and gives the future back if it is refused: see
    /// [`Nursery::try_spawn`].
    ///
    /// # Errors
    ///
    /// Returns the future in a [`Refused`] if the nursery takes no more children. The place, if
    /// there is one, is given back.
    #[track_caller]
    pub fn try_spawn<F>(self, future: F) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        if const { is_big::<F>() } || self.place.is_some() {
            return self.try_spawn_at(Box::new(future), Location::caller());
        }
        self.nursery.try_spawn_named(future, self.name, Location::caller())
    }

    /// Spawns a child that cannot fail: see [`Nursery::go`].
    #[track_caller]
    pub fn go<F>(self, future: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if const { is_big::<F>() } {
            let future: BoxedUnit = Box::pin(future);
            return self.spawn_at(CannotFail::new(future), Location::caller());
        }
        self.spawn_at(CannotFail::new(future), Location::caller())
    }

    /// Spawns a child whose value can be awaited: see [`Nursery::fork`].
    #[track_caller]
    pub fn fork<T, F>(self, future: F) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        if const { is_big::<F>() } {
            let future: BoxedFuture<T, E> = Box::pin(future);
            return self.fork_at(future, Location::caller());
        }
        self.fork_at(future, Location::caller())
    }

    /// Runs work that blocks its thread, as a child: see [`Nursery::blocking`]. The nursery's limit
    /// counts the work if it has a place.
    #[track_caller]
    pub fn blocking<T, F>(self, work: F) -> Child<T, E>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        if const { is_big::<F>() } {
            let work: BoxedWork<T, E> = Box::new(work);
            return self.blocking_at(work, Location::caller());
        }
        self.blocking_at(work, Location::caller())
    }

    /// Spawns a child of a local nursery: see [`LocalNursery::fork`](crate::local::LocalNursery::fork).
    pub(super) fn fork_local<T, F>(
        self,
        future: F,
        location: &'static Location<'static>,
    ) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        let TaskBuilder { place, name, nursery } = self;
        let Some(Place { permit, lease }) = place else {
            return nursery.fork_local(future, name, location);
        };
        let child = nursery.admit_local(Bounded::with(permit, future), name, location, RESERVED);
        drop(lease);
        child
    }

    fn spawn_at<F>(self, future: F, location: &'static Location<'static>) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let TaskBuilder { place, name, nursery } = self;
        let Some(Place { permit, lease }) = place else {
            return nursery.spawn_named(future, name, location);
        };
        let spawned =
            nursery.admit_spawned(Bounded::with(permit, future), name, location, RESERVED);
        drop(lease);
        spawned
    }

    fn try_spawn_at<F>(
        self,
        future: Box<F>,
        location: &'static Location<'static>,
    ) -> Result<TaskId, Refused<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let TaskBuilder { place, name, nursery } = self;
        let Some(Place { permit, lease }) = place else {
            return nursery.try_spawn_boxed(future, name, location);
        };
        let spawned = nursery.try_spawn_into(permit, future, name, location);
        drop(lease);
        spawned
    }

    fn fork_at<T, F>(self, future: F, location: &'static Location<'static>) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let TaskBuilder { place, name, nursery } = self;
        let Some(Place { permit, lease }) = place else {
            return nursery.fork_named(future, name, location);
        };
        let child = nursery.admit_forked(Bounded::with(permit, future), name, location, RESERVED);
        drop(lease);
        child
    }

    fn blocking_at<T, F>(self, work: F, location: &'static Location<'static>) -> Child<T, E>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        let TaskBuilder { place, name, nursery } = self;
        let Some(Place { permit, lease }) = place else {
            return nursery.admit_blocking(work, |work| work, (name, location), Admission::Plain);
        };
        let wrap = |work| Bounded::with(permit, work);
        let child = nursery.admit_blocking(work, wrap, (name, location), RESERVED);
        drop(lease);
        child
    }
}

impl<E> fmt::Debug for TaskBuilder<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskBuilder")
            .field("nursery", &self.nursery.group.id)
            .field("name", &self.name)
            .field("reserved", &self.place.is_some())
            .finish_non_exhaustive()
    }
}
