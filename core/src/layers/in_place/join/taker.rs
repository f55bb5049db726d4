//! The handle's end of the cell that it shares with the child. The invariants are those of `join.rs`.

#![allow(unsafe_code)]

use super::{GONE, JoinCell, Joiner, LEFT, PUBLISHED, WAITED, free};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::{Ending, Outcome};
use crate::layers::base::sync::Ordering;
use crate::layers::record::joiner::{SharedList, SharedTally};
use std::mem;
use std::ptr::NonNull;
use std::task::Waker;

/// The handle's token. None: it is gone, and with it what there was.
pub(in super::super) struct Taker<T>(Option<NonNull<JoinCell<T>>>);

// SAFETY: as for `Giver`; what it takes it has alone.
unsafe impl<T: Send> Send for Taker<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Taker<T> {}

impl<T> Taker<T> {
    pub(super) fn new(at: NonNull<JoinCell<T>>) -> Taker<T> {
        Taker(Some(at))
    }

    fn cell(&self) -> Option<&JoinCell<T>> {
        // SAFETY: invariant 2.
        self.0.map(|at| unsafe { at.as_ref() })
    }

    /// Returns what no other handle has meanwhile.
    pub(in super::super) fn key(&self) -> Option<usize> {
        self.0.map(|at| at.addr().get())
    }

    #[inline(always)]
    pub(in super::super) fn is_published(&self) -> bool {
        // Acquire: pairs with `publish`.
        self.cell().is_none_or(|cell| cell.head.word.load(Ordering::Acquire) & PUBLISHED != 0)
    }

    #[inline(always)]
    fn has_left(&self) -> bool {
        // Acquire: pairs with `publish` and `leave`, for the end of the cell.
        self.cell().is_some_and(|cell| cell.head.word.load(Ordering::Acquire) & LEFT != 0)
    }

    /// Takes what is published.
    #[inline(always)]
    fn take_kept(&mut self) -> (Option<Foreign<T>>, Option<Ending>) {
        let Some(cell) = self.cell().filter(|_| self.is_published()) else { return (None, None) };
        // SAFETY: invariant 1: it is published, and `self` is the taker.
        unsafe { cell.take() }
    }

    /// Takes the outcome, if it is there. `Err(true)`: it was taken before.
    pub(in super::super) fn take<E: Send + Sync + 'static>(
        &mut self,
    ) -> Result<(Outcome<T, E>, Ending), bool> {
        if !self.is_published() {
            return Err(false);
        }
        let (value, ending) = self.take_kept();
        let Some(ending) = ending else { return Err(true) };
        if let Some(at) = self.0.filter(|_| self.has_left()) {
            // Here, and not when the handle goes: now it is known that nothing is in it.
            self.0 = None;
            // SAFETY: the giver has left, and the taker is gone.
            unsafe { free(at) }
        }
        let outcome = match (&ending, value) {
            (Ending::Ok, Some(value)) => Outcome::Ok(value.into_inner()),
            (Ending::Err(error), _) => {
                Outcome::Err(error.clone().downcast().expect("the scope has one error type"))
            }
            (Ending::Cancelled(reason) | Ending::NoValue(reason), _) => {
                Outcome::Cancelled(reason.clone())
            }
            (Ending::Echo(echo), _) => Outcome::Cancelled(echo.0.clone()),
            (Ending::Panicked(panic), _) => Outcome::Panicked(panic.clone()),
            (Ending::Ok | Ending::Lost | Ending::Stuck | Ending::Deadlock(_), _) => Outcome::Lost,
        };
        Ok((outcome, ending))
    }

    /// Has the waker woken when the outcome is there. Returns `false` if it is there.
    pub(in super::super) fn wait(&mut self, waker: &Waker) -> bool {
        self.keep_joiner(|| Joiner::Task(Foreign::cloned(waker).into_inner()))
    }

    /// Has the child on the list when the outcome is there. Returns `false` if it is there.
    pub(in super::super) fn enter(&mut self, list: &SharedList) -> bool {
        self.keep_joiner(|| Joiner::List(list.clone()))
    }

    /// Has the tally count the child when the outcome is there. Returns `false` if it is there.
    pub(in super::super) fn enter_tally(&mut self, tally: &SharedTally) -> bool {
        self.keep_joiner(|| Joiner::Tally(tally.clone()))
    }

    fn keep_joiner(&mut self, joiner: impl FnOnce() -> Joiner) -> bool {
        let Some(cell) = self.cell().filter(|_| !self.is_published()) else { return false };
        let mut joiner = Some(Foreign::new(joiner()));
        let _old = cell.head.joiner.locked(|kept| mem::replace(kept, joiner.take()));
        // AcqRel: invariant 3.
        if cell.head.word.fetch_or(WAITED, Ordering::AcqRel) & PUBLISHED == 0 {
            return true;
        }
        // It waits if the giver has the joiner, and tells it.
        cell.head.joiner.locked(Option::take).is_none()
    }

    /// The handle goes. Returns the ending that it did not take.
    #[inline(always)]
    pub(in super::super) fn let_go(&mut self) -> Option<Ending> {
        let at = self.0?;
        // SAFETY: invariant 2: the taker is there until it sets GONE below, or frees the cell.
        let cell = unsafe { at.as_ref() };
        let (mut kept, mut word) = ((None, None), cell.head.word.load(Ordering::Acquire));
        if word & (PUBLISHED | WAITED) == WAITED {
            drop(cell.head.joiner.locked(Option::take));
        }
        while word & LEFT == 0 {
            if word & PUBLISHED != 0 && kept.1.is_none() {
                kept = self.take_kept();
            }
            // AcqRel: pairs with `publish` and `leave`. If it fails it is looked at again: what is
            // published meanwhile is taken before the taker goes.
            let (new, order) = (word | GONE, Ordering::AcqRel);
            match cell.head.word.compare_exchange(word, new, order, Ordering::Acquire) {
                Ok(_) => {
                    self.0 = None;
                    return kept.1;
                }
                Err(now) => word = now,
            }
        }
        if kept.1.is_none() {
            kept = self.take_kept();
        }
        self.0 = None;
        // SAFETY: the giver has left, and the taker is gone.
        unsafe { free(at) }
        kept.1
    }
}

impl<T> Drop for Taker<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.0.is_some() {
            drop(self.let_go());
        }
    }
}
