//! Tasks that hold their threads in a nursery that was cancelled: `stuck_after`.
//!
//! A look notes which members are being polled, or destroyed, and in which poll. One that is in the
//! same poll at the next look has held its thread all that time. The looks come when half of
//! `stuck_after` has passed, and at least as long after each other; when all of it has, what has
//! held its thread since the look before is given up.

use crate::layers::record::Header;
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

/// By the tasks' numbers, in which poll each is.
type Polls = BTreeMap<u64, u32>;

#[derive(Default)]
pub(crate) struct Patience {
    /// At the last look.
    seen: Polls,
    /// At both of the last two.
    stuck: Polls,
}

/// How long it is from look to look.
pub(crate) fn between(stuck_after: Duration) -> Duration {
    (stuck_after / 2).max(Duration::from_millis(1))
}

impl Patience {
    /// Returns `true` if a member that is being polled or destroyed was given up.
    pub(crate) fn is_over(&self, header: &Header) -> bool {
        self.stuck.get(&header.number()) == Some(&header.polls())
    }

    /// Looks at the members that are being polled or destroyed, which `each` calls its argument
    /// for.
    pub(super) fn look(&mut self, each: impl FnOnce(&mut dyn FnMut(&Header))) {
        let mut now = Polls::new();
        each(&mut |header| {
            now.insert(header.number(), header.polls());
        });
        self.note(now);
    }

    fn note(&mut self, now: Polls) {
        let before = mem::replace(&mut self.seen, now);
        let same = |(number, polls): (&u64, &u32)| {
            (before.get(number) == Some(polls)).then_some((*number, *polls))
        };
        self.stuck = self.seen.iter().filter_map(same).collect();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Patience, Polls};

    #[test]
    fn the_same_poll_at_two_looks_is_stuck() {
        let mut patience = Patience::default();
        patience.note(Polls::from([(1, 1), (2, 5)]));
        assert!(patience.stuck.is_empty());
        patience.note(Polls::from([(1, 1), (2, 6), (3, 1)]));
        assert_eq!(patience.stuck, Polls::from([(1, 1)]));
        patience.note(Polls::from([(2, 6), (3, 1)]));
        assert_eq!(patience.stuck, Polls::from([(2, 6), (3, 1)]), "one has left");
    }
}
