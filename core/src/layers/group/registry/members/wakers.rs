//! What stands in the records of members and is woken: a joiner, and the carrier that is a child's
//! own.

#![allow(unsafe_code)]

use super::{Member, Members};
use crate::layers::base::guarded::Foreign;
use crate::layers::record::joiner::Joiner;
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

    /// Takes the joiner.
    #[inline]
    pub(crate) fn take_joiner(&mut self, claimed: &mut Claimed) -> Joiner {
        // SAFETY: the lock is held.
        unsafe { claimed.take_joiner() }
    }

    /// Tells the joiner that the child has ended, and returns the waker that it has for that.
    pub(crate) fn tell_joiner(
        &mut self,
        claimed: &mut Claimed,
        has_value: bool,
    ) -> Option<Foreign<Waker>> {
        let record = claimed.ptr();
        self.take_joiner(claimed).ended(record, has_value)
    }

    /// Keeps the joiner, unless the outcome is there; returns one to drop.
    pub(crate) fn set_joiner<T, E>(
        &mut self,
        handle: &mut Handle<T, E>,
        joiner: Foreign<Joiner>,
    ) -> Result<Foreign<Joiner>, Foreign<Joiner>> {
        if handle.header().state().is_done() {
            return Err(joiner);
        }
        // SAFETY: the lock is held.
        Ok(Foreign::new(unsafe { handle.set_joiner(joiner.into_inner()) }))
    }

    /// Takes a joiner that waits no longer, if it is there still.
    pub(crate) fn forget_joiner<T, E>(&mut self, handle: &mut Handle<T, E>) -> Foreign<Joiner> {
        // SAFETY: the lock is held.
        Foreign::new(unsafe { handle.take_joiner() })
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
