//! The waiters for a slot of a bounded nursery, by their numbers.

use crate::layers::base::guarded::Foreign;
use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

#[derive(Default)]
pub(crate) struct Reserves {
    /// The number that was given last: none is given again.
    last: u64,
    wakers: BTreeMap<u64, Foreign<Waker>>,
}

/// What came of keeping a waker.
pub(crate) struct Kept {
    /// The waiter's number from now on.
    pub(crate) entry: u64,
    /// Dropped with no lock held.
    pub(crate) old: Option<Foreign<Waker>>,
    /// It is the only waiter, and new.
    pub(crate) first: bool,
}

impl Reserves {
    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Keeps the waker of a waiter, which gets a number with the first one.
    pub(crate) fn keep(&mut self, entry: Option<u64>, waker: Foreign<Waker>) -> Kept {
        let entry = entry.unwrap_or_else(|| {
            self.last += 1;
            self.last
        });
        let old = self.wakers.insert(entry, waker);
        let first = old.is_none() && self.wakers.len() == 1;
        Kept { entry, old, first }
    }

    /// It waits no longer. Returns its waker, to be dropped with no lock held.
    pub(crate) fn forget(&mut self, entry: u64) -> Option<Foreign<Waker>> {
        self.wakers.remove(&entry)
    }

    /// Takes all: the caller wakes them.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Foreign<Waker>> + use<> {
        mem::take(&mut self.wakers).into_values()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Reserves;
    use crate::layers::base::guarded::Foreign;
    use std::task::Waker;

    #[test]
    fn a_number_is_never_given_again() {
        let noop = || Foreign::new(Waker::noop().clone());
        let mut reserves = Reserves::default();
        let one = reserves.keep(None, noop());
        assert!(one.first && one.old.is_none());
        let again = reserves.keep(Some(one.entry), noop());
        assert!(!again.first && again.old.is_some());
        assert!(!reserves.keep(None, noop()).first);
        assert_eq!(reserves.take().count(), 2);
        let next = reserves.keep(None, noop());
        assert!(next.first && next.entry != one.entry);
        assert!(reserves.forget(one.entry).is_none());
    }
}
