//! The members of a nursery: the records that it counts, and where each of them stands.
//!
//! Members stand in one of three doubly linked lists ([`lists`]) that run through their records, so
//! that admission, departure and every move cost the same however many siblings there are:
//!
//! | list  | the members in it                                                         |
//! |-------|---------------------------------------------------------------------------|
//! | QUEUE | admitted, and waiting for their first poll, oldest first                  |
//! | LIVE  | polled just now, or waiting for a wake, or with a carrier of their own    |
//! | CANCELLED  | the same, and notified of a cancel or abort: nothing more to do for them  |
//!
//! Members of LIVE and CANCELLED that were woken, and wait for another poll by a carrier, are WOKEN
//! as well: they stand where they stood, and their turns are in a chain, oldest first.
//!
//! # Invariants
//!
//! 1. A record stands in exactly one list of exactly one nursery from its admission until its
//!    `Claimed` is unlinked, and its LINKED flag is set all that time. So a pointer found in a list
//!    is good while the lock is held, which `&self` and `&mut self` stand for.
//! 2. `count` is the number of records in the three lists. `bound` members have CARRIED set.
//! 3. The claim of a record in QUEUE is the list's, and that of a WOKEN one the chain's.
//! 4. A token or handle that is passed in is of a record of this nursery, and a stack is this
//!    nursery's. A [`Member`] that is passed
//!    in is a member: the registry takes it out of each part when it leaves.

#![allow(unsafe_code)]

mod cancel;
mod lists;
mod look;
mod wakers;

use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::Level;
use crate::layers::record::{
    Carried, Claimed, Dealloc, Doing, Header, Kept, Ptr, RecordRef, Stack, Unadmitted,
};
use lists::{CANCELLED, LIVE, Lists, QUEUE};

pub(crate) use cancel::{OnCancel, Pass};
pub(crate) use look::{Place, Seen};

/// A member, as other parts of the registry note it: they never follow the pointer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(super) number: u64,
    pub(super) ptr: Ptr,
}

impl Member {
    /// The task that is being polled or that the caller has the claim of.
    pub(crate) fn new(header: &Header, ptr: Ptr) -> Member {
        Member { number: header.number(), ptr }
    }

    pub(crate) fn number(self) -> u64 {
        self.number
    }
}

#[derive(Default)]
pub(crate) struct Members {
    lists: Lists,
    count: usize,
    bound: usize,
    /// How many records were taken off the stack of the woken at a time, or put back; wraps.
    requeued: usize,
    /// The next carrier takes a WOKEN record first.
    woken_next: bool,
    last_number: u64,
}

impl Members {
    /// Returns the number of members.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Returns the number of the member that was admitted last.
    #[inline]
    pub(crate) fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Returns the number of members that wait for a poll by a carrier.
    pub(crate) fn queued(&self) -> usize {
        self.lists.queued()
    }

    /// Returns `true` if a member has no carrier of its own.
    pub(crate) fn has_unbound(&self) -> bool {
        self.count > self.bound
    }

    /// Calls `f` for each member.
    pub(crate) fn each(&self, f: impl FnMut(&Header)) {
        self.lists.each(f);
    }

    /// Calls `f` for each member that is being polled or destroyed.
    pub(crate) fn each_polled(&self, mut f: impl FnMut(&Header)) {
        self.each(|header| {
            if header.doing() == Doing::Polled {
                f(header);
            }
        });
    }

    /// Returns `true` if `f` does for each member; asks no further when it does not.
    pub(crate) fn all(&self, f: impl Fn(&Header) -> bool) -> bool {
        self.lists.all(f)
    }

    /// Returns a member by its record; none if it has left.
    pub(crate) fn member(&self, record: RecordRef<'_>) -> Option<Member> {
        let header = record.header();
        header.state().is_linked().then(|| Member::new(header, record.ptr()))
    }

    /// Keeps the record of the member with this number. It looks at the newest first, so one that
    /// was just spawned is found at once.
    pub(crate) fn keep(&self, number: u64) -> Option<Kept> {
        // SAFETY: it stands in a list and the lock is held (invariant 1).
        self.lists.newest(|header| header.number() == number).map(|ptr| unsafe { Kept::new(ptr) })
    }

    /// Keeps the record of every member for which `f` returns `true`.
    pub(crate) fn keep_all(&self, f: impl Fn(&Header) -> bool) -> Vec<Kept> {
        let mut kept = Vec::new();
        self.lists.each_ptr(|ptr| {
            // SAFETY: it stands in a list and the lock is held (invariant 1).
            if f(unsafe { ptr.header() }) {
                // SAFETY: as above.
                kept.push(unsafe { Kept::new(ptr) });
            }
        });
        kept
    }

    // ---- a member's way, from its admission to its end

    /// Admits a record to the end of the queue and returns its number.
    pub(crate) fn admit(&mut self, woken: &Stack, fresh: Unadmitted) -> u64 {
        let (number, claimed) = self.enter(woken, fresh, QUEUE);
        // SAFETY: the lock is held (`&mut self`), and the record stands in the queue.
        unsafe { claimed.queue() };
        number
    }

    /// Admits a record with a shield up, as one that was polled before: a cancel and an abort leave
    /// it alone.
    pub(crate) fn admit_shielded(&mut self, woken: &Stack, fresh: Unadmitted) -> Member {
        let (_, claimed) = self.enter(woken, fresh, LIVE);
        claimed.header().state().raise_shield();
        let member = Member::new(claimed.header(), claimed.ptr());
        self.requeue(claimed);
        member
    }

