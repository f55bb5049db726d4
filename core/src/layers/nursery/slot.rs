//! The slots of a bounded nursery: reserved by the spawner, held by the child until it is home,
//! lent while the child waits for others that need one.
//!
//! The limiter is a [`Semaphore`](crate::Semaphore); a slot is one of its permits. docs/LIMITS.md
//! says what was decided, and why.

use super::Nursery;
use super::blocking::{BlockingCx, BoxedWork};
use super::child::{Child, Spawned};
use crate::layers::base::big::{BoxedFuture, is_big};
use crate::layers::base::unsupported::Unsupported;
use crate::layers::group::admit::Admission;
use crate::layers::lending::bounded::Bounded;
use crate::layers::lending::held_slot::Lease;
use crate::layers::limit::OwnedPermit;
use std::fmt;
use std::future::Future;
use std::panic::Location;

pub use crate::layers::nursery::reserve::Reserve;
pub use crate::layers::nursery::reserve_error::{ReserveError, TryReserveError};

const RESERVED: Admission = Admission::Reserved;

/// A place for one child in a bounded nursery: made by [`Nursery::reserve`] and
/// [`try_reserve`](Nursery::try_reserve).
///
/// The child that is spawned with it has the place until it is home: its future dropped, in
/// whichever way it ended. Dropped unused, it gives the place back at once. It may be moved to
/// another task or thread. A nursery that drains admits the child of a place that was reserved
/// before. A nursery that is cancelled, or has ended, refuses it, and the place is given back.
///
/// A slot that is kept is one that others wait for. Do not keep one across an await if it can be
/// helped.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, ThreadPool, block_on, nursery};
/// use std::convert::Infallible;
///
/// let run = nursery().on(ThreadPool::global()).limit(1).run(async |n: Nursery<Infallible>| {
///     let slot = n.try_reserve().unwrap();
///     assert!(n.try_reserve().is_err(), "there is but one");
///     drop(slot);
///     let two = n.reserve().await.unwrap().named("two").fork(async { Ok(2) });
///     Ok(two.join().await.unwrap())
/// });
/// assert_eq!(block_on(run).unwrap(), 2);
/// # }
/// ```
#[must_use = "dropping it gives the slot back: spawn a child with it"]
pub struct Slot<E> {
    // Before the lease: when that is gone the task wants its own slot back.
    permit: Option<OwnedPermit>,
    _lease: Option<Lease>,
    nursery: Nursery<E>,
    name: Option<Box<str>>,
}

impl<E: Send + Sync + 'static> Slot<E> {
    pub(crate) fn new(
        nursery: Nursery<E>,
        permit: Option<OwnedPermit>,
        lease: Option<Lease>,
    ) -> Slot<E> {
        Slot { permit, _lease: lease, nursery, name: None }
    }

    /// Names the child, for errors and dumps.
    pub fn named(mut self, name: impl Into<String>) -> Slot<E> {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Spawns a child that is not joined: see [`Nursery::spawn`].
    #[track_caller]
    pub fn spawn<F>(mut self, future: F) -> Spawned
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let (permit, name, location) = (self.permit.take(), self.name.take(), Location::caller());
        if const { is_big::<F>() } {
            let future: BoxedFuture<(), E> = Box::pin(future);
            return self.nursery.admit_spawned(
                Bounded::with(permit, future),
                name,
                location,
                RESERVED,
            );
        }
        self.nursery.admit_spawned(Bounded::with(permit, future), name, location, RESERVED)
    }

    /// Spawns a child whose value can be joined: see [`Nursery::fork`].
    #[track_caller]
    pub fn fork<T, F>(mut self, future: F) -> Child<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        if const { is_big::<F>() } {
            return self.fork_boxed(Box::pin(future), Location::caller());
        }
        let future = Bounded::with(self.permit.take(), future);
        self.nursery.admit_forked(future, self.name.take(), Location::caller(), RESERVED)
    }

    /// Spawns a child that gets a handle of its own, to spawn siblings with: see
    /// [`Nursery::fork_with`].
    #[track_caller]
    pub fn fork_with<T, F, Fut>(self, f: F) -> Child<T, E>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let nursery = self.nursery.clone();
        if const { is_big::<Fut>() } {
            return self.fork_boxed(Box::pin(f(nursery)), Location::caller());
        }
        self.fork(f(nursery))
    }

    fn fork_boxed<T: Send + 'static>(
        mut self,
        future: BoxedFuture<T, E>,
        location: &'static Location<'static>,
    ) -> Child<T, E> {
        let future = Bounded::with(self.permit.take(), future);
        self.nursery.admit_forked(future, self.name.take(), location, RESERVED)
    }

    /// Runs work that blocks its thread, as a child that has this place: see [`Nursery::blocking`].
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if the runtime has no blocking pool, or the nursery's
    /// [`blocking_limit`](crate::Builder::blocking_limit) is 0. The place is given back.
    #[track_caller]
    pub fn blocking<T, F>(mut self, work: F) -> Result<Child<T, E>, Unsupported>
    where
        F: FnOnce(&BlockingCx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        let (permit, name, location) = (self.permit.take(), self.name.take(), Location::caller());
        if const { is_big::<F>() } {
            let work: BoxedWork<T, E> = Box::new(work);
            let wrap = |work| Bounded::with(permit, work);
            return self.nursery.admit_blocking(work, wrap, (name, location), RESERVED);
        }
        let wrap = |work| Bounded::with(permit, work);
        self.nursery.admit_blocking(work, wrap, (name, location), RESERVED)
    }

    /// Returns the nursery that it is a place in.
    pub fn nursery(&self) -> &Nursery<E> {
        &self.nursery
    }
}

impl<E> fmt::Debug for Slot<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("nursery", &self.nursery.group.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
