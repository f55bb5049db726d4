//! The wait until a scope has no child.

use super::Scope;
use crate::layers::base::sync::Arc;
use crate::layers::context;
use crate::layers::context::host::Waiter;
use crate::layers::in_place::control::Control;
use crate::layers::in_place::lack::is_inside_child;
use crate::layers::in_place::mode::Mode;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<E: Send + Sync + 'static, M: Mode> Scope<'_, E, M> {
    /// Waits until the scope has no child, or had none at some moment since the first poll. It does
    /// not close the scope. Await it in the scope's body.
    ///
    /// # Panics
    ///
    /// The future panics if a child of the scope awaits it: it would wait for itself.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped and awaited again.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let (pages, read) = (["one", "three"], AtomicUsize::new(0));
    /// let run = scope().run(async |s: Scope<'_>| {
    ///     for page in &pages {
    ///         s.go(async { drop(read.fetch_add(page.len(), Ordering::Relaxed)) });
    ///     }
    ///     s.idle().await;
    ///     Ok(read.load(Ordering::Relaxed))
    /// });
    /// assert_eq!(block_on(run)?, 8);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idle(&self) -> ScopeIdle {
        ScopeIdle { control: self.shared.control.clone(), waiter: Waiter::new(), since: None }
    }
}

/// The future of [`Scope::idle`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ScopeIdle {
    control: Arc<Control>,
    waiter: Waiter,
    since: Option<u64>,
}

impl Future for ScopeIdle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let inside = context::current(|frame| is_inside_child(frame, self.control.id));
        assert!(
            !inside,
            "`idle` was awaited in a child of the scope, which it would wait for: await it in the \
             scope's body"
        );
        let ScopeIdle { control, waiter, since } = &mut *self;
        if control.is_busy_since(since, *waiter, cx.waker()) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Drop for ScopeIdle {
    fn drop(&mut self) {
        self.control.forget_waiter(self.waiter);
    }
}

impl fmt::Debug for ScopeIdle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeIdle").field("scope", &self.control.id).finish_non_exhaustive()
    }
}
