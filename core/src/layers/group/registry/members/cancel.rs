//! Notifying members of a cancel or abort, and claiming those that the caller destroys.

#![allow(unsafe_code)]

use super::lists::{CANCELLED, LIVE, QUEUE, WOKEN};
use super::{Member, Members};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::Level;
use crate::layers::record::{Claimed, Ptr};
use std::task::Waker;

/// What the cancel or abort of a member leaves to do.
pub(crate) enum OnCancel {
    /// The caller destroys it: it was aborted, or never polled.
    Doomed(Claimed),
    /// It waits, and the caller wakes it for its last poll.
    Wake(Foreign<Waker>),
    /// It is in the queue for its last poll, or is being polled, or destroyed, and will see for
    /// itself. The caller sees that a carrier comes.
    Busy,
}

/// How far an abort has come with those that wait for another poll: it looks at each once, and
/// again only if others have come.
#[derive(Default)]
pub(crate) struct Pass {
    left: usize,
    requeued: Option<usize>,
}

impl Members {
    /// Claims the next record that was never polled, or, if `woken`, the next that waits for a
    /// carrier, and moves it to CANCELLED.
    pub(crate) fn claim_queued(&mut self, woken: bool) -> Option<Claimed> {
        let mut next = self.lists.pop(QUEUE);
        if woken && next.is_none() {
            next = self.lists.pop(WOKEN);
        }
        let ptr = next?;
        self.lists.push(ptr, CANCELLED);
        // SAFETY: the lock is held, and the claim of a queued record is the list's.
        Some(unsafe { ptr.claimed() })
    }

    /// Claims every member that waits and has no carrier of its own, and moves it to CANCELLED.
    pub(crate) fn claim_unbound(&mut self) -> Vec<Claimed> {
        let mut claimed = Vec::new();
        while let Some(next) = self.claim_queued(true) {
            claimed.push(next);
        }
        for list in [LIVE, CANCELLED] {
            let mut at = self.lists.head(list);
            while let Some(ptr) = at {
                at = self.lists.next(ptr);
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

    /// Tells the next member of the nursery's cancel or abort, and moves it on. None when all have
    /// been told.
    pub(crate) fn sweep_next(&mut self, abort: bool, pass: &mut Pass) -> Option<OnCancel> {
        if let Some(claimed) = self.claim_queued(false) {
            return Some(OnCancel::Doomed(claimed));
        }
        let Some(ptr) = self.lists.pop(LIVE) else {
            return if abort { self.sweep_woken(pass) } else { None };
        };
        self.lists.push(ptr, CANCELLED);
        Some(if abort { self.abort_ptr(ptr) } else { self.cancel(ptr) })
    }

    /// Claims the next of those that wait for another poll, and moves it to CANCELLED; or puts it
    /// behind the others, if it has a shield up. QUEUE is empty.
    fn sweep_woken(&mut self, pass: &mut Pass) -> Option<OnCancel> {
        if pass.left == 0 {
            if pass.requeued == Some(self.requeued) {
                return None;
            }
            *pass = Pass { left: self.queued(), requeued: Some(self.requeued) };
        }
        pass.left = pass.left.checked_sub(1)?;
        let ptr = self.lists.pop(WOKEN)?;
        // SAFETY: it stood in a list and the lock is held.
        let shielded = unsafe { ptr.header() }.state().is_shielded();
        self.lists.push(ptr, if shielded { WOKEN } else { CANCELLED });
        if shielded {
            return Some(OnCancel::Busy);
        }
        // SAFETY: the lock is held, and the claim of a queued record is the list's.
        Some(OnCancel::Doomed(unsafe { ptr.claimed() }))
    }

    /// Puts every member that was notified of the cancel back among the live, for an abort.
    pub(crate) fn sweep_again(&mut self) {
        while let Some(ptr) = self.lists.pop(CANCELLED) {
            self.lists.push(ptr, LIVE);
        }
    }

    /// Notifies one member of its own cancel, or orders its destruction.
    pub(crate) fn cancel_one(&mut self, member: Member, level: Level) -> OnCancel {
        if level == Level::Aborted { self.abort(member) } else { self.cancel(member.ptr) }
    }

    /// Takes down a member's shield. Wakes it if it was cancelled: gives its carrier's waker, or
    /// puts it in the queue.
    pub(crate) fn lower_shield(&mut self, member: Member) -> Option<Foreign<Waker>> {
        let ptr = member.ptr;
        // SAFETY: it stands in a list (invariant 4), and the lock is held.
        let state = unsafe { ptr.header() }.state();
        state.lower_shield();
        if !state.is_cancelled() {
            return None;
        }
        // SAFETY: as above.
        let claimed = unsafe { ptr.claim() }?;
        self.wake(claimed)
    }

    /// Orders the destruction of a member.
    pub(crate) fn abort(&mut self, member: Member) -> OnCancel {
        self.abort_ptr(member.ptr)
    }

    fn cancel(&mut self, ptr: Ptr) -> OnCancel {
        let list = self.lists.of(ptr);
        // SAFETY: the record stands in a list and the lock is held.
        let won = unsafe { ptr.order(false) };
        match won.or_else(|| if list == QUEUE { self.unqueue(ptr) } else { None }) {
            None => OnCancel::Busy,
            Some(claimed) if claimed.header().is_unstarted() => OnCancel::Doomed(claimed),
            Some(claimed) => self.wake(claimed).map_or(OnCancel::Busy, OnCancel::Wake),
        }
    }

    fn abort_ptr(&mut self, ptr: Ptr) -> OnCancel {
        // SAFETY: the record stands in a list and the lock is held.
        let won = unsafe { ptr.order(true) };
        // SAFETY: as above.
        if unsafe { ptr.header() }.state().is_shielded() {
            // It sees for itself, when the shield is lifted.
            return won
                .and_then(|claimed| self.wake(claimed))
                .map_or(OnCancel::Busy, OnCancel::Wake);
        }
        won.or_else(|| self.unqueue(ptr)).map_or(OnCancel::Busy, OnCancel::Doomed)
    }

    /// Takes over the claim of a record that is queued, and moves it to CANCELLED.
    fn unqueue(&mut self, ptr: Ptr) -> Option<Claimed> {
        if !matches!(self.lists.of(ptr), QUEUE | WOKEN) {
            return None;
        }
        self.lists.remove(ptr);
        self.lists.push(ptr, CANCELLED);
        // SAFETY: the lock is held, and the claim of a queued record is the list's.
        Some(unsafe { ptr.claimed() })
    }
}
