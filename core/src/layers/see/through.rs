//! Seeing what a combinator polls with a waker of its own.

use crate::layers::base::stacks::lens;
use crate::layers::base::stacks::parts::Part;
use crate::layers::context::task::task_id;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Has the [stacks](crate::see::stacks) of a task show where this future waits, if a combinator polls it
/// with a waker of its own: `FuturesUnordered`, `buffer_unordered`, a `join_all` of many.
///
/// The task's stacks have where it waits, beside where the combinator does, until it is ready or dropped,
/// or is polled again: also while the task is polled and this is not. Of many that wait in the same
/// place there is one. Outside of such a combinator, in a nursery's body, and where nothing is looked at,
/// it does nothing; a poll pays one look at a thread-local. Where it is seen a poll pays for an entry in
/// a list of the process, too.
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
    Through { future, part: None }
}

pin_project! {
    /// Lets stacks show where a future waits inside a combinator: the future of [`through`].
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Through<F> {
        #[pin]
        future: F,
        // What it has seen, if it waits.
        part: Option<Part>,
    }
}

impl<F: Future> Future for Through<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let (polled, seen) = lens::poll_part(cx, |cx| this.future.poll(cx));
        if this.part.is_some() || seen.is_some() {
            let task = seen.filter(|_| polled.is_pending()).zip(task_id());
            *this.part = task.map(|(seen, task)| Part::new(task, seen));
        }
        polled
    }
}

impl<F> fmt::Debug for Through<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through").finish_non_exhaustive()
    }
}
