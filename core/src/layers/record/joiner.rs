//! What waits for a child's outcome by the child's handle: one task; a
//! [`join_all`](crate::join_all) for many handles at once; or a joiner of [`join`](crate::join),
//! which takes them as they end, from an [`EndedList`].
//!
//! The tasks of ten thousand children end, and the task that waits for all of them is woken once: a
//! [`Tally`] counts the ends, and gives out its waker at the last of them, or at the first that is
//! no value.
//!
//! # Invariants
//!
//! 1. `left` is the number of children that will still be counted, and one more until the `Tally`
//!    has been [sealed](Tally::seal).
//! 2. A count that reaches 0 is followed by a look for the waker, under the lock; a waker is kept
//!    under the lock after a look at the count. So one of the two sees the other.
//! 3. When the future that has the `Tally` is gone, no waker is in it: it may go anywhere, also
//!    under a registry's lock.

use super::Ptr;
use super::ended_list::EndedList;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::sync::{Arc, AtomicUsize, Ordering};
use std::mem;
use std::ops::Deref;
use std::task::Waker;

/// What a record with a handle has in its place for a joiner. As large as a waker: nothing waits if
/// there is no `Many`.
pub(crate) enum Joiner {
    Task(Waker),
    Many(Option<Arc<Many>>),
}

/// What waits by many handles at once.
pub(crate) enum Many {
    All(Tally),
    Each(EndedList),
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Joiner>() == size_of::<Waker>());

impl Joiner {
    pub(super) const NONE: Joiner = Joiner::Many(None);

    /// Takes it, and leaves nothing.
    pub(super) fn take(&mut self) -> Joiner {
        mem::replace(self, Joiner::NONE)
    }

    /// The child has ended: returns what is woken for that.
    pub(crate) fn ended(self, record: Ptr, has_value: bool) -> Option<Foreign<Waker>> {
        match self {
            Joiner::Task(waker) => Some(Foreign::new(waker)),
            Joiner::Many(many) => match &*many? {
                Many::All(tally) => tally.ended(record.address(), has_value),
                Many::Each(list) => list.push(record.address()),
            },
        }
    }
}

/// Counts the ends of the children of one `join_all`. Public as [`SharedTally`] is.
pub struct Tally {
    left: AtomicUsize,
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    /// The first child that ended without a value, by its key.
    failed: Option<usize>,
    waker: Option<Foreign<Waker>>,
}

/// What the future of a `join_all` does next.
#[must_use]
#[derive(PartialEq, Eq)]
pub(crate) enum Count {
    Waits,
    /// All children that were counted have ended, with a value.
    Complete,
    /// The child with this key was the first to end without a value.
    Failed(usize),
}

/// A tally that children have as their joiner. Public, and in no public module: a sealed trait names
/// it.
#[derive(Clone)]
pub struct SharedTally(Arc<Many>);

impl SharedTally {
    pub(crate) fn new() -> SharedTally {
        SharedTally(Arc::new(Many::All(Tally::new())))
    }

    pub(crate) fn joiner(&self) -> Joiner {
        Joiner::Many(Some(self.0.clone()))
    }
}

impl Deref for SharedTally {
    type Target = Tally;

    fn deref(&self) -> &Tally {
        match &*self.0 {
            Many::All(tally) => tally,
            Many::Each(_) => unreachable!("`new` made a tally"),
        }
    }
}

/// A list that children have as their joiner. Public, and in no public module: a sealed trait names
/// it.
#[derive(Clone)]
pub struct SharedList(Arc<Many>);

impl SharedList {
    pub(crate) fn new() -> SharedList {
        SharedList(Arc::new(Many::Each(EndedList::default())))
    }

    pub(crate) fn joiner(&self) -> Joiner {
        Joiner::Many(Some(self.0.clone()))
    }
}

impl Deref for SharedList {
    type Target = EndedList;

    fn deref(&self) -> &EndedList {
        match &*self.0 {
            Many::Each(list) => list,
            Many::All(_) => unreachable!("`new` made a list"),
        }
    }
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally { left: AtomicUsize::new(1), state: Guarded::new(State::default()) }
    }

    /// Counts one more child.
    pub(crate) fn add(&self) {
        // Relaxed, here and below: the child is told after this, under its registry's lock.
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a child no more that had ended before it had the tally.
    pub(crate) fn remove(&self) {
        self.left.fetch_sub(1, Ordering::Relaxed);
    }

    /// All children are counted.
    pub(crate) fn seal(&self) {
        self.remove();
    }

    /// The child with this key has ended. Returns the waker if its task has something to do.
    pub(crate) fn ended(&self, key: usize, has_value: bool) -> Option<Foreign<Waker>> {
        // Release: the task that finds 0 sees the outcomes of all. Acquire: and so does this thread,
        // which the task may see by the lock alone.
        let last = self.left.fetch_sub(1, Ordering::AcqRel) == 1;
        if has_value && !last {
            return None;
        }
        self.state.locked(|state| {
            if !has_value {
                state.failed.get_or_insert(key);
            }
            state.waker.take()
        })
    }

    /// Looks how far it is, and keeps the waker if there is more to wait for.
    pub(crate) fn poll(&self, waker: &Waker) -> Count {
        let waker = Foreign::cloned(waker);
        // Acquire, below: pairs with `ended`.
        let (count, unused) = self.state.locked(|state| match state.failed {
            Some(key) => (Count::Failed(key), Some(waker)),
            None if self.left.load(Ordering::Acquire) == 0 => (Count::Complete, Some(waker)),
            None => (Count::Waits, state.waker.replace(waker)),
        });
        drop(unused);
        count
    }

    /// The future that waits goes: nothing is woken any more.
    pub(crate) fn leave(&self) {
        drop(self.state.locked(|state| state.waker.take()));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Count, Tally};
    use std::task::Waker;

    #[test]
    fn the_last_end_gives_the_waker() {
        let tally = Tally::new();
        tally.add();
        tally.add();
        tally.seal();
        assert!(tally.poll(Waker::noop()) == Count::Waits);
        assert!(tally.ended(7, true).is_none());
        assert!(tally.ended(7, true).is_some());
        assert!(tally.poll(Waker::noop()) == Count::Complete);
    }

    #[test]
    fn the_first_failure_gives_the_waker() {
        let tally = Tally::new();
        tally.add();
        tally.add();
        tally.add();
        assert!(tally.ended(7, true).is_none(), "it is not sealed");
        tally.seal();
        assert!(tally.poll(Waker::noop()) == Count::Waits);
        assert!(tally.ended(7, false).is_some());
        assert!(tally.poll(Waker::noop()) == Count::Failed(7));
        assert!(tally.ended(7, true).is_none(), "it was woken");
    }
}
