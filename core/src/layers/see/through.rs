//! Seeing what a combinator polls with a waker of its own.

use crate::layers::base::stacks::lens;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Has the [stacks](crate::see::stacks) of a task show where this future waits, if a combinator polls it
/// with a waker of its own: `FuturesUnordered`, `buffer_unordered`, a `join_all` of many.
///
/// Such a combinator polls those of its futures that were woken; so the task's stacks have, beside that
/// of the combinator, those futures that its *last poll* has polled. Outside of such a combinator, and
/// where nothing is looked at, it does nothing; a poll pays one look at a thread-local.
///
/// # Cancel safety
///
/// Dropping it drops the future, and nothing else.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{block_on, see};
///
/// let urls = ["/", "/login"];
/// let pages = urls.map(|url| see::through(async move { url.len() }));
/// let mut sum = 0;
/// for page in pages {
///     sum += block_on(page); // In place of a `FuturesUnordered`.
/// }
/// assert_eq!(sum, 7);
/// # }
/// ```
pub fn through<F: Future>(future: F) -> Through<F> {
    Through { future }
}

pin_project! {
    /// Lets stacks show where a future waits inside a combinator: the future of [`through`].
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Through<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Through<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        lens::poll_part(cx, |cx| future.poll(cx))
    }
}

impl<F> fmt::Debug for Through<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through").finish_non_exhaustive()
    }
}
