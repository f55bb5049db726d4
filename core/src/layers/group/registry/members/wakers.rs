//! The wakers that stand in the records of members: of a joiner, and of the carrier that is a
//! child's own.

#![allow(unsafe_code)]

use super::{Member, Members};
use crate::layers::base::guarded::Foreign;
use crate::layers::record::{Carried, Claimed, Handle};
use std::task::Waker;

impl Members {
    /// Wakes a task that waits although it was cancelled, because of a nursery inside it. Gives the
    /// waker, or puts the task in the queue: the caller sees that a carrier comes for it.
    pub(crate) fn wake_cancelled(&mut self, member: Member) -> Option<Foreign<Waker>> {
        let ptr = member.ptr;
        // SAFETY: it stands in a list (invariant 4), and the lock is held.
        let header = unsafe { ptr.header() };
        if !header.state().is_cancelled() {
            return None;
        }
        // SAFETY: as above.
        let claimed = unsafe { ptr.claim() }?;
        self.wake(claimed)
    }

    /// Gives a task that waits another poll: takes its carrier's waker, or, if it has none, puts it
    /// in the queue.
    pub(super) fn wake(&mut self, mut claimed: Claimed) -> Option<Foreign<Waker>> {
        if !claimed.header().state().is_carried() {
            self.requeue(claimed);
            return None;
        }
        let waker = self.take_waker(&mut claimed);
        claimed.unclaim();
        waker
    }

    /// Takes the carrier's waker.
    pub(crate) fn take_waker(&mut self, claimed: &mut Claimed) -> Option<Foreign<Waker>> {
        // SAFETY: the lock is held.
        unsafe { claimed.take_waker() }.map(Foreign::new)
    }

    /// Takes the joiner's waker.
    pub(crate) fn take_joiner(&mut self, claimed: &mut Claimed) -> Option<Foreign<Waker>> {
        // SAFETY: the lock is held.
        unsafe { claimed.take_joiner() }.map(Foreign::new)
    }

    /// Keeps the joiner's waker, unless the outcome is there; returns one to drop.
    pub(crate) fn set_joiner<T, E>(
        &mut self,
        handle: &mut Handle<T, E>,
        waker: Foreign<Waker>,
    ) -> Result<Option<Foreign<Waker>>, Foreign<Waker>> {
        if handle.header().state().is_done() {
            return Err(waker);
        }
        // SAFETY: the lock is held.
        Ok(unsafe { handle.set_joiner(waker.into_inner()) }.map(Foreign::new))
    }

    /// Takes the waker of a joiner that waits no longer, if it is there still.
    pub(crate) fn forget_joiner<T, E>(
        &mut self,
        handle: &mut Handle<T, E>,
    ) -> Option<Foreign<Waker>> {
        // SAFETY: the lock is held.
        unsafe { handle.take_joiner() }.map(Foreign::new)
    }

    /// Leaves a carrier's waker for the thread that has the claim, and returns one to drop.
    pub(crate) fn leave_waker(
        &mut self,
        carried: &Carried,
        waker: Foreign<Waker>,
    ) -> Option<Foreign<Waker>> {
        // SAFETY: the lock is held, and the caller found the claim taken.
        unsafe { carried.leave_waker(waker.into_inner()) }.map(Foreign::new)
    }
}
