//! Notifying members of a cancel or abort, and claiming those that the caller destroys.

#![allow(unsafe_code)]

use super::lists::{CANCELLED, LIVE, QUEUE, WOKEN};
use super::{Member, Members};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::Level;
use crate::layers::record::{Claimed, Ptr, Stack};
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
    /// Claims the next record that was never polled, and moves it to CANCELLED.
    pub(crate) fn claim_queued(&mut self) -> Option<Claimed> {
        let ptr = self.lists.take_queued()?;
        self.lists.shift(ptr, CANCELLED);
        // SAFETY: the lock is held, and the claim of a queued record is the list's.
        Some(unsafe { ptr.claimed() })
    }

    /// Claims the next record that waits for another poll, and moves it to CANCELLED.
    fn claim_woken(&mut self, woken: &Stack) -> Option<Claimed> {
        let claimed = self.lists.take_woken(woken)?;
        self.lists.shift(claimed.ptr(), CANCELLED);
        Some(claimed)
    }

    /// Claims every member that waits and has no carrier of its own, and moves the queued to
    /// CANCELLED.
    pub(crate) fn claim_unbound(&mut self, woken: &Stack) -> Vec<Claimed> {
        self.queue_woken(woken);
        let mut claimed = Vec::new();
        while let Some(next) = self.claim_queued().or_else(|| self.claim_woken(woken)) {
            claimed.push(next);
        }
        self.lists.each_unqueued(|ptr| {
            // SAFETY: it stands in a list and the lock is held.
            let header = unsafe { ptr.header() };
            if !header.state().is_carried() {
                // SAFETY: as above.
                claimed.extend(unsafe { ptr.claim() });
            }
        });
        claimed
    }

    /// Tells the next member of the nursery's cancel or abort, and moves it on. None when all have
    /// been told.
    pub(crate) fn sweep_next(
        &mut self,
        abort: bool,
        pass: &mut Pass,
        woken: &Stack,
    ) -> Option<OnCancel> {
        if let Some(claimed) = self.claim_queued() {
            return Some(OnCancel::Doomed(claimed));
        }
        let Some(ptr) = self.lists.first_live() else {
            return if abort { self.sweep_woken(pass, woken) } else { None };
        };
        self.lists.shift(ptr, CANCELLED);
        if self.lists.of(ptr) & WOKEN != 0 {
            // A carrier notifies it, or an abort comes to it below.
            return Some(OnCancel::Busy);
        }
        Some(if abort { self.abort_ptr(ptr, woken) } else { self.cancel(ptr) })
    }

    /// Claims the next of those that wait for another poll, and moves it to CANCELLED; or puts it
    /// behind the others, if it has a shield up. QUEUE and LIVE are empty.
    fn sweep_woken(&mut self, pass: &mut Pass, woken: &Stack) -> Option<OnCancel> {
        if pass.left == 0 {
            if pass.requeued == Some(self.requeued) {
                return None;
            }
            *pass = Pass { left: self.queued(), requeued: Some(self.requeued) };
        }
        pass.left = pass.left.checked_sub(1)?;
        let claimed = self.lists.take_woken(woken)?;
        if claimed.header().state().is_shielded() {
            self.lists.push_woken(claimed);
            return Some(OnCancel::Busy);
        }
        Some(OnCancel::Doomed(claimed))
    }

    /// Puts every member that was notified of the cancel back among the live, for an abort.
    pub(crate) fn sweep_again(&mut self) {
        while let Some(ptr) = self.lists.last_cancelled() {
            self.lists.shift(ptr, LIVE);
        }
    }

    /// Notifies one member of its own cancel, or orders its destruction.
    pub(crate) fn cancel_one(&mut self, member: Member, level: Level, woken: &Stack) -> OnCancel {
        if level == Level::Aborted { self.abort(member, woken) } else { self.cancel(member.ptr) }
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
    pub(crate) fn abort(&mut self, member: Member, woken: &Stack) -> OnCancel {
        self.queue_woken(woken);
        self.abort_ptr(member.ptr, woken)
    }

    fn cancel(&mut self, ptr: Ptr) -> OnCancel {
        // SAFETY: the record stands in a list and the lock is held.
        let won = unsafe { ptr.order(false) };
        match won.or_else(|| self.unqueue(ptr)) {
            None => OnCancel::Busy,
            Some(claimed) if claimed.header().is_unstarted() => OnCancel::Doomed(claimed),
            Some(claimed) => self.wake(claimed).map_or(OnCancel::Busy, OnCancel::Wake),
        }
    }

    fn abort_ptr(&mut self, ptr: Ptr, woken: &Stack) -> OnCancel {
        // SAFETY: the record stands in a list and the lock is held.
        let won = unsafe { ptr.order(true) };
        // SAFETY: as above.
        if unsafe { ptr.header() }.state().is_shielded() {
            // It sees for itself, when the shield is lifted.
            return won
                .and_then(|claimed| self.wake(claimed))
                .map_or(OnCancel::Busy, OnCancel::Wake);
        }
        let doomed = won.or_else(|| self.unqueue(ptr)).or_else(|| self.unchain(ptr, woken));
        doomed.map_or(OnCancel::Busy, OnCancel::Doomed)
    }

    /// Takes over the claim of a record that waits for its first poll, and moves it to CANCELLED.
    fn unqueue(&mut self, ptr: Ptr) -> Option<Claimed> {
        if self.lists.of(ptr) != QUEUE {
            return None;
        }
        self.lists.shift(ptr, CANCELLED);
        // SAFETY: the lock is held, and the claim of a queued record is the list's.
        Some(unsafe { ptr.claimed() })
    }

    /// Takes over the claim of a record that waits for another poll, and moves it to CANCELLED.
    fn unchain(&mut self, ptr: Ptr, woken: &Stack) -> Option<Claimed> {
        if self.lists.of(ptr) & WOKEN == 0 {
            return None;
        }
        // SAFETY: it is woken, and the stack is that of its group (invariant 4).
        let claimed = unsafe { self.lists.remove_woken(ptr, woken) };
        self.lists.shift(ptr, CANCELLED);
        Some(claimed)
    }
}
