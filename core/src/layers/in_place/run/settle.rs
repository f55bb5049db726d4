//! The scope's future that is ready with the body's value beside the failures.

use super::ScopeRun;
use crate::layers::in_place::handle::Scope;
use crate::layers::in_place::mode::Mode;
use crate::layers::nursery::settled::Settled;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future that [`ScopeRun::settle`] returns.
    #[must_use = "a scope does nothing unless it is awaited"]
    pub struct ScopeSettle<'a, E, R, F, Fut, M: Mode> {
        #[pin]
        run: ScopeRun<'a, E, R, F, Fut, M>,
    }
}

impl<'a, E, R, F, Fut, M: Mode> ScopeRun<'a, E, R, F, Fut, M> {
    /// Keeps the body's value beside the failures: a future that is ready with both.
    ///
    /// # Panics
    ///
    /// Same as [`run`](crate::in_place::ScopeBuilder::run).
    ///
    /// # Cancel safety
    ///
    /// Same as [`run`](crate::in_place::ScopeBuilder::run).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Policy, Scope, block_on, scope};
    ///
    /// let run = scope().policy(Policy::WaitAll).run(async |s: Scope<'_, &str>| {
    ///     s.spawn(async { Err("reset by peer") });
    ///     Ok("3 connections served")
    /// });
    /// let settled = block_on(run.settle());
    /// assert_eq!(settled.value, Some("3 connections served"));
    /// let error = settled.error.expect("a child has failed");
    /// assert_eq!(error.first().error(), Some(&"reset by peer"));
    /// # }
    /// ```
    pub fn settle(self) -> ScopeSettle<'a, E, R, F, Fut, M> {
        ScopeSettle { run: self }
    }
}

impl<'a, E, R, F, Fut, M> Future for ScopeSettle<'a, E, R, F, Fut, M>
where
    F: FnOnce(Scope<'a, E, M>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
    M: Mode,
{
    type Output = Settled<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().run.poll_settled(cx)
    }
}

impl<E, R, F, Fut, M: Mode> fmt::Debug for ScopeSettle<'_, E, R, F, Fut, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeSettle").field("run", &self.run).finish()
    }
}
