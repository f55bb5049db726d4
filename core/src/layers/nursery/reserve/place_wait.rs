//! Waiting for a place in a nursery, or in a scope.
//!
//! It waits for three things at once: a permit of the limiter, its own cancel (which the acquire
//! sees to), and the end of what has the door, which keeps its waker.

use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::lending::held_slot;
use crate::layers::lending::held_slot::Lease;
use crate::layers::limit::{AcquireOwned, OwnedPermit, Semaphore};
use crate::layers::nursery::reserve_error::ReserveError;
use pin_project_lite::pin_project;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A place, which has a permit if there is a limit.
pub(crate) struct Place {
    // Before the lease: when that is gone the task wants its own slot back.
    pub(crate) permit: Option<OwnedPermit>,
    pub(crate) lease: Option<Lease>,
}

impl Place {
    pub(crate) fn new(permit: Option<OwnedPermit>, lease: Option<Lease>) -> Place {
        Place { permit, lease }
    }
}

/// What has places: a nursery, or a scope.
pub(crate) trait Door {
    /// By which it finds what waits for its end.
    type Entry: Copy;

    fn limiter(&self) -> Option<&Arc<Semaphore>>;

    /// Returns why it admits no child.
    fn refuses(&self) -> Option<Reason>;

    /// Has the waker woken when no child is admitted any more. Returns why, if that is so already.
    fn await_end(&self, entry: Option<Self::Entry>, waker: &Waker) -> Result<Self::Entry, Reason>;

    fn forget(&self, entry: Self::Entry);
}

pin_project! {
    pub(crate) struct PlaceWait<D>
    where
        D: Door,
    {
        // None when it was ready.
        door: Option<D>,
        // None where there is no limit.
        #[pin]
        acquire: Option<AcquireOwned>,
        // Among the waiters for the end.
        entry: Option<D::Entry>,
        lease: Option<Lease>,
    }

    impl<D> PinnedDrop for PlaceWait<D>
    where
        D: Door,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let (Some(door), Some(entry)) = (&*this.door, *this.entry) {
                door.forget(entry);
            }
        }
    }
}

impl<D: Door> PlaceWait<D> {
    pub(crate) fn new(door: D, location: &'static Location<'static>) -> PlaceWait<D> {
        let acquire = door.limiter().map(|limiter| limiter.acquire_at(location, false));
        PlaceWait { door: Some(door), acquire, entry: None, lease: None }
    }

    pub(crate) fn door(&self) -> Option<&D> {
        self.door.as_ref()
    }

    fn poll_permit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<OwnedPermit>, ReserveError>> {
        let mut this = self.project();
        let door = this.door.as_ref().expect("a reservation is not polled after it was ready");
        if this.entry.is_none() {
            if let Some(reason) = door.refuses() {
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
            let Some(limiter) = door.limiter() else { break };
            if this.lease.is_some() {
                break;
            }
            // A task that waits for a slot does not keep others from theirs; it may get its own.
            *this.lease = held_slot(|slot| slot?.lend(limiter));
            if this.lease.is_none() {
                break;
            }
        }
        match door.await_end(*this.entry, cx.waker()) {
            Ok(entry) => {
                *this.entry = Some(entry);
                Poll::Pending
            }
            Err(reason) => Poll::Ready(Err(ReserveError::Refused(reason))),
        }
    }
}

impl<D: Door> Future for PlaceWait<D> {
    type Output = Result<(D, Place), ReserveError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let so_far = wait_mark::so_far();
        let Poll::Ready(granted) = self.as_mut().poll_permit(cx) else {
            let limiter = self.door.as_ref().and_then(D::limiter);
            let named = limiter.map_or(0, |limiter| limiter.name_number());
            wait_mark::instead(so_far, Kind::Slot, named);
            return Poll::Pending;
        };
        let mut this = self.project();
        let door = this.door.take().expect("it was there for the poll");
        if let Some(entry) = this.entry.take() {
            door.forget(entry);
        }
        // What it asked for is given up, unless it was granted; only then does no future need the
        // task's slot.
        this.acquire.set(None);
        let lease = this.lease.take();
        Poll::Ready(granted.map(|permit| (door, Place::new(permit, lease))))
    }
}
