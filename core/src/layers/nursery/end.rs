//! The ways to end a nursery through its handle.

use super::Nursery;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use std::panic::Location;

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Closes the nursery to new children; its present children go on.
    ///
    /// Returns `false` if it was closed before. [`shutdown`](Nursery::shutdown) closes it and then
    /// ends the children that are late.
    pub fn close(&self) -> bool {
        self.group.close()
    }

    /// Cancels all children and the body.
    ///
    /// Each of them is polled once more with the cancel visible. If it is still waiting after that
    /// poll, it is dropped where it waits, unless the nursery has a [grace](crate::Builder::grace)
    /// or the task a [shield](crate::shield).
    ///
    /// Returns `false` if the nursery was cancelled before: the first reason stays. In that case
    /// another thread may still be about to cancel some of the children. [`abort`](Nursery::abort)
    /// drops children without that last poll.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_with(Reason::new(String::new()))
    }

    /// Like [`cancel`](Nursery::cancel), with a reason.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        let fresh = !self.is_cancelled();
        self.group.raise_tree(Level::Cancelled, &reason);
        fresh
    }

    /// Drops all children where they wait, unpolled.
    ///
    /// A child that is being polled is dropped as soon as that poll returns. When `abort` returns,
    /// all children that were waiting are gone.
    ///
    /// Returns `false` if the nursery was aborted before. [`cancel`](Nursery::cancel) gives each
    /// child one last poll.
    #[track_caller]
    pub fn abort(&self) -> bool {
        let reason = Reason::of(ReasonKind::Aborted, String::new(), None, Location::caller());
        let fresh = self.level() < Level::Aborted;
        self.group.raise_tree(Level::Aborted, &reason);
        fresh
    }
}
