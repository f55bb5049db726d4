//! A future that stands alone, polled by the model.

use crate::manual::Flag;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A future and whether it was woken: polled only if it was, or never polled.
pub(crate) struct Waiting<F> {
    future: Pin<Box<F>>,
    pub(crate) woken: Arc<Flag>,
}

impl<F: Future> Waiting<F> {
    pub(crate) fn new(future: F) -> Waiting<F> {
        Waiting { future: Box::pin(future), woken: Flag::new(true) }
    }

    /// Polls it for as long as it is woken.
    pub(crate) fn turns(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(self.woken.clone());
        let mut cx = Context::from_waker(&waker);
        while self.woken.take() {
            if let Poll::Ready(value) = self.future.as_mut().poll(&mut cx) {
                return Poll::Ready(value);
            }
        }
        Poll::Pending
    }

    #[track_caller]
    pub(crate) fn ready(mut self) -> F::Output {
        match self.turns() {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it was not woken"),
        }
    }
}
