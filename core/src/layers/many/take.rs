//! Futures that take of a stream: the next output, or all.

use super::place::Budget;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`MapConcurrent::next`](crate::many::MapConcurrent::next) and
/// [`TryMapConcurrent::next`](crate::many::TryMapConcurrent::next).
#[must_use = "it waits only when it is awaited"]
pub struct Next<'a, S> {
    stream: &'a mut S,
}

impl<'a, S> Next<'a, S> {
    pub(super) fn new(stream: &'a mut S) -> Next<'a, S> {
        Next { stream }
    }
}

impl<S: Stream + Unpin> Future for Next<'_, S> {
    type Output = Option<S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut *self.stream).poll_next(cx)
    }
}

impl<S: fmt::Debug> fmt::Debug for Next<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Next").field(&self.stream).finish()
    }
}

pin_project! {
    /// The future of [`MapConcurrent::collect`](crate::many::MapConcurrent::collect).
    #[must_use = "it runs only when it is awaited"]
    pub struct Collect<S, C> {
        #[pin]
        stream: S,
        all: C,
    }
}

pin_project! {
    /// The future of [`TryMapConcurrent::try_collect`](crate::many::TryMapConcurrent::try_collect).
    #[must_use = "it runs only when it is awaited"]
    pub struct TryCollect<S, C> {
        #[pin]
        stream: S,
        all: C,
    }
}

impl<S, C: Default> Collect<S, C> {
    pub(super) fn new(stream: S) -> Collect<S, C> {
        Collect { stream, all: C::default() }
    }
}

impl<S, C: Default> TryCollect<S, C> {
    pub(super) fn new(stream: S) -> TryCollect<S, C> {
        TryCollect { stream, all: C::default() }
    }
}

/// Calls `f` with the outputs until it has an end, and gives way to other tasks now and then.
fn poll_all<S: Stream, R>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    mut f: impl FnMut(Option<S::Item>) -> Option<R>,
) -> Poll<R> {
    let mut budget = Budget::new();
    while !budget.is_spent() {
        budget.take();
        let Poll::Ready(item) = stream.as_mut().poll_next(cx) else { return Poll::Pending };
        if let Some(end) = f(item) {
            return Poll::Ready(end);
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl<S: Stream, C: Default + Extend<S::Item>> Future for Collect<S, C> {
    type Output = C;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C> {
        let this = self.project();
        let all = this.all;
        poll_all(this.stream, cx, |item| {
            let ended = item.is_none();
            all.extend(item);
            ended.then(|| std::mem::take(all))
        })
    }
}

impl<S, C, T, E> Future for TryCollect<S, C>
where
    S: Stream<Item = Result<T, E>>,
    C: Default + Extend<T>,
{
    type Output = Result<C, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<C, E>> {
        let this = self.project();
        let all = this.all;
        poll_all(this.stream, cx, |item| match item {
            Some(Ok(value)) => {
                all.extend(Some(value));
                None
            }
            Some(Err(error)) => Some(Err(error)),
            None => Some(Ok(std::mem::take(all))),
        })
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Collect<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, C> fmt::Debug for TryCollect<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryCollect").field("stream", &self.stream).finish_non_exhaustive()
    }
}
