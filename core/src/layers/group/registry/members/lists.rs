//! The lists that run through the records of a nursery's members.
//!
//! There are two chains of neighbours: one for LIVE and, behind it, QUEUE, and one for CANCELLED. A
//! record of QUEUE that is taken stays where it stands: QUEUE begins behind it from then on. A
//! record that is woken stays where it stands, too: it is noted in its header, and its turn is its
//! place in the [`Chain`] of the woken.
//!
//! # Invariants
//!
//! 1. A record stands in at most one list; its header says in which. With WOKEN it is in the chain
//!    of the woken as well, and stands in LIVE or CANCELLED.
//! 2. `queued` is the number of records in QUEUE and in the chain of the woken.
//! 3. The records from `first_queued` on, to the end of its neighbours, are QUEUE; those in front of
//!    it are LIVE.

#![allow(unsafe_code)]

use crate::layers::record::{Chain, Claimed, Header, Links, Ptr, Stack};

pub(super) const QUEUE: u8 = 0;
pub(super) const LIVE: u8 = 1;
pub(super) const CANCELLED: u8 = 2;
/// Beside LIVE or CANCELLED: woken, and waiting for another poll by a carrier.
pub(super) const WOKEN: u8 = 1 << 7;

#[derive(Default, Clone, Copy)]
struct List {
    head: Option<Ptr>,
    tail: Option<Ptr>,
}

#[derive(Default)]
pub(super) struct Lists {
    /// LIVE and QUEUE, and CANCELLED.
    ends: [List; 2],
    first_queued: Option<Ptr>,
    woken: Chain,
    queued: usize,
}

/// Returns where the ends of a list stand.
#[inline]
fn place(list: u8) -> usize {
    usize::from(list & !WOKEN == CANCELLED)
}

impl Lists {
    #[inline]
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Calls `f` for each record.
    pub(super) fn each(&self, mut f: impl FnMut(&Header)) {
        self.all(|header| {
            f(header);
            true
        });
    }

    /// Returns `true` if `f` does for each record; asks no further when it does not.
    pub(super) fn all(&self, mut f: impl FnMut(&Header) -> bool) -> bool {
        self.ends.iter().all(|ends| {
            let mut at = ends.head;
            while let Some(ptr) = at {
                // SAFETY: the record stands in a list and the lock is held.
                if !f(unsafe { ptr.header() }) {
                    return false;
                }
                at = self.neighbour(ptr);
            }
            true
        })
    }

    /// As [`each`](Lists::each), with where the records are.
    pub(super) fn each_ptr(&self, mut f: impl FnMut(Ptr)) {
        for ends in self.ends {
            let mut at = ends.head;
            while let Some(ptr) = at {
                at = self.neighbour(ptr);
                f(ptr);
            }
        }
    }

    /// Returns the record after this one, or the first if there is none before it: those of LIVE and
    /// QUEUE, and then those of CANCELLED.
    pub(super) fn after(&self, before: Option<Ptr>) -> Option<Ptr> {
        let [first, second] = [place(LIVE), place(CANCELLED)].map(|at| self.ends[at].head);
        match before {
            None => first.or(second),
            Some(ptr) => {
                self.neighbour(ptr).or(second.filter(|_| place(self.of(ptr)) == place(LIVE)))
            }
        }
    }

    /// Returns `true` if a record stands in CANCELLED.
    pub(super) fn is_cancelled(&self, ptr: Ptr) -> bool {
        place(self.of(ptr)) == place(CANCELLED)
    }

    /// Returns the record for which `f` returns `true`. It asks from the end of QUEUE and LIVE on,
    /// where the records stand that came last, and then those of CANCELLED.
    pub(super) fn newest(&self, f: impl Fn(&Header) -> bool) -> Option<Ptr> {
        self.ends.iter().find_map(|ends| {
            let mut at = ends.tail;
            while let Some(ptr) = at {
                // SAFETY: the record stands in a list and the lock is held.
                if f(unsafe { ptr.header() }) {
                    return Some(ptr);
                }
                // SAFETY: as above.
                at = unsafe { ptr.links(|links| links.prev) };
            }
            None
        })
    }

    /// Calls `f` for each record that was polled, or is being polled, and not woken since.
    pub(super) fn each_unqueued(&self, mut f: impl FnMut(Ptr)) {
        for ends in self.ends {
            let mut at = ends.head;
            while let Some(ptr) = at.filter(|ptr| self.first_queued != Some(*ptr)) {
                at = self.neighbour(ptr);
                if self.of(ptr) & WOKEN == 0 {
                    f(ptr);
                }
            }
        }
    }

    #[inline]
    fn neighbour(&self, ptr: Ptr) -> Option<Ptr> {
        // SAFETY: the record stands in a list and the lock is held.
        unsafe { ptr.links(|links| links.next) }
    }

    /// Returns the list that a record stands in, and whether it is woken.
    #[inline]
    pub(super) fn of(&self, ptr: Ptr) -> u8 {
        // SAFETY: the record stands in a list and the lock is held.
        unsafe { ptr.header() }.list()
    }

