//! A stream that ends at a cancel.

use super::CancelToken;
use super::cancelled::CancelledOwned;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The stream of [`CancelStreamExt::until_cancelled`].
    #[must_use = "it yields items only when it is polled"]
    pub struct UntilCancelledStream<S> {
        #[pin]
        stream: S,
        #[pin]
        cancelled: CancelledOwned,
        ended: bool,
    }
}

impl<S> UntilCancelledStream<S> {
    /// Returns the token.
    pub fn token(&self) -> &CancelToken {
        self.cancelled.token()
    }
}

impl<S: Stream> Stream for UntilCancelledStream<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        // Before the poll: if the token is cancelled, this poll is the last.
        let mut last = this.cancelled.token().is_cancelled();
        loop {
            let next = this.stream.as_mut().poll_next(cx);
            if let Poll::Ready(item) = next {
                *this.ended = last || item.is_none();
                return Poll::Ready(item);
            }
            if last {
                *this.ended = true;
                return Poll::Ready(None);
            }
            if this.cancelled.as_mut().enter(cx.waker()) {
                return Poll::Pending;
            }
            last = true;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended { (0, Some(0)) } else { (0, self.stream.size_hint().1) }
    }
}

impl<S> fmt::Debug for UntilCancelledStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCancelledStream").field("token", self.token()).finish_non_exhaustive()
    }
}

/// Adds [`until_cancelled`](CancelStreamExt::until_cancelled) to every stream.
pub trait CancelStreamExt: Stream + Sized {
    /// Runs this stream until it ends or the token is cancelled.
    ///
    /// An item that is ready wins over the cancel, once: after a cancel this stream is polled one
    /// last time. If it has an item then, that item is returned; afterwards the stream has ended,
    /// however many more items there would be.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future of one item is dropped: items are only in the stream.
    fn until_cancelled(self, token: &CancelToken) -> UntilCancelledStream<Self> {
        let cancelled = CancelledOwned::new(token.clone());
        UntilCancelledStream { stream: self, cancelled, ended: false }
    }
}

impl<S: Stream> CancelStreamExt for S {}
