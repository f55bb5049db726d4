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

    /// Shuts the nursery down in steps: closes it to new children, cancels those that are not home
    /// when the time for that is over, aborts those that are not home then; and reports who was late.
    ///
    /// It begins at its first poll (who leaves late before that is in the report, too), and is ready when everybody is home, or when the ladder's last
    /// time is over. Whoever else raises the nursery meanwhile takes it on to that step; with
    /// [`when_raised`](Shutdown::when_raised) it is somebody else who takes the first.
    ///
    /// Await it in the nursery's body, which is not cut off while it does; finalizers are run after
    /// it then. Or await it outside: it waits for the body and the finalizers, too.
    ///
    /// # Errors
    ///
    /// The runtime has no timer, and the ladder needs one; or it is awaited by a task inside the
    /// nursery, which would wait for itself. Nothing has happened then.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the nursery at the step that it came to: no further step is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Ladder, Level, ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let run = nursery_on::<Infallible>(ThreadPool::global()).name("server").run(async |n| {
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
