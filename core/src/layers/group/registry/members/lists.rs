//! The lists that run through the records of a nursery's members.
//!
//! # Invariants
//!
//! 1. A record stands in at most one list; its header says in which.
//! 2. `queued` is the number of records in QUEUE and WOKEN.

#![allow(unsafe_code)]

use crate::layers::record::{Header, Links, Ptr};

pub(super) const QUEUE: u8 = 0;
pub(super) const LIVE: u8 = 1;
pub(super) const CANCELLED: u8 = 2;
pub(super) const WOKEN: u8 = 3;

#[derive(Default, Clone, Copy)]
struct List {
    head: Option<Ptr>,
    tail: Option<Ptr>,
}

#[derive(Default)]
pub(super) struct Lists {
    ends: [List; 4],
    queued: usize,
}

impl Lists {
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
        [LIVE, CANCELLED, WOKEN, QUEUE].into_iter().all(|list| {
            let mut at = self.head(list);
            while let Some(ptr) = at {
                // SAFETY: the record stands in a list and the lock is held.
                if !f(unsafe { ptr.header() }) {
                    return false;
                }
                at = self.next(ptr);
            }
            true
        })
    }

    pub(super) fn head(&self, list: u8) -> Option<Ptr> {
        self.ends[usize::from(list)].head
    }

    pub(super) fn next(&self, ptr: Ptr) -> Option<Ptr> {
        // SAFETY: the record stands in a list and the lock is held.
        unsafe { ptr.links(|links| links.next) }
    }

    /// Returns the list that a record stands in.
    pub(super) fn of(&self, ptr: Ptr) -> u8 {
        // SAFETY: the record stands in a list and the lock is held.
        unsafe { ptr.header() }.list()
    }

    pub(super) fn push(&mut self, ptr: Ptr, list: u8) {
        self.queued += usize::from(list == QUEUE || list == WOKEN);
        let ends = &mut self.ends[usize::from(list)];
        let tail = ends.tail.replace(ptr);
        match tail {
            // SAFETY: the tail stands in the list and the lock is held.
            Some(tail) => unsafe { tail.links(|links| links.next = Some(ptr)) },
            None => ends.head = Some(ptr),
        }
        let set = |links: &mut Links| {
            links.prev = tail;
            links.next = None;
        };
        // SAFETY: the record is a member, or about to be, and the lock is held.
        unsafe { ptr.links(set) };
        // SAFETY: as above.
        unsafe { ptr.header() }.set_list(list);
    }

    pub(super) fn pop(&mut self, list: u8) -> Option<Ptr> {
        let head = self.ends[usize::from(list)].head?;
        self.remove(head);
        Some(head)
    }

    pub(super) fn remove(&mut self, ptr: Ptr) {
        // SAFETY: the record stands in a list and the lock is held.
        let (prev, next) = unsafe { ptr.links(|links| (links.prev, links.next)) };
        let list = self.of(ptr);
        self.queued -= usize::from(list == QUEUE || list == WOKEN);
        let ends = &mut self.ends[usize::from(list)];
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
