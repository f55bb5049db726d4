//! A stream of what a future makes of each item, until one fails.

use super::children::{Host, InNursery};
use super::flow::Flow;
use super::here::InPlace;
use super::order::Order;
use super::place::{Budget, Place};
use super::take::{Next, TryCollect};
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The stream of [`try_map_concurrent`](crate::many::ConcurrentExt::try_map_concurrent).
    ///
    /// `S` is the source, `F` makes a future of each item, `P` is where the futures run, and `R` is what
    /// they give, a `Result`.
    ///
    /// # The error
    ///
    /// It is given once, and is the last that is given. When the future of an item fails, no more
    /// items are taken, the source is dropped, and so are the futures that are not needed. They are
    /// gone when the error is given.
    ///
    /// - In order, those of later items are not needed. The outputs of earlier ones are given before
    ///   the error; if one of them fails, its error is given instead. So which error is given
    ///   depends on the items, and not on how long each takes.
    /// - [`unordered`](TryMapConcurrent::unordered), none is needed: the error is given at once.
    ///
    /// # Compared with
    ///
    /// `try_buffered` and `try_buffer_unordered` of futures keep the source and the other futures
    /// after an error, for callers that poll on.
    #[must_use = "it takes an item only when it is polled"]
    pub struct TryMapConcurrent<S, F, P, R> {
        #[pin]
        flow: Flow<S, F, P>,
        // None: each is given when it has ended.
        order: Option<Order<R>>,
        // The first failure, by the order that counts, and its item.
        failed: Option<(usize, R)>,
    }
}

impl<S, F, Fut: Future> TryMapConcurrent<S, F, InPlace<Fut>, Fut::Output> {
    #[track_caller]
    pub(super) fn new(source: S, limit: usize, make: F, place: &'static Location<'static>) -> Self {
        let flow = Flow::new(source, limit, make, InPlace::new(), place);
        TryMapConcurrent { flow, order: Some(Order::new()), failed: None }
    }

    /// Runs the futures as children of this nursery: as
    /// [`MapConcurrent::on`](crate::many::MapConcurrent::on) does. Their errors are the stream's, and
    /// no failures of the nursery. Those that are not needed after an error are cancelled, with a
    /// reason of the kind [`RaceLost`](crate::cancel::ReasonKind::RaceLost).
    ///
    /// # Panics
    ///
    /// As `MapConcurrent::on`.
    #[track_caller]
    pub fn on<N: Host<Fut>>(
        self,
        nursery: &N,
    ) -> TryMapConcurrent<S, F, InNursery<N, Fut, N::Error>, Fut::Output> {
        let order = self.order.map(|_| Order::new());
        TryMapConcurrent {
            flow: self.flow.on(|place| InNursery::new(nursery.clone(), place)),
            order,
            failed: None,
        }
    }
}

impl<S, F, P: Place, R> TryMapConcurrent<S, F, P, R> {
    /// Gives each output as soon as it is there, and the first error at once.
    ///
    /// # Panics
    ///
    /// Panics if the stream was polled before.
    #[track_caller]
    pub fn unordered(mut self) -> Self {
        self.flow.assert_new("unordered");
        self.order = None;
        self
    }
}

impl<S, F, P, T, E> TryMapConcurrent<S, F, P, Result<T, E>>
where
    S: Stream,
    F: FnMut(S::Item) -> P::Future,
    P: Place<Output = Result<T, E>>,
{
    /// Waits for the next output, or the error. Gives `None` after the last one.
    ///
    /// # Errors
    ///
    /// Gives the error of a future that has failed: see [the error](TryMapConcurrent#the-error).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: items and outputs stay in the stream.
    #[expect(clippy::should_implement_trait, reason = "the name that streams have for it")]
    pub fn next(&mut self) -> Next<'_, Self>
    where
        Self: Unpin,
    {
        Next::new(self)
    }

    /// Runs the stream to its end, and gives all outputs.
    ///
    /// # Errors
    ///
    /// Gives the error of a future that has failed: see [the error](TryMapConcurrent#the-error). The
    /// outputs are lost then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream, and what it has collected.
    pub fn try_collect<C: Default + Extend<T>>(self) -> TryCollect<Self, C> {
        TryCollect::new(self)
    }

    /// As the stream's `poll_next`, for a caller that has steps left in this poll.
    pub(super) fn poll_within(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        budget: &mut Budget,
    ) -> Poll<Option<Result<T, E>>> {
        let mut this = self.project();
        loop {
            let output = this.order.as_mut().and_then(Order::take);
            if output.is_some() {
                return Poll::Ready(output);
            }
            let held = this.order.as_ref().map_or(0, Order::held);
            let Some((number, output)) = ready!(this.flow.as_mut().poll_ended(cx, held, budget))
            else {
                return Poll::Ready(this.failed.take().map(|(_, failed)| failed));
            };
            let ordered = this.order.is_some();
            if this.failed.as_ref().is_some_and(|(failed, _)| !ordered || number > *failed) {
                continue;
            }
            match (output, &mut *this.order) {
                (Ok(value), None) => return Poll::Ready(Some(Ok(value))),
                (Ok(value), Some(order)) => order.put(number, Ok(value)),
                (Err(error), order) => {
                    *this.failed = Some((number, Err(error)));
                    let not_needed = if ordered { number } else { 0 };
                    order.iter_mut().for_each(|order| order.cut(not_needed));
                    this.flow.as_mut().stop(not_needed);
                }
            }
        }
    }
}

impl<S, F, P, T, E> Stream for TryMapConcurrent<S, F, P, Result<T, E>>
where
    S: Stream,
    F: FnMut(S::Item) -> P::Future,
    P: Place<Output = Result<T, E>>,
{
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        self.poll_within(cx, &mut Budget::new())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The least, because an error ends it.
        let held = self.order.as_ref().map_or(0, Order::held) + usize::from(self.failed.is_some());
        let (least, most) = self.flow.size_hint(held);
        (least.min(1), most)
    }
}

impl<S, F, P: Place, R> fmt::Debug for TryMapConcurrent<S, F, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.flow.describe("TryMapConcurrent", f)
    }
}