    /// Admits a record with a carrier of its own.
    pub(crate) fn admit_carried(&mut self, woken: &Stack, fresh: Unadmitted) -> (u64, Carried) {
        let (number, mut claimed) = self.enter(woken, fresh, LIVE);
        let carried = self.bind(&mut claimed);
        claimed.unclaim();
        (number, carried)
    }

    fn enter(&mut self, woken: &Stack, fresh: Unadmitted, list: u8) -> (u64, Claimed) {
        self.last_number += 1;
        self.count += 1;
        let number = self.last_number;
        let ptr = fresh.into_ptr();
        // SAFETY: a record is born claimed, and its first holder gave it in.
        let mut claimed = unsafe { ptr.claimed() };
        // SAFETY: the stack is that of the group which these members belong to.
        unsafe { claimed.set_stack(woken) };
        claimed.header().set_number(number);
        self.lists.push(ptr, list);
        (number, claimed)
    }

    /// Takes the longest waiting record for a carrier: by turns one that was woken and one that
    /// was never polled. It is notified of the nursery's level.
    #[inline]
    pub(crate) fn take(&mut self, level: Level, woken: &Stack) -> Option<Claimed> {
        if !self.lists.has_woken() {
            self.queue_woken(woken);
        }
        self.woken_next = !self.woken_next;
        let claimed = if self.lists.has_queue() && !(self.woken_next && self.lists.has_woken()) {
            let ptr = self.lists.take_queued()?;
            // SAFETY: the lock is held, and the claim of a queued record is the list's (invariant 3).
            unsafe { ptr.claimed() }
        } else {
            self.lists.take_woken(woken)?
        };
        let state = claimed.header().state();
        if level >= Level::Cancelled {
            // The sweep may not have come to it yet.
            let _ours = state.order(level == Level::Aborted);
        }
        if state.is_cancelled() {
            self.lists.shift(claimed.ptr(), CANCELLED);
        }
        Some(claimed)
    }

    /// Queues the members that were woken since the last time.
    #[inline]
    pub(crate) fn queue_woken(&mut self, woken: &Stack) {
        if !woken.is_empty() {
            self.requeued = self.requeued.wrapping_add(1);
            self.lists.append_woken(woken);
        }
    }

    /// Puts a record that needs another poll behind the others that do.
    pub(crate) fn requeue(&mut self, claimed: Claimed) {
        self.requeued = self.requeued.wrapping_add(1);
        self.lists.push_woken(claimed);
    }

    /// Binds a carrier to a record.
    pub(crate) fn bind(&mut self, claimed: &mut Claimed) -> Carried {
        self.bound += 1;
        // SAFETY: the lock is held, and the caller saw to it that it is not bound.
        unsafe { claimed.bind() }
    }

    /// A carrier lets go of a record that another thread is ending. Dropping the result frees the
    /// memory, if nothing else points to it.
    pub(crate) fn drop_bound(&mut self, carried: Carried) -> Option<Dealloc> {
        // The thread that ends it counts it out, if it is still bound then.
        self.bound -= usize::from(carried.header().state().is_linked());
        carried.release()
    }

    /// Takes a record off its list: it leaves.
    pub(super) fn unlink(&mut self, claimed: &Claimed) {
        self.lists.remove(claimed.ptr());
        self.count -= 1;
        self.bound -= usize::from(claimed.header().state().is_carried());
    }

    /// Takes a record off its list, publishes its value and releases it, in one step for its joiner.
    /// If the handle is gone nothing is changed. No carrier is bound to it.
    #[inline]
    pub(super) fn leave_with_value(&mut self, claimed: Claimed) -> Result<Ptr, Claimed> {
        let (ptr, list) = (claimed.ptr(), claimed.header().list());
        // First: from the next step on, the handle may free it.
        self.lists.remove(ptr);
        self.count -= 1;
        // SAFETY: the lock is held, the record is off its list, and the future was destroyed.
        match unsafe { claimed.publish_and_release() } {
            Ok(()) => Ok(ptr),
            Err(claimed) => {
                self.lists.push(ptr, list);
                self.count += 1;
                Err(claimed)
            }
        }
    }

    /// Gives up the claim and membership; dropping the result frees the memory.
    pub(crate) fn release(
        &mut self,
        claimed: Claimed,
        carried: Option<Carried>,
    ) -> Option<Dealloc> {
        // SAFETY: the lock is held; `finish`, the only caller, unlinked it, and settled or published
        // its outcome first.
        unsafe { claimed.release(carried) }
    }
}

/// Returns what a child is doing, by its record. No lock is needed.
pub(crate) fn doing(header: &Header) -> TaskState {
    let polls = header.polls();
    shown(header.doing(), polls)
}

/// Returns what a child that was polled so often is doing.
pub(crate) fn shown(doing: Doing, polls: u32) -> TaskState {
    match doing {
        Doing::Gone => TaskState::Ended,
        Doing::Polled => TaskState::Running,
        Doing::Queued => TaskState::Queued,
        // It has a task of the runtime for its own, which is not polled yet.
        Doing::Parked if polls == 0 => TaskState::Queued,
        Doing::Parked => TaskState::Waiting,
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
