//! Waiting for a slot of a thread scope.

use super::loan::Loans;
use super::task_builder::ThreadTask;
use crate::layers::nursery::reserve::Reserve;
use crate::layers::nursery::reserve_error::ReserveError;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of [`ThreadScope::reserve`](crate::ThreadScope::reserve).
    #[must_use = "it waits for a slot only when it is awaited"]
    pub struct ThreadReserve<'a, E> {
        #[pin]
        reserve: Reserve<E>,
        loans: Loans<'a>,
    }
}

impl<'a, E> ThreadReserve<'a, E> {
    pub(super) fn new(reserve: Reserve<E>, loans: Loans<'a>) -> ThreadReserve<'a, E> {
        ThreadReserve { reserve, loans }
    }
}

impl<'a, E: Send + Sync + 'static> Future for ThreadReserve<'a, E> {
    type Output = Result<ThreadTask<'static, 'a, E>, ReserveError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.reserve.poll(cx).map_ok(|task| ThreadTask::new(task, this.loans.clone()))
    }
}

impl<E> fmt::Debug for ThreadReserve<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadReserve").field(&self.reserve).finish()
    }
}
