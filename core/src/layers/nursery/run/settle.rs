//! The nursery's future that is ready with the body's value beside the failures.

use super::Run;
use crate::layers::base::mode::Sendable;
use crate::layers::nursery::mode::NurseryMode;
use crate::layers::nursery::settled::Settled;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The future that [`Run::settle`](crate::task::Run::settle) returns.
    #[must_use = "a nursery does nothing unless it is awaited"]
    pub struct Settle<E, R, F, Fut, P: NurseryMode = Sendable> {
        #[pin]
        run: Run<E, R, F, Fut, P>,
    }
}

impl<E, R, F, Fut, P: NurseryMode> Run<E, R, F, Fut, P> {
    /// Keeps the body's value beside the failures: a future that is ready with both.
    ///
    /// A server's body returns a [`ShutdownReport`](crate::shutdown::ShutdownReport), say, which a failure of
    /// a finalizer must not take away.
    ///
    /// # Panics
    ///
    /// Same as [`run`](crate::Builder::run).
    ///
    /// # Cancel safety
    ///
    /// Same as [`run`](crate::Builder::run).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Policy, block_on, nursery};
    ///
    /// let run = nursery().policy(Policy::WaitAll).run(async |n| {
    ///     n.spawn(async { Err("reset by peer") });
    ///     Ok("3 connections served")
    /// });
    /// let settled = block_on(run.settle());
    /// assert_eq!(settled.value, Some("3 connections served"));
    /// let error = settled.error.expect("a child has failed");
    /// assert_eq!(error.first().error(), Some(&"reset by peer"));
    /// # }
    /// ```
    pub fn settle(self) -> Settle<E, R, F, Fut, P> {
        Settle { run: self }
    }
}

impl<E, R, F, Fut, P> Future for Settle<E, R, F, Fut, P>
where
    F: FnOnce(P::Handle<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
    P: NurseryMode,
{
    type Output = Settled<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().run.poll_closed(cx)) {
            Ok(closed) => closed.settle(),
            Err(error) => {
                Settled { value: None, error: Some(error), echoes: Vec::new(), forgotten: 0 }
            }
        })
    }
}

impl<E, R, F, Fut, P: NurseryMode> fmt::Debug for Settle<E, R, F, Fut, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settle").field("run", &self.run).finish()
    }
}
