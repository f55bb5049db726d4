//! Futures that run one future for each item, and give nothing.

use super::children::{Host, InNursery};
use super::flow::Flow;
use super::here::InPlace;
use super::place::{Budget, Place};
use super::try_map::TryMapConcurrent;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The future of [`for_each_concurrent`](crate::many::ConcurrentExt::for_each_concurrent).
    #[must_use = "it runs only when it is awaited"]
    pub struct ForEachConcurrent<S, F, P> {
        #[pin]
        flow: Flow<S, F, P>,
    }
}

pin_project! {
    /// The future of
    /// [`try_for_each_concurrent`](crate::many::ConcurrentExt::try_for_each_concurrent).
    #[must_use = "it runs only when it is awaited"]
    pub struct TryForEachConcurrent<S, F, P, R> {
        #[pin]
        stream: TryMapConcurrent<S, F, P, R>,
    }
}

impl<S, F, Fut: Future> ForEachConcurrent<S, F, InPlace<Fut>> {
    #[track_caller]
    pub(super) fn new(
        source: S,
        limit: usize,
        make: F,
        place: &'static Location<'static>,
    ) -> ForEachConcurrent<S, F, InPlace<Fut>> {
        ForEachConcurrent { flow: Flow::new(source, limit, make, InPlace::new(), place) }
    }

    /// Runs the futures as children of this nursery: as
    /// [`MapConcurrent::on`](crate::many::MapConcurrent::on) does.
    ///
    /// # Panics
    ///
    /// As `MapConcurrent::on`.
    #[track_caller]
    pub fn on<N: Host<Fut>>(
        self,
        nursery: &N,
    ) -> ForEachConcurrent<S, F, InNursery<N, Fut, N::Error>> {
        ForEachConcurrent { flow: self.flow.on(|place| InNursery::new(nursery.clone(), place)) }
    }
}

impl<S, F, Fut: Future> TryForEachConcurrent<S, F, InPlace<Fut>, Fut::Output> {
    #[track_caller]
    pub(super) fn new(source: S, limit: usize, make: F, place: &'static Location<'static>) -> Self {
        let stream = TryMapConcurrent::new(source, limit, make, place).unordered();
        TryForEachConcurrent { stream }
    }

    /// Runs the futures as children of this nursery: as
    /// [`TryMapConcurrent::on`](crate::many::TryMapConcurrent::on) does.
    ///
    /// # Panics
    ///
    /// As `MapConcurrent::on`.
    #[track_caller]
    pub fn on<N: Host<Fut>>(
        self,
        nursery: &N,
    ) -> TryForEachConcurrent<S, F, InNursery<N, Fut, N::Error>, Fut::Output> {
        TryForEachConcurrent { stream: self.stream.on(nursery) }
    }
}

impl<S: Stream, F, P> Future for ForEachConcurrent<S, F, P>
where
    F: FnMut(S::Item) -> P::Future,
    P: Place<Output = ()>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (mut flow, mut budget) = (self.project().flow, Budget::new());
        while ready!(flow.as_mut().poll_ended(cx, 0, &mut budget)).is_some() {}
        Poll::Ready(())
    }
}

impl<S: Stream, F, P, E> Future for TryForEachConcurrent<S, F, P, Result<(), E>>
where
    F: FnMut(S::Item) -> P::Future,
    P: Place<Output = Result<(), E>>,
{
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let (mut stream, mut budget) = (self.project().stream, Budget::new());
        while let Some(output) = ready!(stream.as_mut().poll_within(cx, &mut budget)) {
            output?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S, F, P: Place> fmt::Debug for ForEachConcurrent<S, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.flow.describe("ForEachConcurrent", f)
    }
}

impl<S, F, P: Place, R> fmt::Debug for TryForEachConcurrent<S, F, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryForEachConcurrent").field(&self.stream).finish()
    }
}
