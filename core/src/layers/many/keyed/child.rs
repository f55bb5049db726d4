//! The future of a child with a key: it may wait for the one before it, and says when it is gone.

use super::Keys;
use super::flight::{Flight, Wait};
use crate::layers::base::sync::Arc;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    pub(super) struct Keyed<F, T> {
        // None: it was dropped. Before `entry`: others are told when it is gone.
        #[pin]
        future: Option<F>,
        entry: Entry<T>,
    }

    impl<F, T> PinnedDrop for Keyed<F, T> {
        fn drop(this: Pin<&mut Self>) {
            this.project().future.set(None);
        }
    }
}

/// The key is free, and the child gone, when this is dropped.
pub(super) struct Entry<T> {
    keys: Arc<Keys<T>>,
    key: u128,
    flight: Arc<Flight<T>>,
    after: Option<Wait<T>>,
}

impl<T> Entry<T> {
    pub(super) fn new(keys: &Arc<Keys<T>>, key: u128, flight: Arc<Flight<T>>) -> Entry<T> {
        Entry { keys: keys.clone(), key, flight, after: None }
    }

    /// The child is not polled before this one is gone.
    pub(super) fn after(mut self, old: Option<Arc<Flight<T>>>) -> Entry<T> {
        self.after = old.map(Wait::new);
        self
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        self.keys.remove(self.key, &self.flight);
        self.flight.end(self.after.take().map(Wait::into_flight));
    }
}

impl<F, T> Keyed<F, T> {
    pub(super) fn new(future: F, entry: Entry<T>) -> Keyed<F, T> {
        Keyed { future: Some(future), entry }
    }

    /// Returns the future, if it was not polled.
    pub(super) fn into_future(mut self) -> F {
        self.future.take().expect("it is dropped with this")
    }
}

impl<F, T, E> Future for Keyed<F, T>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let this = self.project();
        if let Some(after) = &mut this.entry.after {
            ready!(after.poll(cx.waker(), true));
            this.entry.after = None;
        }
        let future = this.future.as_pin_mut().expect("it is polled until it is ready");
        let value = ready!(future.poll(cx))?;
        this.entry.flight.set_value(value);
        Poll::Ready(Ok(()))
    }
}
