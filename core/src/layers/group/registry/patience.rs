//! Tasks that hold their threads in a nursery that was cancelled: `stuck_after`.
//!
//! A look notes which members are being polled, or destroyed, and in which poll. One that is in the
//! same poll at the next look has held its thread all that time. The looks come when half of
//! `stuck_after` has passed, and at least as long after each other; when all of it has, what has held
//! its thread since the look before is given up.

use super::Registry;
use crate::layers::record::Header;
use std::collections::BTreeMap;
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
pub(in crate::layers::group) fn between(stuck_after: Duration) -> Duration {
    (stuck_after / 2).max(Duration::from_millis(1))
}

impl Patience {
    /// Tells whether a member that is being polled or destroyed was given up.
    pub(in crate::layers::group) fn is_over(&self, header: &Header) -> bool {
        self.stuck.get(&header.number()) == Some(&header.polls())
    }
}

impl Registry {
    pub(in crate::layers::group) fn look_at_threads(&mut self) {
        let mut now = Polls::new();
        self.each_polled(|header| {
            now.insert(header.number(), header.polls());
        });
        let patience = &mut self.patience;
        let before = std::mem::replace(&mut patience.seen, now);
        let same = |(number, polls): (&u64, &u32)| {
            (before.get(number) == Some(polls)).then_some((*number, *polls))
        };
        patience.stuck = patience.seen.iter().filter_map(same).collect();
    }
}
