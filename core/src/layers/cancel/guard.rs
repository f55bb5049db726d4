//! A future that ends at a cancel.

use super::CancelToken;
use super::cancelled::CancelledOwned;
use crate::layers::base::reason::Reason;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of [`CancelToken::guard`] and [`CancelExt::until_cancelled`].
    #[must_use = "it runs only when it is awaited"]
    pub struct Guard<F> {
        #[pin]
        future: F,
        #[pin]
        cancelled: CancelledOwned,
    }
}

impl<F> Guard<F> {
    pub(super) fn new(future: F, token: &CancelToken) -> Guard<F> {
        Guard { future, cancelled: CancelledOwned::new(token.clone()) }
    }

    /// Returns the token.
    pub fn token(&self) -> &CancelToken {
        self.cancelled.token()
    }
}

impl<F: Future> Future for Guard<F> {
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

impl<F> fmt::Debug for Guard<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("token", self.token()).finish_non_exhaustive()
    }
}

/// Adds [`until_cancelled`](CancelExt::until_cancelled) to every future.
pub trait CancelExt: Future + Sized {
    /// Runs this future until it ends or the token is cancelled. The same as
    /// [`CancelToken::guard`], for the end of a chain of calls.
    ///
    /// # Errors
    ///
    /// Returns the reason if the token was cancelled first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the guard drops the future, and nothing else.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelExt, CancelToken, block_on};
    ///
    /// let token = CancelToken::new();
    /// assert_eq!(block_on(async { 7 }.until_cancelled(&token))?, 7);
    /// token.cancel();
    /// assert!(block_on(std::future::pending::<()>().until_cancelled(&token)).is_err());
    /// # }
    /// # Ok::<(), allhome::Reason>(())
    /// ```
    fn until_cancelled(self, token: &CancelToken) -> Guard<Self> {
        Guard::new(self, token)
    }
}

impl<F: Future> CancelExt for F {}
