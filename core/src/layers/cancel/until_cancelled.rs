//! A future that ends at a cancel.

use super::CancelToken;
use super::cancelled::CancelledOwned;
use crate::layers::base::big::Inner;
use crate::layers::base::reason::Reason;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of [`CancelExt::until_cancelled`].
    #[must_use = "it runs only when it is awaited"]
    pub struct UntilCancelled<F> {
        #[pin]
        future: Inner<F>,
        #[pin]
        cancelled: CancelledOwned,
    }
}

impl<F> UntilCancelled<F> {
    /// Returns the token.
    pub fn token(&self) -> &CancelToken {
        self.cancelled.token()
    }
}

impl<F: Future> Future for UntilCancelled<F> {
    type Output = Result<F::Output, Reason>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Before the poll: if the token is cancelled, this poll is the last, and the future saw the
        // cancel in it.
        let mut last = this.cancelled.token().is_cancelled();
        loop {
            if let Poll::Ready(value) = this.future.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            if last {
                return match this.cancelled.token().reason() {
                    Some(reason) => Poll::Ready(Err(reason)),
                    None => Poll::Pending,
                };
            }
            if this.cancelled.as_mut().enter(cx.waker()) {
                return Poll::Pending;
            }
            last = true;
        }
    }
}

impl<F> fmt::Debug for UntilCancelled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCancelled").field("token", self.token()).finish_non_exhaustive()
    }
}

/// Adds [`until_cancelled`](CancelExt::until_cancelled) to every future.
pub trait CancelExt: Future + Sized {
    /// Runs this future until it ends or the token is cancelled.
    ///
    /// Each poll polls the future first: a value that is ready wins. After a cancel the future is
    /// polled one last time, and can see the cancel in that poll. If it is still pending, it is
    /// dropped with what this returns, and the output is the reason.
    ///
    /// # Errors
    ///
    /// Returns the reason if the token was cancelled first.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future, and nothing else.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelToken, block_on};
    /// use allhome::cancel::CancelExt;
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// assert_eq!(block_on(async { 7 }.until_cancelled(&token))?, 7, "a value wins");
    /// assert!(block_on(std::future::pending::<()>().until_cancelled(&token)).is_err());
    /// # }
    /// # Ok::<(), allhome::Reason>(())
    /// ```
    fn until_cancelled(self, token: &CancelToken) -> UntilCancelled<Self> {
        let cancelled = CancelledOwned::new(token.clone());
        UntilCancelled { future: Inner::new(self), cancelled }
    }
}

impl<F: Future> CancelExt for F {}
