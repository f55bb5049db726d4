//! The ways to end a nursery through its handle.

use super::Nursery;
use crate::reason::{Level, Reason, ReasonKind};
use crate::shutdown::{Ladder, Shutdown};
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

    /// Shuts the nursery down in steps, and reports the tasks that did not stop in time.
    ///
    /// The steps are: close the nursery to new children; when the time for that is over, cancel the
    /// tasks that have not ended; when the time for that is over, abort those that have still not
    /// ended.
    ///
    /// The shutdown begins at its first poll, but a task that leaves late before that poll is in
    /// the report, too. It is ready when every task has ended, or when the ladder's last time is
    /// over. If another caller cancels or aborts the nursery meanwhile, the shutdown goes on from
    /// that step; with [`when_raised`](Shutdown::when_raised) another caller takes the first step
    /// as well.
    ///
    /// Await it in the nursery's body, which is not cut off while it does; finalizers then run
    /// after it. Or await it outside: then it waits for the body and the finalizers, too.
    ///
    /// # Errors
    ///
    /// Returns an error if the runtime has no timer and the ladder needs one, or if the future is
    /// awaited by a task inside the nursery, which would wait for itself. In both cases nothing has
    /// happened to the nursery.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the nursery at the step that it has reached: no further step is
    /// taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Ladder, Level, ThreadPool, block_on, nursery_on};
    /// use std::time::Duration;
    ///
    /// type BoxError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// let run = nursery_on::<BoxError>(ThreadPool::global()).name("server").run(async |n| {
    ///     n.named("stubborn").spawn(std::future::pending());
    ///     let ladder = Ladder { drain: Duration::from_millis(1), ..Ladder::default() };
    ///     Ok(n.shutdown(ladder).await?)
    /// });
    /// let report = block_on(run)?;
    /// assert!(report.all_home());
    /// let late = &report.stragglers()[0];
    /// assert_eq!((late.name(), late.left()), (Some("stubborn"), Some(Level::Cancelled)));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn shutdown(&self, ladder: Ladder) -> Shutdown {
        Shutdown::new(self.group.clone(), ladder, Location::caller())
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
