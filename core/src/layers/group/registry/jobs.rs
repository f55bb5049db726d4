//! The blocking work of a nursery: how much of it runs, and what waits for its turn.

use crate::layers::record::Carried;
use std::collections::{BTreeSet, VecDeque};

/// The blocking work of a nursery.
#[derive(Default)]
pub(crate) struct Jobs {
    pub(in crate::layers::group) running: usize,
    pub(in crate::layers::group) waiting: VecDeque<Carried>,
    /// The members whose work has begun, or is about to, by their numbers.
    pub(in crate::layers::group) members: BTreeSet<u64>,
    /// The nursery has waited long enough for them, and for tasks that hold their threads.
    pub(in crate::layers::group) given_up: bool,
    /// Somebody hands jobs to the runtime, and goes on as long as there is something to hand.
    pub(in crate::layers::group) starting: bool,
}

impl Jobs {
    /// A member leaves.
    pub(in crate::layers::group) fn forget(&mut self, number: u64) {
        if !self.members.is_empty() {
            self.members.remove(&number);
        }
    }

    /// Returns `true` if the member's work has begun, or is about to.
    pub(in crate::layers::group) fn has_begun(&self, number: u64) -> bool {
        self.members.contains(&number)
    }

    /// Takes those that wait for their turn: they were cancelled. Dropped with no lock held.
    pub(in crate::layers::group) fn take_waiting(&mut self) -> VecDeque<Carried> {
        std::mem::take(&mut self.waiting)
    }
}
