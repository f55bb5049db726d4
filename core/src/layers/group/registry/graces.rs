//! When the grace of tasks that were cancelled on their own is over.
//!
//! # Invariants
//!
//! 1. Both maps hold the same tasks, which are members (invariant 4 of the registry).

use crate::layers::record::Ptr;
use std::collections::BTreeMap;
use std::time::Instant;

#[derive(Default)]
pub(crate) struct Graces {
    ends: BTreeMap<(Instant, u64), Ptr>,
    by_task: BTreeMap<u64, Instant>,
}

impl Graces {
    /// Begins the grace of a task, unless it has begun. The caller holds the registry's lock.
    pub(in crate::layers::group) fn begin(&mut self, number: u64, task: Ptr, end: Instant) {
        if *self.by_task.entry(number).or_insert(end) == end {
            self.ends.insert((end, number), task);
        }
    }

    /// Returns when the next is over.
    pub(in crate::layers::group) fn next(&self) -> Option<Instant> {
        self.ends.first_key_value().map(|(&(end, _), _)| end)
    }

    /// Takes the next task whose grace is over.
    pub(in crate::layers::group) fn take_over(&mut self, now: Instant) -> Option<(u64, Ptr)> {
        let (&(end, number), &task) = self.ends.first_key_value()?;
        if end > now {
            return None;
        }
        self.ends.pop_first();
        self.by_task.remove(&number);
        Some((number, task))
    }

    /// A task leaves.
    #[inline]
    pub(in crate::layers::group) fn forget(&mut self, number: u64) {
        if self.by_task.is_empty() {
            return;
        }
        if let Some(end) = self.by_task.remove(&number) {
            self.ends.remove(&(end, number));
        }
    }
}
