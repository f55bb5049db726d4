//! Telling members of a cancel, and claiming those that are to be destroyed.

#![allow(unsafe_code)]

use super::Registry;
use super::lists::{LIVE, QUEUE, TOLD, WOKEN};
use crate::reason::{Level, Reason};
use crate::record::{Claimed, Handle, Ptr};
use std::task::Waker;

/// What telling a task of a cancel or abort leaves to do.
pub(crate) enum Told {
    /// It is to be destroyed: aborted, or never polled.
    Doomed(Claimed),
    /// It waits, and is to be woken for its last poll.
    Wake(Waker),
    /// It is in the queue for its last poll, or is being polled, or destroyed, and will see for
    /// itself. The caller sees that a carrier comes.
    Busy,
}

impl Registry {
    /// Claims the next record that was never polled, or, if `woken`, the next that waits for a
    /// carrier, and moves it to TOLD.
    pub(crate) fn claim_queued(&mut self, woken: bool) -> Option<Claimed> {
        let mut next = self.pop(QUEUE);
        if woken && next.is_none() {
            next = self.pop(WOKEN);
        }
        let ptr = next?;
        self.push(ptr, TOLD);
        // SAFETY: the lock is held, and the claim of a queued record is the registry's.
        Some(unsafe { ptr.claimed() })
    }

    /// Claims everybody who waits and has no carrier of his own, and moves them to TOLD.
    pub(crate) fn claim_unbound(&mut self) -> Vec<Claimed> {
        let mut claimed = Vec::new();
        while let Some(next) = self.claim_queued(true) {
            claimed.push(next);
        }
        for list in [LIVE, TOLD] {
            let mut at = self.head(list);
            while let Some(ptr) = at {
                at = self.next(ptr);
                // SAFETY: it stands in a list and the lock is held.
                let header = unsafe { ptr.header() };
                if !header.state().is_carried() {
                    // SAFETY: as above.
                    claimed.extend(unsafe { ptr.claim() });
                }
            }
        }
        claimed
    }

    /// Tells the next member of the nursery's cancel or abort, and moves it on. None if everybody
    /// has been told.
    pub(crate) fn sweep_next(&mut self, abort: bool) -> Option<Told> {
        if let Some(claimed) = self.claim_queued(false) {
            return Some(Told::Doomed(claimed));
        }
        let Some(ptr) = self.pop(LIVE) else {
            return if abort { self.claim_unshielded().map(Told::Doomed) } else { None };
        };
        self.push(ptr, TOLD);
        Some(if abort { self.abort(ptr) } else { self.tell(ptr) })
    }

    /// Claims the next of those that wait for another poll and have no shield up, and moves it to
    /// TOLD.
    fn claim_unshielded(&mut self) -> Option<Claimed> {
        let mut at = self.head(WOKEN);
        while let Some(ptr) = at {
            at = self.next(ptr);
            // SAFETY: it stands in a list and the lock is held.
            let state = unsafe { ptr.header() }.state();
            if !state.is_shielded() {
                return self.unqueue(ptr);
            }
        }
        None
    }

    /// Puts everybody who was told of the cancel back among the live, for an abort.
    pub(crate) fn untell(&mut self) {
        while let Some(ptr) = self.pop(TOLD) {
            self.push(ptr, LIVE);
        }
    }

    /// Keeps why one task, by its handle, is cancelled on its own; returns why it is: the first
    /// reason. None if it has left.
    pub(crate) fn keep_reason<T, E>(
        &mut self,
        handle: &Handle<T, E>,
        reason: &Reason,
    ) -> Option<Reason> {
        let number = self.number(self.member(handle)?);
        handle.header().state().rise();
        if self.reason.is_none() {
            self.own_reasons.entry(number).or_insert_with(|| reason.clone());
        }
        self.reason_of_number(number)
    }

    /// Tells one task, by its handle, of its own cancel, or orders its destruction. None if it has
    /// left.
    pub(crate) fn tell_one<T, E>(&mut self, handle: &Handle<T, E>, level: Level) -> Option<Told> {
        let ptr = self.member(handle)?;
        Some(if level == Level::Aborted { self.abort(ptr) } else { self.tell(ptr) })
    }

    /// Orders the destruction of a task, by the member's number, for the reason that it has. None if it has left.
    pub(crate) fn abort_number(&mut self, number: u64) -> Option<Told> {
        let ptr = self.find(number)?;
        Some(self.abort(ptr))
    }

    /// Takes down a member's shield. Wakes it if it was cancelled: gives its carrier's waker, or puts
    /// it in the queue.
    pub(crate) fn lower_shield(&mut self, number: u64) -> Option<Waker> {
        let ptr = self.find(number)?;
        // SAFETY: it stands in a list and the lock is held.
        let state = unsafe { ptr.header() }.state();
        state.lower_shield();
        if !state.is_cancelled() {
            return None;
        }
        // SAFETY: as above.
        let claimed = unsafe { ptr.claim() }?;
        self.wake(claimed)
    }

    /// Finds a member by its number: one by one, for what happens seldom.
    fn find(&self, number: u64) -> Option<Ptr> {
        [LIVE, TOLD, WOKEN, QUEUE].into_iter().find_map(|list| {
            let mut at = self.head(list);
            while let Some(ptr) = at {
                if self.number(ptr) == number {
                    return Some(ptr);
                }
                at = self.next(ptr);
            }
            None
        })
    }

    fn tell(&mut self, ptr: Ptr) -> Told {
        let list = self.list(ptr);
        // SAFETY: the record stands in a list and the lock is held.
        let won = unsafe { ptr.order(false) };
        match won.or_else(|| if list == QUEUE { self.unqueue(ptr) } else { None }) {
            None => Told::Busy,
            Some(claimed) if claimed.header().is_unstarted() => Told::Doomed(claimed),
            Some(claimed) => self.wake(claimed).map_or(Told::Busy, Told::Wake),
        }
    }

    fn abort(&mut self, ptr: Ptr) -> Told {
        // SAFETY: the record stands in a list and the lock is held.
        let won = unsafe { ptr.order(true) };
        // SAFETY: as above.
        if unsafe { ptr.header() }.state().is_shielded() {
            // It sees for itself, when the shield is lifted.
            return won.and_then(|claimed| self.wake(claimed)).map_or(Told::Busy, Told::Wake);
        }
        won.or_else(|| self.unqueue(ptr)).map_or(Told::Busy, Told::Doomed)
    }

    /// Takes over the claim of a record that is queued, and moves it to TOLD.
    fn unqueue(&mut self, ptr: Ptr) -> Option<Claimed> {
        if !matches!(self.list(ptr), QUEUE | WOKEN) {
            return None;
        }
        self.remove(ptr);
        self.push(ptr, TOLD);
        // SAFETY: the lock is held, and the claim of a queued record is the registry's.
        Some(unsafe { ptr.claimed() })
    }
}
