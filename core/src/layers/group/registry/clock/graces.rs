//! When the grace of tasks that were cancelled on their own is over.
//!
//! # Invariants
//!
//! 1. Both maps hold the same tasks, which are members: one that leaves is taken out.

use crate::layers::group::registry::members::Member;
use crate::layers::record::Ptr;
use allhome_rt::Instant;
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Graces {
    ends: BTreeMap<(Instant, u64), Ptr>,
    by_task: BTreeMap<u64, Instant>,
}

impl Graces {
    /// Begins the grace of a task, unless it has begun.
    pub(super) fn begin(&mut self, task: Member, end: Instant) {
        let Member { number, ptr } = task;
        if *self.by_task.entry(number).or_insert(end) == end {
            self.ends.insert((end, number), ptr);
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.by_task.is_empty()
    }

    /// Returns when the next is over.
    pub(super) fn next(&self) -> Option<Instant> {
        self.ends.first_key_value().map(|(&(end, _), _)| end)
    }

    /// Takes the next task whose grace is over.
    pub(super) fn take_over(&mut self, now: Instant) -> Option<Member> {
        let (&(end, number), &ptr) = self.ends.first_key_value()?;
        if end > now {
            return None;
        }
        self.ends.pop_first();
        self.by_task.remove(&number);
        Some(Member { number, ptr })
    }

    /// A task leaves.
    #[inline]
    pub(super) fn forget(&mut self, number: u64) {
        if self.by_task.is_empty() {
            return;
        }
        if let Some(end) = self.by_task.remove(&number) {
            self.ends.remove(&(end, number));
        }
    }
}
