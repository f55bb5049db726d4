//! Telling members of a cancel, and claiming those that are to be destroyed.

#![allow(unsafe_code)]

use super::Registry;
use super::lists::{LIVE, QUEUE, TOLD, WOKEN};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::cancel::CancelToken;
use crate::layers::record::{Claimed, Handle, Ptr};
use std::task::Waker;
use std::time::Instant;

/// What telling a task of a cancel or abort leaves to do.
pub(crate) enum Told {
    /// It is to be destroyed: aborted, or never polled.
    Doomed(Claimed),
    /// It waits, and is to be woken for its last poll.
    Wake(Foreign<Waker>),
    /// It is in the queue for its last poll, or is being polled, or destroyed, and will see for
    /// itself. The caller sees that a carrier comes.
    Busy,
}

/// A task whose grace is over.
pub(crate) struct GraceEnd {
    pub(crate) told: Told,
    pub(crate) reason: Option<Reason>,
    pub(crate) token: Option<CancelToken>,
}

/// How far an abort has come with those that wait for another poll: it looks at each once, and
/// again only if others have come.
#[derive(Default)]
pub(crate) struct Pass {
    left: usize,
    requeued: Option<usize>,
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

    /// Tells the next member of the nursery's cancel or abort, and moves it on. None when all have
    /// been told.
    pub(crate) fn sweep_next(&mut self, abort: bool, pass: &mut Pass) -> Option<Told> {
        if let Some(claimed) = self.claim_queued(false) {
            return Some(Told::Doomed(claimed));
        }
        let Some(ptr) = self.pop(LIVE) else {
            return if abort { self.sweep_woken(pass) } else { None };
        };
        self.push(ptr, TOLD);
        Some(if abort { self.abort(ptr) } else { self.tell(ptr) })
    }

    /// Claims the next of those that wait for another poll, and moves it to TOLD; or puts it behind
    /// the others, if it has a shield up. QUEUE is empty.
    fn sweep_woken(&mut self, pass: &mut Pass) -> Option<Told> {
        if pass.left == 0 {
            if pass.requeued == Some(self.requeued) {
                return None;
            }
            *pass = Pass { left: self.queued, requeued: Some(self.requeued) };
        }
        pass.left = pass.left.checked_sub(1)?;
        let ptr = self.pop(WOKEN)?;
        // SAFETY: it stood in a list and the lock is held.
        let shielded = unsafe { ptr.header() }.state().is_shielded();
        self.push(ptr, if shielded { WOKEN } else { TOLD });
        if shielded {
            return Some(Told::Busy);
        }
        // SAFETY: the lock is held, and the claim of a queued record is the registry's.
        Some(Told::Doomed(unsafe { ptr.claimed() }))
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

    /// Begins the grace of one task, by its handle, if it has not begun.
    pub(crate) fn begin_grace_of<T, E>(&mut self, handle: &Handle<T, E>, end: Instant) {
        if let Some(ptr) = self.member(handle) {
            self.clock.graces.begin(self.number(ptr), ptr, end);
        }
    }

    /// Orders the destruction of a task whose grace is over, for the reason that it has.
    pub(crate) fn end_grace(&mut self, now: Instant) -> Option<GraceEnd> {
        let (number, ptr) = self.clock.graces.take_over(now)?;
        let (reason, token) = (self.reason_of_number(number), self.tokens.task(number));
        Some(GraceEnd { told: self.abort(ptr), reason, token })
    }

    /// Takes down a member's shield. Wakes it if it was cancelled: gives its carrier's waker, or puts
    /// it in the queue.
    pub(crate) fn lower_shield(&mut self, ptr: Ptr) -> Option<Foreign<Waker>> {
        // SAFETY: invariant 4: it stands in a list; and the lock is held.
        let state = unsafe { ptr.header() }.state();
        state.lower_shield();
        if !state.is_cancelled() {
            return None;
        }
        // SAFETY: as above.
        let claimed = unsafe { ptr.claim() }?;
        self.wake(claimed)
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
