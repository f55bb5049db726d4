//! Waiting for permits.
//!
//! The futures are pinned by hand and not by `pin_project!`, whose destructor is a call that is not
//! inlined: a tenth of the cost of an acquire that need not wait.
//!
//! # Invariants
//!
//! `wait` is pinned when the future is, which is not `Unpin` since `Wait` is not. Nothing is moved
//! out of it, and the destructor touches it where it is.

#![allow(unsafe_code)]

use super::error::AcquireError;
use super::fair_queue::NO_KEY;
use super::permit::{OwnedPermit, Permit};
use super::semaphore::Semaphore;
use super::wait::{Wait, polled_after_ready};
use crate::layers::base::sync::Arc;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`Semaphore::acquire`] and [`acquire_many`](Semaphore::acquire_many).
#[must_use = "it joins the queue only when it is awaited"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    wait: Wait,
}

/// The future of [`Semaphore::acquire_owned`] and
/// [`acquire_many_owned`](Semaphore::acquire_many_owned).
#[must_use = "it joins the queue only when it is awaited"]
pub struct AcquireOwned {
    // `None` once it was ready: then the permit has it.
    semaphore: Option<Arc<Semaphore>>,
    wait: Wait,
}

impl<'a> Acquire<'a> {
    #[inline(always)]
    pub(super) fn new(
        semaphore: &'a Semaphore,
        asked: usize,
        location: &'static Location<'static>,
    ) -> Acquire<'a> {
        Acquire { semaphore, wait: Wait::new(asked, location) }
    }

    pub(super) fn in_lane(
        semaphore: &'a Semaphore,
        asked: usize,
        lane: u64,
        location: &'static Location<'static>,
    ) -> Acquire<'a> {
        Acquire { semaphore, wait: Wait::in_lane(asked, lane, location) }
    }
}

impl<'a> Acquire<'a> {
    pub(super) fn semaphore(&self) -> &'a Semaphore {
        self.semaphore
    }
}

impl AcquireOwned {
    pub(super) fn new(
        semaphore: Arc<Semaphore>,
        asked: usize,
        location: &'static Location<'static>,
    ) -> AcquireOwned {
        AcquireOwned::in_lane(semaphore, asked, NO_KEY, location)
    }

    pub(super) fn in_lane(
        semaphore: Arc<Semaphore>,
        asked: usize,
        lane: u64,
        location: &'static Location<'static>,
    ) -> AcquireOwned {
        AcquireOwned { semaphore: Some(semaphore), wait: Wait::in_lane(asked, lane, location) }
    }

    /// Returns the number of its semaphore's name: 0 if it has none.
    pub(crate) fn name_number(&self) -> u64 {
        self.semaphore.as_ref().map_or(0, |semaphore| semaphore.name_number())
    }

    /// Marks it as one that waits for a slot; if it `returns`, for one that it had lent.
    pub(super) fn for_slot(mut self, returns: bool) -> AcquireOwned {
        self.wait.set_slot(returns);
        self
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Permit<'a>, AcquireError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let semaphore = self.semaphore;
        // SAFETY: `wait` is pinned with the future (invariant 1).
        let wait = unsafe { self.map_unchecked_mut(|this| &mut this.wait) };
        // SAFETY: it is one and the same permits, borrowed for longer than this lives.
        let granted = unsafe { wait.poll(&semaphore.permits, cx.waker()) };
        if granted.is_pending() {
            semaphore.mark();
        }
        granted.map_ok(|share| Permit::new(semaphore, share))
    }
}

impl Future for AcquireOwned {
    type Output = Result<OwnedPermit, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of what is pinned (invariant 1).
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        let wait = unsafe { Pin::new_unchecked(&mut this.wait) };
        let Some(semaphore) = &this.semaphore else { polled_after_ready() };
        // SAFETY: it is one and the same permits, which the destructor leaves before it goes.
        let granted = unsafe { wait.poll(&semaphore.permits, cx.waker()) };
        if granted.is_pending() {
            semaphore.mark();
        }
        granted.map_ok(|share| {
            // Not earlier: if a waker panics in there, the destructor still has to leave.
            let semaphore = this.semaphore.take().unwrap_or_else(|| polled_after_ready());
            OwnedPermit::new(semaphore, share)
        })
    }
}

impl Drop for Acquire<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `wait` is pinned if the future was, and is not moved any more (invariant 1).
        let wait = unsafe { Pin::new_unchecked(&mut self.wait) };
        // SAFETY: it is the permits of every poll.
        unsafe { wait.leave(&self.semaphore.permits) };
    }
}

impl Drop for AcquireOwned {
    fn drop(&mut self) {
        // SAFETY: `wait` is pinned if the future was, and is not moved any more (invariant 1).
        let wait = unsafe { Pin::new_unchecked(&mut self.wait) };
        if let Some(semaphore) = &self.semaphore {
            // SAFETY: it is the permits of every poll, and its field is dropped after this.
            unsafe { wait.leave(&semaphore.permits) };
        }
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Acquire");
        debug.field("asked", &self.wait.asked()).field("semaphore", self.semaphore);
        debug.finish_non_exhaustive()
    }
}

impl fmt::Debug for AcquireOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AcquireOwned");
        debug.field("asked", &self.wait.asked()).field("semaphore", &self.semaphore);
        debug.finish_non_exhaustive()
    }
}