    // ---- the queue

    /// Takes the record that has waited longest for its first poll: it is LIVE from now on.
    #[inline]
    pub(super) fn take_queued(&mut self) -> Option<Ptr> {
        let ptr = self.first_queued?;
        self.first_queued = self.neighbour(ptr);
        self.queued -= 1;
        // SAFETY: the record stands in a list and the lock is held.
        unsafe { ptr.header() }.set_list(LIVE);
        Some(ptr)
    }

    // ---- the woken

    #[inline]
    pub(super) fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    #[inline]
    pub(super) fn has_queue(&self) -> bool {
        self.first_queued.is_some()
    }

    /// Takes over the records on the stack.
    pub(super) fn append_woken(&mut self, stack: &Stack) {
        let queued = &mut self.queued;
        self.woken.append(stack, |header| {
            header.set_list(header.list() | WOKEN);
            *queued += 1;
        });
    }

    /// Has a record wait for another poll, behind the others that do.
    pub(super) fn push_woken(&mut self, claimed: Claimed) {
        let header = claimed.header();
        header.set_list(header.list() | WOKEN);
        self.queued += 1;
        self.woken.push(claimed);
    }

    /// Takes the record that has waited longest for another poll.
    #[inline]
    pub(super) fn take_woken(&mut self, stack: &Stack) -> Option<Claimed> {
        let claimed = self.woken.pop(stack)?;
        self.queued -= 1;
        let header = claimed.header();
        header.set_list(header.list() & !WOKEN);
        Some(claimed)
    }

    /// As [`take_woken`](Lists::take_woken), that record.
    ///
    /// # Safety
    ///
    /// It is woken (invariant 1), and the stack is that of its group.
    pub(super) unsafe fn remove_woken(&mut self, ptr: Ptr, stack: &Stack) -> Claimed {
        // SAFETY: the caller's promise.
        let claimed = unsafe { self.woken.remove(ptr, stack) };
        self.queued -= 1;
        let header = claimed.header();
        header.set_list(header.list() & !WOKEN);
        claimed
    }

    // ---- moves

    /// Puts a record at the end of QUEUE or CANCELLED, or in front of LIVE.
    #[inline]
    pub(super) fn push(&mut self, ptr: Ptr, list: u8) {
        let ends = &mut self.ends[place(list)];
        let (prev, next) = if list & !WOKEN == LIVE {
            let head = ends.head.replace(ptr);
            match head {
                // SAFETY: the head stands in the list and the lock is held.
                Some(head) => unsafe { head.links(|links| links.prev = Some(ptr)) },
                None => ends.tail = Some(ptr),
            }
            (None, head)
        } else {
            let tail = ends.tail.replace(ptr);
            match tail {
                // SAFETY: the tail stands in the list and the lock is held.
                Some(tail) => unsafe { tail.links(|links| links.next = Some(ptr)) },
                None => ends.head = Some(ptr),
            }
            (tail, None)
        };
        if list == QUEUE {
            self.queued += 1;
            self.first_queued.get_or_insert(ptr);
        }
        // SAFETY: the record is a member, or about to be, and the lock is held.
        unsafe { ptr.links(|links| *links = Links { prev, next }) };
        // SAFETY: as above.
        unsafe { ptr.header() }.set_list(list);
    }

    /// Moves a record to this list, woken or not, unless it stands there.
    pub(super) fn shift(&mut self, ptr: Ptr, list: u8) {
        let woken = self.of(ptr) & WOKEN;
        if self.of(ptr) == list | woken {
            return;
        }
        self.remove(ptr);
        self.push(ptr, list | woken);
    }

    /// Returns the first record of LIVE.
    pub(super) fn first_live(&self) -> Option<Ptr> {
        self.ends[place(LIVE)].head.filter(|head| self.first_queued != Some(*head))
    }

    /// Returns the last record of CANCELLED.
    pub(super) fn last_cancelled(&self) -> Option<Ptr> {
        self.ends[place(CANCELLED)].tail
    }

    /// Takes a record out of its list; in the chain of the woken it stays.
    #[inline]
    pub(super) fn remove(&mut self, ptr: Ptr) {
        // SAFETY: the record stands in a list and the lock is held.
        let (prev, next) = unsafe { ptr.links(|links| (links.prev, links.next)) };
        let list = self.of(ptr);
        self.queued -= usize::from(list == QUEUE);
        if self.first_queued == Some(ptr) {
            self.first_queued = next;
        }
        let ends = &mut self.ends[place(list)];
        match prev {
            // SAFETY: a neighbour stands in the same list.
            Some(prev) => unsafe { prev.links(|links| links.next = next) },
            None => ends.head = next,
        }
        match next {
            // SAFETY: a neighbour stands in the same list.
            Some(next) => unsafe { next.links(|links| links.prev = prev) },
            None => ends.tail = prev,
        }
    }
}
