//! The ways to end a nursery through its handle.

use super::Nursery;
use super::draining::NurseryDraining;
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

    /// Waits until this nursery takes no more children: it is draining, or further, or has ended.
    /// Returns the level, which is at least [`Draining`](Level::Draining).
    ///
    /// It asks this nursery, from wherever it is awaited; the free function
    /// [`draining`](crate::draining) asks that of the task that awaits it. Use it where code runs
    /// in a nursery of its own, and must stop to accept work when this one drains.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: a level stays.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Level, Nursery, ThreadPool, block_on, nursery};
    ///
    /// let run = nursery().on(ThreadPool::global()).run(async |server: Nursery| {
    ///     server.close();
    ///     let inner = nursery().run(async |_: Nursery| Ok(server.draining().await));
    ///     Ok(inner.await?)
    /// });
    /// assert_eq!(block_on(run)?, Level::Draining);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn draining(&self) -> NurseryDraining {
        NurseryDraining::new(self.group.clone())
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
