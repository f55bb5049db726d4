//! The state word at one moment, for a look that has no claim.

use super::{CANCEL, CARRIED, CLAIMED, LINKED, RISING, StateWord, WAKER};
use crate::layers::base::sync::Ordering;

/// What the word said in one load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen(u32);

impl StateWord {
    /// Looks at all of it, at one moment.
    #[inline]
    pub(crate) fn seen(&self) -> Seen {
        // Acquire: pairs with `park`: what the record showed when it parked is seen.
        Seen(self.0.load(Ordering::Acquire))
    }
}

impl Seen {
    /// Returns `true` if the nursery counts it.
    pub(crate) fn is_linked(self) -> bool {
        self.0 & LINKED != 0
    }

    /// Returns `true` if it waits: the nursery counts it, and neither a thread nor a queue has the
    /// claim.
    pub(crate) fn is_parked(self) -> bool {
        self.0 & (LINKED | CLAIMED) == LINKED
    }

    /// Returns `true` if a cancel is visible to it.
    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & CANCEL != 0
    }

    /// Returns `true` if it was cancelled, or is on its way to that.
    pub(crate) fn is_risen(self) -> bool {
        self.0 & (CANCEL | RISING) != 0
    }

    /// Returns `true` if a task of the runtime is its own: that is what wakes it then.
    pub(crate) fn is_carried(self) -> bool {
        self.0 & CARRIED != 0
    }

    /// Returns how many wakers of it there are that are the record. One beyond a million stands for
    /// many.
    pub(crate) fn wakers(self) -> u32 {
        self.0 / WAKER
    }
}
