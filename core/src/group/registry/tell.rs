//! Telling members of a cancel, and claiming those that are to be destroyed.

#![allow(unsafe_code)]

use super::Registry;
use super::lists::{LIVE, QUEUE, TOLD};
use crate::reason::Reason;
use crate::record::{Claimed, Handle, Ptr};
use std::task::Waker;

/// What telling a task of a cancel leaves to do.
pub(crate) enum Told {
    /// It was never polled, and is to be destroyed.
    Unpolled(Claimed),
    /// It waits, and is to be woken for its last poll.
    Wake(Waker),
    /// It is being polled, or destroyed, and will see for itself.
    Busy,
}

impl Registry {
    /// Claims the next record that no carrier has taken, and moves it to TOLD.
    pub(crate) fn claim_queued(&mut self) -> Option<Claimed> {
        let ptr = self.pop(QUEUE)?;
        self.push(ptr, TOLD);
        // SAFETY: it stands in a list and the lock is held. Nobody can have claimed it: a record
        // of the queue is reached through this lock only.
        let claimed = unsafe { ptr.claim() };
        debug_assert!(claimed.is_some());
        claimed
    }

    /// Tells the next live record of the nursery's cancel, and moves it to TOLD.
    pub(crate) fn tell_next(&mut self) -> Option<Told> {
        let ptr = self.pop(LIVE)?;
        self.push(ptr, TOLD);
        Some(self.tell(ptr))
    }

    /// Orders the destruction of the next live record, and moves it to TOLD. Gives the claim
    /// unless somebody else has it, who will then see to it.
    pub(crate) fn abort_next(&mut self) -> Option<Option<Claimed>> {
        let ptr = self.pop(LIVE)?;
        self.push(ptr, TOLD);
        Some(self.abort(ptr))
    }

    /// Puts everybody who was told of the cancel back among the live, for an abort.
    pub(crate) fn untell(&mut self) {
        while let Some(ptr) = self.pop(TOLD) {
            self.push(ptr, LIVE);
        }
    }

    /// Tells one task, by its handle, of its own cancel. None if it has left.
    pub(crate) fn tell_one<T, E>(&mut self, handle: &Handle<T, E>, reason: Reason) -> Option<Told> {
        let ptr = self.member(handle)?;
        self.keep_reason(ptr, reason);
        Some(self.tell(ptr))
    }

    /// Orders the destruction of one task, by its handle. None if it has left.
    pub(crate) fn abort_one<T, E>(
        &mut self,
        handle: &Handle<T, E>,
        reason: Reason,
    ) -> Option<Option<Claimed>> {
        let ptr = self.member(handle)?;
        self.keep_reason(ptr, reason);
        Some(self.abort(ptr))
    }

    fn tell(&mut self, ptr: Ptr) -> Told {
        // SAFETY: the record stands in a list and the lock is held.
        let header = unsafe { ptr.header() };
        if self.list(ptr) == QUEUE {
            self.remove(ptr);
            self.push(ptr, TOLD);
        }
        header.state().set_cancel();
        // SAFETY: as above.
        let Some(mut claimed) = (unsafe { ptr.claim() }) else { return Told::Busy };
        if header.polls() == 0 {
            return Told::Unpolled(claimed);
        }
        let waker = self.take_waker(&mut claimed);
        claimed.unclaim();
        waker.map_or(Told::Busy, Told::Wake)
    }

    fn abort(&mut self, ptr: Ptr) -> Option<Claimed> {
        if self.list(ptr) == QUEUE {
            self.remove(ptr);
            self.push(ptr, TOLD);
        }
        // SAFETY: the record stands in a list and the lock is held.
        unsafe { ptr.header() }.state().set_abort();
        // SAFETY: as above.
        unsafe { ptr.claim() }
    }

    fn keep_reason(&mut self, ptr: Ptr, reason: Reason) {
        if self.reason.is_none() {
            let number = self.number(ptr);
            self.own_reasons.entry(number).or_insert(reason);
        }
    }
}
