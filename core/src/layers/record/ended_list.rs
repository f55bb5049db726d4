//! The children of one joiner that have ended, in the order of their ends.
//!
//! Each child puts itself at the end of the list, in the hold of the lock in which it leaves its
//! nursery. The joiner takes all that are there at once, so ten thousand ends cost it as many steps,
//! and one wake for each time that it found none.
//!
//! # Invariants
//!
//! 1. A child is on the list once, by a key that no other child of the list has: the joiner keeps the
//!    handle until it has taken the key.
//! 2. A waker is kept under the lock after a look at the list, and an end that finds one takes it
//!    under the lock. So an end is seen, or wakes.
//! 3. When the joiner is gone, no waker is in it, and no key comes to it any more.

use crate::layers::base::guarded::{Foreign, Guarded};
use std::mem;
use std::task::Waker;

/// Public, and in no public module, as the [`SharedList`](super::joiner::SharedList) of it.
pub struct EndedList {
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    keys: Vec<usize>,
    waker: Option<Foreign<Waker>>,
    /// The joiner is gone.
    left: bool,
}

impl Default for EndedList {
    fn default() -> EndedList {
        EndedList { state: Guarded::new(State::default()) }
    }
}

impl EndedList {
    /// A child has ended. Returns the waker, if the joiner waits.
    pub(crate) fn push(&self, key: usize) -> Option<Foreign<Waker>> {
        self.state.locked(|state| {
            if !state.left {
                state.keys.push(key);
            }
            state.waker.take()
        })
    }

    /// Takes all keys that are there; `keys` is empty, and its memory is the list's from now on.
    /// Returns `false` if there is none.
    pub(crate) fn take(&self, keys: &mut Vec<usize>) -> bool {
        self.state.locked(|state| {
            if !state.keys.is_empty() {
                mem::swap(&mut state.keys, keys);
            }
        });
        !keys.is_empty()
    }

    /// As [`take`](EndedList::take); if there is none, it keeps the waker.
    pub(crate) fn take_or_wait(&self, keys: &mut Vec<usize>, waker: &Waker) -> bool {
        if self.take(keys) {
            return true;
        }
        let waker = Foreign::cloned(waker);
        let unused = self.state.locked(|state| {
            if state.keys.is_empty() {
                return state.waker.replace(waker);
            }
            mem::swap(&mut state.keys, keys);
            Some(waker)
        });
        drop(unused);
        !keys.is_empty()
    }

    /// Wakes the joiner for what is on no list.
    pub(crate) fn wake(&self) {
        let waker = self.state.locked(|state| state.waker.take());
        waker.into_iter().for_each(Foreign::wake);
    }

    /// The joiner waits no longer: nothing is woken until it waits again.
    pub(crate) fn forget_waker(&self) {
        drop(self.state.locked(|state| state.waker.take()));
    }

    /// The joiner goes.
    pub(crate) fn leave(&self) {
        let rest = self.state.locked(|state| {
            state.left = true;
            (mem::take(&mut state.keys), state.waker.take())
        });
        drop(rest);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::EndedList;
    use std::task::Waker;

    #[test]
    fn wait_then_ends() {
        let (list, mut keys) = (EndedList::default(), Vec::new());
        assert!(!list.take_or_wait(&mut keys, Waker::noop()));
        assert!(list.push(3).is_some(), "the joiner waits");
        assert!(list.push(1).is_none(), "it was woken");
        assert!(list.take_or_wait(&mut keys, Waker::noop()));
        assert_eq!(keys, [3, 1]);
        keys.clear();
        assert!(!list.take(&mut keys), "each is taken once");
    }

    #[test]
    fn ends_then_wait_keeps_no_waker() {
        let (list, mut keys) = (EndedList::default(), Vec::new());
        assert!(list.push(7).is_none());
        assert!(list.take_or_wait(&mut keys, Waker::noop()));
        assert!(list.push(8).is_none(), "no waker was kept");
    }

    #[test]
    fn leave_then_end() {
        let (list, mut keys) = (EndedList::default(), Vec::new());
        assert!(!list.take_or_wait(&mut keys, Waker::noop()));
        list.leave();
        assert!(list.push(1).is_none());
        assert!(!list.take(&mut keys), "no joiner is left to take it");
    }
}
