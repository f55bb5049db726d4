//! A stream of what a future makes of each item.

use super::children::{Host, InNursery};
use super::flow::Flow;
use super::here::InPlace;
use super::order::Order;
use super::place::{Budget, Place};
use super::take::{Collect, Next};
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The stream of [`map_concurrent`](crate::many::ConcurrentExt::map_concurrent).
    ///
    /// `S` is the source, `F` makes a future of each item, `P` is where the futures run, and `T` is what
    /// they give.
    ///
    /// # Compared with
    ///
    /// `StreamExt::buffered` and `buffer_unordered` of futures: these allocate for each item, run in
    /// place only, and take a stream of futures.
    #[must_use = "it takes an item only when it is polled"]
    pub struct MapConcurrent<S, F, P, T> {
        #[pin]
        flow: Flow<S, F, P>,
        // None: each is given when it has ended.
        order: Option<Order<T>>,
    }
}

impl<S, F, Fut: Future> MapConcurrent<S, F, InPlace<Fut>, Fut::Output> {
    #[track_caller]
    pub(super) fn new(source: S, limit: usize, make: F, place: &'static Location<'static>) -> Self {
        let flow = Flow::new(source, limit, make, InPlace::new(), place);
        MapConcurrent { flow, order: Some(Order::new()) }
    }

    /// Runs the futures as children of this nursery, on its runtime: in parallel, if it has several
    /// threads, and also while nothing polls the stream.
    ///
    /// The stream takes an item of the source, and gives what has ended, when it is polled. A child
    /// that panics or is lost has no value: the task that polls the stream ends then, as with
    /// [`Child::value`](crate::Child::value), and the nursery reports the failure.
    ///
    /// A stream that is dropped cancels its children, with a reason of the kind
    /// [`RaceLost`](crate::cancel::ReasonKind::RaceLost). Their nursery waits for them.
    ///
    /// # Panics
    ///
    /// Panics if the stream was polled before. The stream panics if a child has no value and no task
    /// is there to end: it is polled outside of any nursery.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::many::ConcurrentExt;
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     let squares = (1..=4).map_concurrent(2, async |n| n * n).on(&n);
    ///     Ok(squares.collect::<Vec<_>>().await)
    /// });
    /// assert_eq!(block_on(run)?, [1, 4, 9, 16]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn on<N: Host<Fut>>(
        self,
        nursery: &N,
    ) -> MapConcurrent<S, F, InNursery<N, Fut, N::Error>, Fut::Output> {
        MapConcurrent {
            flow: self.flow.on(|place| InNursery::new(nursery.clone(), place)),
            order: self.order.map(|_| Order::new()),
        }
    }
}

impl<S, F, P: Place, T> MapConcurrent<S, F, P, T> {
    /// Gives each output as soon as it is there, and not in the order of the items.
    ///
    /// # Panics
    ///
    /// Panics if the stream was polled before.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::many::ConcurrentExt;
    /// use allhome::{Nursery, Simulator, sleep};
    /// use std::time::Duration;
    ///
    /// let ended = Simulator::new().run(async |_: Nursery| {
    ///     let sleeps = [30, 10, 20].map_concurrent(3, async |ms| {
    ///         sleep(Duration::from_millis(ms)).await;
    ///         ms
    ///     });
    ///     Ok(sleeps.unordered().collect::<Vec<_>>().await)
    /// })?;
    /// assert_eq!(ended, [10, 20, 30]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn unordered(mut self) -> Self {
        self.flow.assert_new("unordered");
        self.order = None;
        self
    }
}

impl<S: Stream, F, P, T> MapConcurrent<S, F, P, T>
where
    F: FnMut(S::Item) -> P::Future,
    P: Place<Output = T>,
{
    /// Waits for the next output. Gives `None` after the last one.
    ///
    /// In place, the futures run only while this, or another poll of the stream, does.
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
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream, and what it has collected.
    pub fn collect<C: Default + Extend<T>>(self) -> Collect<Self, C> {
        Collect::new(self)
    }
}

impl<S: Stream, F, P, T> Stream for MapConcurrent<S, F, P, T>
where
    F: FnMut(S::Item) -> P::Future,
    P: Place<Output = T>,
{
    type Item = T;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut this = self.project();
        let mut budget = Budget::new();
        let Some(order) = this.order else {
            let ended = ready!(this.flow.poll_ended(cx, 0, &mut budget));
            return Poll::Ready(ended.map(|(_, output)| output));
        };
        loop {
            let output = order.take();
            if output.is_some() {
                return Poll::Ready(output);
            }
            match ready!(this.flow.as_mut().poll_ended(cx, order.held(), &mut budget)) {
                Some((number, output)) => order.put(number, output),
                None => return Poll::Ready(None),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.flow.size_hint(self.order.as_ref().map_or(0, Order::held))
    }
}

impl<S, F, P: Place, T> fmt::Debug for MapConcurrent<S, F, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.flow.describe("MapConcurrent", f)
    }
}
