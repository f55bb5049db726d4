//! The ways to end a nursery through its handle, and to report a failure to it.

use super::Nursery;
use super::draining::NurseryDraining;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::context::new_reason::caller;
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
    /// use allhome::{Nursery, block_on, nursery};
    /// use allhome::cancel::Level;
    ///
    /// let run = nursery().run(async |server: Nursery| {
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
    /// An error with which a child ends from now on is an [echo](crate::GroupError::echoes) of the
    /// cancel and no failure, unless it was this very child that called `cancel`: so that a nursery
    /// that is stopped in good order has the same result in every schedule. A panic counts. What
    /// must count as well is reported with [`fail`](Nursery::fail), or done in a finalizer
    /// ([`defer`](Nursery::defer)).
    ///
    /// Returns `false` if the nursery was cancelled before: the first reason stays. In that case
    /// another thread may still be about to cancel some of the children. [`abort`](Nursery::abort)
    /// drops children without that last poll.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        let place = Location::caller();
        self.cancel_with(self.group.reason(ReasonKind::Requested, String::new(), caller(), place))
    }

    /// Like [`cancel`](Nursery::cancel), with a reason.
    pub fn cancel_with(&self, reason: Reason) -> bool {
        let fresh = !self.is_cancelled();
        self.group.raise_tree(Level::Cancelled, &reason);
        fresh
    }

    /// Reports a failure of the task, or body, that calls it, which goes on. It counts in any case:
    /// also after a cancel, when an error that a task returns is taken for an
    /// [echo](crate::GroupError::echoes) of that.
    ///
    /// What follows is what follows from the failure of a child: by default the others are
    /// cancelled. A task that has said so may return `Ok`; an error would be another failure.
    ///
    /// Returns `false` if the nursery has ended: the error is dropped.
    ///
    /// # Examples
    ///
    /// A worker that tidies up, and whose loss must be known:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, cancelled, nursery, yield_now};
    ///
    /// let run = nursery().run(async |n: Nursery<String>| {
    ///     let worker = n.clone();
    ///     n.task("writer").spawn(async move {
    ///         cancelled().await;
    ///         worker.fail("3 records lost".to_string());
    ///         Ok(())
    ///     });
    ///     while n.tree().nurseries()[0].tasks.iter().any(|task| task.polls == 0) {
    ///         yield_now().await;
    ///     }
    ///     n.cancel();
    ///     Ok(())
    /// });
    /// let error = block_on(run).unwrap_err();
    /// assert_eq!(error.first().name(), Some("writer"));
    /// assert_eq!(error.into_error().unwrap(), "3 records lost");
    /// # }
    /// ```
    #[track_caller]
    pub fn fail(&self, error: E) -> bool {
        let who = self.group.caller(Location::caller());
        self.group.fail(Arc::new(error), who)
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
        let place = Location::caller();
        let reason = self.group.reason(ReasonKind::Aborted, String::new(), caller(), place);
        let fresh = self.level() < Level::Aborted;
        self.group.raise_tree(Level::Aborted, &reason);
        fresh
    }
}
