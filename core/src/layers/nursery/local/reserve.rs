//! Waiting for a slot of a local nursery.

use super::task_builder::LocalTaskBuilder;
use crate::layers::nursery::reserve::Reserve;
use crate::layers::nursery::reserve_error::ReserveError;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

pin_project! {
    /// The future of [`LocalNursery::reserve`](crate::local::LocalNursery::reserve).
    #[must_use = "it waits for a slot only when it is awaited"]
    pub struct LocalReserve<E> {
        #[pin]
        reserve: Reserve<E>,
        stays: PhantomData<Rc<()>>,
    }
}

impl<E> LocalReserve<E> {
    pub(super) fn new(reserve: Reserve<E>) -> LocalReserve<E> {
        LocalReserve { reserve, stays: PhantomData }
    }
}

impl<E: Send + Sync + 'static> Future for LocalReserve<E> {
    type Output = Result<LocalTaskBuilder<'static, E>, ReserveError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().reserve.poll(cx).map_ok(LocalTaskBuilder::new)
    }
}

impl<E> fmt::Debug for LocalReserve<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalReserve").field(&self.reserve).finish()
    }
}
