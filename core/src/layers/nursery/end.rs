//! The ways to end a nursery from within its reach.

use super::Nursery;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use std::panic::Location;

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Takes no more children; those that are there go on. Returns false if that was so already.
    pub fn close(&self) -> bool {
        self.group.close()
    }

    /// Cancels all children and the body: each is polled once more with the cancel visible, and
    /// dropped where it waits if it has not come to its end then.
    ///
    /// Returns false if the nursery had been cancelled before: the first reason stays. Another thread
    /// may still be about to tell them then.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(Reason::new(String::new()))
    }

    /// As [`cancel`](Nursery::cancel), with a reason.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        let fresh = !self.is_cancelled();
        self.group.raise_tree(Level::Cancelled, &reason);
        fresh
    }

    /// Destroys all children where they wait, unpolled; those that are being polled, as soon as
    /// that poll is over. On return all that were waiting are gone.
    ///
    /// Returns false if the nursery had been aborted before.
    #[track_caller]
    pub fn abort(&self) -> bool {
        let reason = Reason::of(ReasonKind::Aborted, String::new(), None, Location::caller());
        let fresh = self.level() < Level::Aborted;
        self.group.raise_tree(Level::Aborted, &reason);
        fresh
    }
}
