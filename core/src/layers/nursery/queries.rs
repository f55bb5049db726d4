//! What a nursery's handle says of it, and its deadline.

use super::Nursery;
use crate::layers::base::id::NurseryId;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::cancel::CancelToken;
use allhome_rt::{Instant, Runtime};

impl<E: Send + Sync + 'static> Nursery<E> {
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
}
