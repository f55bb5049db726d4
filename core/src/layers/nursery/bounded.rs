//! A nursery's limit: reserving a slot, and changing how many there are.

use super::Nursery;
use super::slot::{Reserve, Slot, TryReserveError};
use crate::layers::base::sync::Arc;
use crate::layers::limit::Semaphore;
use std::panic::Location;

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Waits for a slot of a nursery that was opened with a [limit](crate::Builder::limit): first come,
    /// first served, together with the children that were spawned without one.
    ///
    /// It is the caller that waits, not the child: so a producer goes no faster than the children, and
    /// nothing piles up. In a nursery without a limit there is a slot at once.
    ///
    /// A task that holds a slot of the same limiter, as a child that spawns siblings does, lends it
    /// while it waits, and until the slot that it was given is used: see [`limit`](crate::Builder::limit).
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::ReserveError::Refused) if the nursery is cancelled, closed or has ended, or is
    /// meanwhile; [`Cancelled`](crate::ReserveError::Cancelled) if the caller is;
    /// [`LimiterClosed`](crate::ReserveError::LimiterClosed), and
    /// [`NoSlots`](crate::ReserveError::NoSlots) if the limit is 0 or is set to it. A slot that is
    /// there is given to the cancelled, too.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled after it was ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves the limiter as if it had not been called; its place in
    /// the line is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    ///
    /// let run = nursery_on::<Infallible>(ThreadPool::global()).limit(8).run(async |n| {
    ///     for _ in 0..1_000 {
    ///         n.reserve().await.expect("nobody cancels it").spawn(async { Ok(()) });
    ///     }
    ///     Ok(n.limit())
    /// });
    /// assert_eq!(block_on(run).unwrap(), Some(8));
    /// # }
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Reserve<E> {
        Reserve::new(&self.group, Location::caller())
    }

    /// Takes a slot if one is free and nobody waits for it: see [`reserve`](Nursery::reserve).
    ///
    /// # Errors
    ///
    /// [`Full`](TryReserveError::Full) if there is none just now; otherwise as for `reserve`.
    #[track_caller]
    pub fn try_reserve(&self) -> Result<Slot<E>, TryReserveError> {
        if let Some(reason) = self.group.refuses() {
            return Err(TryReserveError::Refused(reason));
        }
        let limiter = self.group.owned().limiter.as_ref();
        let take = |limiter: &Arc<Semaphore>| limiter.try_acquire_at(Location::caller(), false);
        let permit = limiter.map(take).transpose()?;
        Ok(Slot::new(self.clone(), permit, None))
    }

    /// Returns how many slots there are, taken or free. None in a nursery without a limit.
    pub fn limit(&self) -> Option<usize> {
        self.limiter().map(|limiter| limiter.capacity())
    }

    /// Changes how many slots there are, while the nursery runs; more than
    /// [`Semaphore::MAX_PERMITS`] is that. Returns false, and changes nothing, in a nursery without a
    /// limit.
    ///
    /// Upwards, those who wait are let in. Downwards, whoever has a slot keeps it, and nobody is let in
    /// until they are fewer than the new limit; with 0 all who wait are turned away. A limiter that is
    /// shared is changed for all who share it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    ///
    /// let run = nursery_on::<Infallible>(ThreadPool::global()).limit(1).run(async |n| {
    ///     let first = n.try_reserve().unwrap();
    ///     assert!(n.try_reserve().is_err());
    ///     assert!(n.set_limit(2));
    ///     assert!(n.try_reserve().is_ok());
    ///     drop(first);
    ///     Ok(n.limit())
    /// });
    /// assert_eq!(block_on(run).unwrap(), Some(2));
    /// # }
    /// ```
    pub fn set_limit(&self, limit: usize) -> bool {
        let limiter = self.limiter();
        if let Some(limiter) = limiter {
            limiter.resize(limit);
        }
        limiter.is_some()
    }

    /// Returns the limiter whose permits are the slots: to share it with
    /// [another nursery](crate::Builder::limiter), to ask how many wait. None in a nursery without a
    /// limit.
    pub fn limiter(&self) -> Option<&Arc<Semaphore>> {
        self.group.owned().limiter.as_ref()
    }
}
