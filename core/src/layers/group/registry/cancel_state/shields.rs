//! How many shields are up in the tasks and the body of a nursery.
//!
//! # Invariants
//!
//! 1. A count is at least 1. A task that is in the map is a member, and its state word says that a
//!    shield is up; the member's departure takes it out.

use crate::layers::group::registry::members::Member;
use std::collections::BTreeMap;

/// The body's place among the tasks' numbers, which begin at 1.
pub(crate) const BODY: u64 = 0;

/// The shields that are up, by the tasks' numbers.
#[derive(Default)]
pub(crate) struct Shields(BTreeMap<u64, Up>);

/// The shields that are up in one task, or in the body.
struct Up {
    count: u32,
    /// None for the body.
    task: Option<Member>,
}

impl Shields {
    /// One more shield is up in the task, or in the body.
    pub(crate) fn raise(&mut self, task: Option<Member>) {
        let number = task.map_or(BODY, |member| member.number);
        self.0.entry(number).or_insert(Up { count: 0, task }).count += 1;
    }

    /// One shield less is up in the task, or in the body. Returns it (for the body, none) if that
    /// was the last.
    pub(crate) fn lower(&mut self, number: u64) -> Option<Option<Member>> {
        let up = self.0.get_mut(&number)?;
        up.count -= 1;
        if up.count > 0 {
            return None;
        }
        self.0.remove(&number).map(|up| up.task)
    }

    /// Returns `true` if a shield is up in the body.
    pub(crate) fn has_body(&self) -> bool {
        self.0.contains_key(&BODY)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A task leaves.
    #[inline]
    pub(super) fn forget(&mut self, number: u64) {
        if !self.0.is_empty() {
            self.0.remove(&number);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{BODY, Member, Shields};
    use crate::layers::record::Ptr;

    fn task(number: u64) -> Member {
        Member { number, ptr: Ptr::dangling() }
    }

    #[test]
    fn the_last_that_goes_down_says_so() {
        let mut shields = Shields::default();
        shields.raise(Some(task(1)));
        shields.raise(Some(task(1)));
        shields.raise(None);
        assert!(shields.lower(1).is_none());
        assert!(shields.lower(1) == Some(Some(task(1))));
        assert!(shields.has_body());
        assert!(shields.lower(BODY) == Some(None));
        assert!(!shields.has_body());
    }

    #[test]
    fn a_task_that_leaves_takes_its_shields_with_it() {
        let mut shields = Shields::default();
        shields.raise(Some(task(1)));
        shields.forget(1);
        assert!(shields.lower(1).is_none());
    }
}
