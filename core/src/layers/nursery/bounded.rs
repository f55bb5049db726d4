//! A nursery's limit: reserving a slot, and changing how many there are.

use super::Nursery;
use super::reserve::Reserve;
use super::reserve::place_wait::Place;
use super::reserve_error::TryReserveError;
use super::task_builder::TaskBuilder;
use crate::layers::base::sync::Arc;
use crate::layers::limit::Semaphore;
use std::panic::Location;

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Reserves a place for one child in a nursery that was opened with a
    /// [limit](crate::Builder::limit): waits for a slot, and gives a [`TaskBuilder`] that spawns into
    /// it.
    ///
    /// Slots are given first come, first served, together with the children that were spawned
    /// without one. The caller waits, and not the child: so a producer goes no faster than the
    /// children, and nothing piles up. In a nursery without a limit a slot is there at once.
    ///
    /// A task that holds a slot of the same limiter, such as a child that spawns siblings, lends it
    /// while it waits, and until the slot that it was given is used: see
    /// [`limit`](crate::Builder::limit).
    ///
    /// # Errors
    ///
    /// Returns [`Refused`](crate::limit::ReserveError::Refused) if the nursery is cancelled, closed or has
    /// ended, also if that happens during the wait; [`Cancelled`](crate::limit::ReserveError::Cancelled)
    /// if the caller is cancelled; and [`LimiterClosed`](crate::limit::ReserveError::LimiterClosed) if the
    /// limiter is closed. A slot that is free is given to a cancelled caller, too. While the limit
    /// is 0 it waits.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled after it was ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any moment, leaves the limiter as if it had not been called; its
    /// place in the queue is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    /// use allhome::limit::ReserveError;
    ///
    /// let run = nursery().limit(8).run(async |n: Nursery<ReserveError>| {
    ///     for _ in 0..1_000 {
    ///         n.reserve().await?.spawn(async { Ok(()) });
    ///     }
    ///     Ok(n.limit())
    /// });
    /// assert_eq!(block_on(run)?, Some(8));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Reserve<E> {
        Reserve::new(&self.group, Location::caller())
    }

    /// Takes a slot if one is free and no waiter is in front: see [`reserve`](Nursery::reserve).
    ///
    /// # Errors
    ///
    /// Returns [`Full`](TryReserveError::Full) if no slot is free just now; otherwise as
    /// [`reserve`](Nursery::reserve).
    #[track_caller]
    pub fn try_reserve(&self) -> Result<TaskBuilder<'static, E>, TryReserveError> {
        if let Some(reason) = self.group.refuses() {
            return Err(TryReserveError::Refused(reason));
        }
        let limiter = self.group.owned().limiter.as_ref();
        let take = |limiter: &Arc<Semaphore>| limiter.try_acquire_at(Location::caller(), false);
        let permit = limiter.map(take).transpose()?;
        Ok(TaskBuilder::reserved(self.clone(), Place::new(permit, None)))
    }

    /// Returns how many slots there are, taken or free, or `None` in a nursery without a limit.
    pub fn limit(&self) -> Option<usize> {
        self.limiter().map(|limiter| limiter.capacity())
    }

    /// Changes how many slots there are, while the nursery runs. A number above
    /// [`Semaphore::MAX_PERMITS`] counts as that.
    ///
    /// If the number grows, waiters are admitted. If it shrinks, every slot that is taken is kept,
    /// and no waiter is admitted until fewer slots are taken than the new limit. So 0 is a pause:
    /// what waits goes on to wait, and so does the nursery, until the limit grows or the nursery is
    /// cancelled. A limiter that is shared changes for all nurseries that share it.
    ///
    /// Returns `false`, and changes nothing, in a nursery without a limit.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    /// use allhome::limit::TryReserveError;
    ///
    /// let run = nursery().limit(1).run(async |n: Nursery<TryReserveError>| {
    ///     let first = n.try_reserve()?;
    ///     assert!(n.try_reserve().is_err());
    ///     assert!(n.set_limit(2));
    ///     assert!(n.try_reserve().is_ok());
    ///     drop(first);
    ///     Ok(n.limit())
    /// });
    /// assert_eq!(block_on(run)?, Some(2));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_limit(&self, limit: usize) -> bool {
        let limiter = self.limiter();
        if let Some(limiter) = limiter {
            limiter.resize(limit);
        }
        limiter.is_some()
    }

    /// Returns the limiter whose permits are the slots, or `None` in a nursery without a limit.
    ///
    /// Use it to share the limiter with [another nursery](crate::Builder::limiter), or to ask how
    /// many tasks wait.
    pub fn limiter(&self) -> Option<&Arc<Semaphore>> {
        self.group.owned().limiter.as_ref()
    }
}
