//! The blocking work of a nursery: how much of it runs, and what waits for its turn.
//!
//! # Invariants
//!
//! 1. `running` jobs were handed to the runtime and are not over. `begun` has the members among
//!    them; a job whose member has left is counted and not named.
//! 2. One thread at a time hands jobs to the runtime: while `starting` is set, and it goes on as
//!    long as there is one to hand.

use crate::layers::record::Carried;
use std::collections::{BTreeSet, VecDeque};
use std::mem;

#[derive(Default)]
pub(crate) struct Jobs {
    running: usize,
    waiting: VecDeque<Carried>,
    /// The members whose work has begun, or is about to, by their numbers.
    begun: BTreeSet<u64>,
    /// The nursery has waited long enough for them, and for tasks that hold their threads.
    given_up: bool,
    starting: bool,
}

impl Jobs {
    /// A member waits for its turn.
    pub(crate) fn push(&mut self, carried: Carried) {
        self.waiting.push_back(carried);
    }

    /// The caller hands jobs to the runtime. Returns false if another thread does.
    pub(crate) fn begin_starting(&mut self) -> bool {
        !mem::replace(&mut self.starting, true)
    }

    /// Takes the next job to hand to the runtime, if fewer than `limit` are running. None ends what
    /// [`begin_starting`](Jobs::begin_starting) began.
    pub(crate) fn next(&mut self, limit: usize) -> Option<Carried> {
        let next = if self.running < limit { self.waiting.pop_front() } else { None };
        let Some(carried) = next else {
            self.starting = false;
            return None;
        };
        self.running += 1;
        if carried.header().state().is_linked() {
            self.begun.insert(carried.header().number());
        }
        Some(carried)
    }

    /// A job is over.
    pub(crate) fn end(&mut self) {
        self.running -= 1;
    }

    /// A member leaves.
    pub(super) fn forget(&mut self, number: u64) {
        if !self.begun.is_empty() {
            self.begun.remove(&number);
        }
    }

    /// Returns `true` if there is a member whose work has begun, or is about to.
    #[inline]
    pub(super) fn has_begun_any(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Returns `true` if the member's work has begun, or is about to.
    pub(crate) fn has_begun(&self, number: u64) -> bool {
        self.begun.contains(&number)
    }

    /// Takes those that wait for their turn: they were cancelled. Dropped with no lock held.
    pub(crate) fn take_waiting(&mut self) -> VecDeque<Carried> {
        mem::take(&mut self.waiting)
    }

    /// The nursery has waited long enough.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
    }

    #[inline]
    pub(crate) fn are_given_up(&self) -> bool {
        self.given_up
    }
}
