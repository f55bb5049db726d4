//! The wait until a scope admits no child any more.

use super::Scope;
use crate::layers::base::reason::Level;
use crate::layers::base::sync::Arc;
use crate::layers::context::host::Waiter;
use crate::layers::in_place::control::Control;
use crate::layers::in_place::mode::Mode;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<E: Send + Sync + 'static, M: Mode> Scope<'_, E, M> {
    /// Waits until this scope admits no more children: it is draining, or further, or has ended.
    /// Returns the level, which is at least [`Draining`](Level::Draining).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: a level stays.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::cancel::Level;
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let run = scope().run(async |s: Scope<'_>| {
    ///     let waits = s.clone();
    ///     let level = s.fork(async move { Ok(waits.draining().await) });
    ///     s.close();
    ///     Ok(level.await?)
    /// });
    /// assert_eq!(block_on(run)?, Level::Draining);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn draining(&self) -> ScopeDraining {
        ScopeDraining { control: self.shared.control.clone(), waiter: Waiter::new() }
    }
}

/// The future of [`Scope::draining`].
#[must_use = "it waits only when it is awaited"]
pub struct ScopeDraining {
    control: Arc<Control>,
    waiter: Waiter,
}

impl Future for ScopeDraining {
    type Output = Level;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Level> {
        // First: what changes the level wakes the waiters after it.
        self.control.await_end(self.waiter, cx.waker());
        match self.control.level() {
            Level::Running => Poll::Pending,
            level => Poll::Ready(level),
        }
    }
}

impl Drop for ScopeDraining {
    fn drop(&mut self) {
        self.control.forget_waiter(self.waiter);
    }
}

impl fmt::Debug for ScopeDraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeDraining").field("scope", &self.control.id).finish_non_exhaustive()
    }
}
