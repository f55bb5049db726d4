//! Waiting for a slot of a nursery.
//!
//! It waits for three things at once: a permit of the limiter, its own cancel (which the acquire
//! sees to), and the nursery's end, for which its waker is kept in the nursery's registry.

use super::Nursery;
use super::reserve_error::ReserveError;
use super::task_builder::{Place, TaskBuilder};
use crate::layers::base::counted::Strong;
use crate::layers::base::invariant::Invariant;
use crate::layers::group::Group;
use crate::layers::lending::held_slot;
use crate::layers::lending::held_slot::Lease;
use crate::layers::limit::{AcquireOwned, OwnedPermit};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of [`Nursery::reserve`](crate::Nursery::reserve).
    #[must_use = "it waits for a slot only when it is awaited"]
    pub struct Reserve<E> {
        // None when it was ready.
        group: Option<Strong<Group>>,
        // None where there is no limit.
        #[pin]
        acquire: Option<AcquireOwned>,
        // Among the waiters for the nursery's end.
        entry: Option<u64>,
        lease: Option<Lease>,
        error: Invariant<E>,
    }

    impl<E> PinnedDrop for Reserve<E> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let (Some(group), Some(entry)) = (&*this.group, *this.entry) {
                group.forget_reserve(entry);
            }
        }
    }
}

impl<E> Reserve<E> {
    pub(crate) fn new(group: &Strong<Group>, location: &'static Location<'static>) -> Reserve<E> {
        let acquire =
            group.owned().limiter.as_ref().map(|limiter| limiter.acquire_at(location, false));
        Reserve {
            group: Some(group.clone()),
            acquire,
            entry: None,
            lease: None,
            error: PhantomData,
        }
    }
}

impl<E: Send + Sync + 'static> Future for Reserve<E> {
    type Output = Result<TaskBuilder<'static, E>, ReserveError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(granted) = self.as_mut().poll_permit(cx) else { return Poll::Pending };
        let mut this = self.project();
        let group = this.group.take().expect("it was there for the poll");
        if let Some(entry) = this.entry.take() {
            group.forget_reserve(entry);
        }
        // What it asked for is given up, unless it was granted; only then does no future need the
        // task's slot.
        this.acquire.set(None);
        let lease = this.lease.take();
        let reserved =
            |permit| TaskBuilder::reserved(Nursery::new(group), Place::new(permit, lease));
        Poll::Ready(granted.map(reserved))
    }
}

impl<E: Send + Sync + 'static> Reserve<E> {
    fn poll_permit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<OwnedPermit>, ReserveError>> {
        let mut this = self.project();
        let group = this.group.as_ref().expect("a reservation is not polled after it was ready");
        if this.entry.is_none() {
            if let Some(reason) = group.refuses() {
                return Poll::Ready(Err(ReserveError::Refused(reason)));
            }
        }
        loop {
            let Some(acquire) = this.acquire.as_mut().as_pin_mut() else {
                return Poll::Ready(Ok(None));
            };
            match acquire.poll(cx) {
                Poll::Ready(Ok(permit)) => return Poll::Ready(Ok(Some(permit))),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {}
            }
            let Some(limiter) = &group.owned().limiter else { break };
            if this.lease.is_some() {
                break;
            }
            // A task that waits for a slot does not keep others from theirs; it may get its own.
            *this.lease = held_slot(|slot| slot?.lend(limiter));
            if this.lease.is_none() {
                break;
            }
        }
        match group.await_end(*this.entry, cx.waker()) {
            Ok(entry) => {
                *this.entry = Some(entry);
                Poll::Pending
            }
            Err(reason) => Poll::Ready(Err(ReserveError::Refused(reason))),
        }
    }
}

impl<E> fmt::Debug for Reserve<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nursery = self.group.as_ref().map(|group| group.id);
        f.debug_struct("Reserve").field("nursery", &nursery).finish_non_exhaustive()
    }
}
