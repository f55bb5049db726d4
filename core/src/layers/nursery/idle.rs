//! The wait until a nursery has no child.

use super::Nursery;
use crate::layers::base::counted::Strong;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::context::host::Waiter;
use crate::layers::group::Group;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Waits until no child is there, and no nursery that was opened inside. The nursery stays open.
    ///
    /// It is ready if there was such a moment since its first poll, even if another child has been
    /// spawned since: a nursery that is busy again and again is not missed. It may be awaited by
    /// any number of tasks, also outside of the nursery.
    ///
    /// It is ready, too, when a cancel has ended the children. Where that matters, follow it by
    /// [`checkpoint().await?`](crate::checkpoint()), or ask [`is_cancelled`](Nursery::is_cancelled).
    ///
    /// # Panics
    ///
    /// Panics if it is awaited in a child of the nursery, or anywhere inside of one: it would wait
    /// for itself. The body may await it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect on the nursery.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::Nursery;
    /// use std::convert::Infallible;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let done = Arc::new(AtomicU32::new(0));
    /// allhome::run(async |n: Nursery<Infallible>| {
    ///     for round in 1..=3 {
    ///         for _ in 0..10 {
    ///             let done = done.clone();
    ///             n.spawn(async move {
    ///                 done.fetch_add(1, Ordering::Relaxed);
    ///                 Ok(())
    ///             });
    ///         }
    ///         n.idle().await;
    ///         assert_eq!(done.load(Ordering::Relaxed), 10 * round);
    ///     }
    ///     Ok(())
    /// })?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idle(&self) -> Idle {
        Idle { group: self.group.clone(), waiter: None, since: None }
    }
}

/// Waits until a nursery has no child: what [`Nursery::idle`] returns.
#[must_use = "it does nothing unless it is awaited"]
pub struct Idle {
    group: Strong<Group>,
    /// Once it waits.
    waiter: Option<Waiter>,
    /// How often the nursery's last child had left when it began to wait.
    since: Option<u64>,
}

impl Future for Idle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(task) = self.group.awaited_here() {
            panic!(
                "`idle` was awaited in {task}, which the nursery waits for itself: await it in the \
                 nursery's body, or outside of the nursery"
            );
        }
        let waiter = *self.waiter.get_or_insert_with(Waiter::new);
        let Idle { group, since, .. } = &mut *self;
        if group.is_busy_since(since, waiter, cx.waker()) {
            wait_mark::on(Kind::Idle, group.id.number());
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            self.group.forget_home_waker(waiter);
        }
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("nursery", &self.group.id).finish_non_exhaustive()
    }
}
