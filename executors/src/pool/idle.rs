//! Who sleeps, and who is woken when there is work.
//!
//! A worker without work puts itself on the list, looks once more, and parks. Whoever adds work
//! takes one worker off the list and unparks it. That one *searches* until it has found work or
//! sleeps again; while it does, nobody else is woken, and when it has found work it wakes the
//! next if there is more. So a burst of wakes costs one unpark, and workers come up one by one as
//! long as there is work for them.
//!
//! # Invariants
//!
//! 1. A worker that is taken off the list gets a token, and only such a worker (at the end of the
//!    pool every worker gets one).
//! 2. At most one worker searches, the last one taken off the list. `searching` is set under the
//!    list's lock and cleared by that worker alone.
//! 3. No work is missed. Whoever adds work reads `sleeping` and `searching` after he has held the
//!    lock of the line that he added to; a worker writes them before its last look into each line,
//!    under the line's lock. So either the look comes second and sees the work, or the adder does
//!    and sees the sleeper. An adder that leaves it to the searching worker is seen by that
//!    worker's look after it has cleared `searching`.
//!
//! # Memory ordering
//!
//! `sleeping` and `searching` are Relaxed: the locks of the lines order them (invariant 3), or the
//! list's own.
//!
//! # Lock order
//!
//! The list's lock is released before a parker's is taken.

use crate::parker::Parker;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(super) struct Idle {
    list: Mutex<Vec<usize>>,
    /// The length of the list, for a look without the lock.
    sleeping: AtomicUsize,
    searching: AtomicBool,
    parkers: Box<[Parker]>,
}

impl Idle {
    pub(super) fn new(workers: usize) -> Idle {
        Idle {
            list: Mutex::new(Vec::with_capacity(workers)),
            sleeping: AtomicUsize::new(0),
            searching: AtomicBool::new(false),
            parkers: (0..workers).map(|_| Parker::default()).collect(),
        }
    }

    /// Wakes a worker if one sleeps and none searches. To be called after work was added.
    pub(super) fn notify(&self) {
        if self.sleeping.load(Ordering::Relaxed) == 0 || self.searching.load(Ordering::Relaxed) {
            return;
        }
        let mut list = self.list.lock();
        if self.searching.load(Ordering::Relaxed) {
            return;
        }
        let Some(index) = list.pop() else { return };
        self.sleeping.store(list.len(), Ordering::Relaxed);
        self.searching.store(true, Ordering::Relaxed);
        drop(list);
        self.parkers[index].unpark();
    }

    /// Gives every worker a token: the pool ends.
    pub(super) fn wake_all(&self) {
        for parker in &self.parkers {
            parker.unpark();
        }
    }

    /// Ends the search of a worker that has found work. It must then look whether there is more.
    pub(super) fn end_search(&self) {
        self.searching.store(false, Ordering::Relaxed);
    }

    /// Puts a worker on the list and ends its search. It must then look for work once more.
    pub(super) fn enlist(&self, index: usize, searching: bool) {
        let mut list = self.list.lock();
        list.push(index);
        self.sleeping.store(list.len(), Ordering::Relaxed);
        if searching {
            self.searching.store(false, Ordering::Relaxed);
        }
    }

    /// Takes a worker that has changed its mind off the list. Returns `false` if somebody else
    /// did so before: then its token is on the way and it must park to take it.
    pub(super) fn withdraw(&self, index: usize) -> bool {
        let mut list = self.list.lock();
        let Some(at) = list.iter().position(|&listed| listed == index) else { return false };
        list.remove(at);
        self.sleeping.store(list.len(), Ordering::Relaxed);
        true
    }

    /// Waits for the token of a worker that is, or was, on the list.
    pub(super) fn park(&self, index: usize) {
        self.parkers[index].park();
    }
}
