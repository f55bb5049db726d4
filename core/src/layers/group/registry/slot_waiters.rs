//! The wakers of those who wait for a slot of a bounded nursery.

use super::Registry;
use crate::layers::base::guarded::Foreign;
use std::collections::BTreeMap;
use std::task::Waker;

/// By a number of their own, which is never given again.
#[derive(Default)]
pub(crate) struct Reserves {
    pub(in crate::layers::group) last: u64,
    pub(in crate::layers::group) wakers: BTreeMap<u64, Foreign<Waker>>,
}

impl Registry {
    /// Tells whether somebody may need a slot: who is here, or wants to come in.
    pub(crate) fn wants_slots(&self) -> bool {
        !self.is_vacant() || !self.reserves.wakers.is_empty()
    }
}
