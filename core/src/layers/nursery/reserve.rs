//! Waiting for a slot of a nursery.

pub(crate) mod place_wait;

use super::Nursery;
use super::reserve_error::ReserveError;
use super::task_builder::TaskBuilder;
use crate::layers::base::counted::Strong;
use crate::layers::base::invariant::Invariant;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::group::Group;
use crate::layers::limit::Semaphore;
use pin_project_lite::pin_project;
use place_wait::{Door, PlaceWait};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pin_project! {
    /// The future of [`Nursery::reserve`](crate::Nursery::reserve).
    #[must_use = "it waits for a slot only when it is awaited"]
    pub struct Reserve<E> {
        #[pin]
        wait: PlaceWait<Strong<Group>>,
        error: Invariant<E>,
    }
}

impl<E> Reserve<E> {
    pub(crate) fn new(group: &Strong<Group>, location: &'static Location<'static>) -> Reserve<E> {
        Reserve { wait: PlaceWait::new(group.clone(), location), error: PhantomData }
    }
}

impl<E: Send + Sync + 'static> Future for Reserve<E> {
    type Output = Result<TaskBuilder<'static, E>, ReserveError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.project().wait.poll(cx);
        polled.map_ok(|(group, place)| TaskBuilder::reserved(Nursery::new(group), place))
    }
}

impl Door for Strong<Group> {
    type Entry = u64;

    fn limiter(&self) -> Option<&Arc<Semaphore>> {
        self.owned().limiter.as_ref()
    }

    fn refuses(&self) -> Option<Reason> {
        Group::refuses(self)
    }

    fn await_end(&self, entry: Option<u64>, waker: &Waker) -> Result<u64, Reason> {
        Group::await_end(self, entry, waker)
    }

    fn forget(&self, entry: u64) {
        self.forget_reserve(entry);
    }
}

impl<E> fmt::Debug for Reserve<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nursery = self.wait.door().map(|group| group.id);
        f.debug_struct("Reserve").field("nursery", &nursery).finish_non_exhaustive()
    }
}
