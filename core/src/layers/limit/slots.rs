//! What the slots of nurseries need of a semaphore beyond its public interface: a place of their
//! own for the book, and a place in front of the queue for what was lent. The task that has one
//! [signs](OwnedPermit::sign) for it.

use super::acquire::AcquireOwned;
use super::error::TryAcquireError;
use super::permit::OwnedPermit;
use super::semaphore::Semaphore;
use crate::layers::base::sync::Arc;
use std::panic::Location;

impl Semaphore {
    /// Waits for a permit; the list of holders shows `location`. If `returns`, the caller had lent
    /// it. Where the capacity is 0 it waits until there is one, and is not refused.
    pub(crate) fn acquire_at(
        self: &Arc<Self>,
        location: &'static Location<'static>,
        returns: bool,
    ) -> AcquireOwned {
        AcquireOwned::new(self.clone(), 1, location).for_slot(returns)
    }

    /// Takes a permit at once.
    pub(crate) fn try_acquire_at(
        self: &Arc<Self>,
        location: &'static Location<'static>,
        returns: bool,
    ) -> Result<OwnedPermit, TryAcquireError> {
        let share = self.permits.try_take_as(1, location, returns)?;
        Ok(OwnedPermit::new(self.clone(), share))
    }
}
