//! The future of a child that cannot fail, as one that may.
//!
//! An async block around it would keep the future twice, once as what it captured and once as what
//! it awaits.

use pin_project_lite::pin_project;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that gives nothing, of any type.
pub(super) type BoxedUnit = Pin<Box<dyn Future<Output = ()> + Send>>;

pin_project! {
    pub(super) struct CannotFail<F, E> {
        #[pin]
        future: F,
        error: PhantomData<fn() -> E>,
    }
}

impl<F, E> CannotFail<F, E> {
    pub(super) fn new(future: F) -> CannotFail<F, E> {
        CannotFail { future, error: PhantomData }
    }
}

impl<F: Future, E> Future for CannotFail<F, E> {
    type Output = Result<F::Output, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Ok)
    }
}
