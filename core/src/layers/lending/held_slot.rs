//! The slot of a task in a bounded nursery, and its lending.
//!
//! A task that waits for tasks which need a slot of the same limiter lends them its own. What lends
//! has a [`Lease`]: a nested nursery's future while a task is in the nursery or waits for its
//! admission; a reservation that waits, and then the place that it gave, until that
//! is used. When the last lease is gone the task *wants* its slot back, and does not go on without
//! it.
//!
//! | slot    | `permit` | `loan` | leases | goes on to                                              |
//! |---------|----------|--------|--------|---------------------------------------------------------|
//! | held    | some     | none   | -      | lent                                                    |
//! | lent    | none     | some   | >= 1   | held: the last lease's owner takes it back; or wanted   |
//! | wanted  | none     | some   | 0      | held; forgone; lent again, in the same poll of the task |
//! | forgone | none     | none   | -      | - (cancelled, or the limiter is closed)                 |
//!
//! # Invariants
//!
//! 1. A slot is touched by its task only, in its polls and its destruction; leases may go anywhere,
//!    and only count.
//! 2. A lease is made of a slot that is held, or that has a loan. So `loan` is none when the slot
//!    is held.
//! 3. Giving a permit back wakes others: the slot is in its new state before.

use crate::layers::base::sync::{Arc, AtomicUsize, Ordering};
use crate::layers::limit::{OwnedPermit, Semaphore};
use std::cell::Cell;

pub(crate) struct HeldSlot {
    permit: Cell<Option<OwnedPermit>>,
    loan: Cell<Option<Arc<Loan>>>,
}

struct Loan {
    limiter: Arc<Semaphore>,
    leases: AtomicUsize,
}

/// As long as there is one, the task's slot is lent.
#[must_use]
pub(crate) struct Lease(Arc<Loan>);

impl HeldSlot {
    pub(crate) fn new(permit: Option<OwnedPermit>) -> HeldSlot {
        HeldSlot { permit: Cell::new(permit), loan: Cell::new(None) }
    }

    /// Lends the slot, if it is one of this limiter.
    pub(crate) fn lend(&self, limiter: &Arc<Semaphore>) -> Option<Lease> {
        if !self.is_of(limiter) {
            return None;
        }
        if let Some(lease) = self.lease(limiter) {
            return Some(lease);
        }
        let loan = Arc::new(Loan { limiter: limiter.clone(), leases: AtomicUsize::new(1) });
        self.loan.set(Some(loan.clone()));
        drop(self.permit.take());
        Some(Lease(loan))
    }

    /// Lends the slot to one more, if it is lent.
    pub(crate) fn lease(&self, limiter: &Arc<Semaphore>) -> Option<Lease> {
        let loan = peek(&self.loan, Arc::clone)?;
        if !Arc::ptr_eq(&loan.limiter, limiter) {
            return None;
        }
        // Relaxed, here and below: a count that guards nothing; the task that finds it at 0 takes a
        // permit.
        loan.leases.fetch_add(1, Ordering::Relaxed);
        Some(Lease(loan))
    }

    /// Returns `true` if the slot is, or was when it was lent, one of this limiter.
    pub(crate) fn is_of(&self, limiter: &Arc<Semaphore>) -> bool {
        peek(&self.permit, |permit| Arc::ptr_eq(permit.semaphore(), limiter))
            .or_else(|| peek(&self.loan, |loan| Arc::ptr_eq(&loan.limiter, limiter)))
            .unwrap_or(false)
    }

    /// Returns the limiter, if the task wants its slot back.
    pub(crate) fn wanted(&self) -> Option<Arc<Semaphore>> {
        let wanted = |loan: &Arc<Loan>| {
            (loan.leases.load(Ordering::Relaxed) == 0).then(|| loan.limiter.clone())
        };
        peek(&self.loan, wanted).flatten()
    }

    /// The slot is there, for the first time or again.
    pub(crate) fn take_back(&self, permit: OwnedPermit) {
        drop(self.loan.take());
        self.permit.set(Some(permit));
    }

    /// The task goes on without.
    pub(crate) fn forgo(&self) {
        drop(self.loan.take());
    }

    /// Has the limiter's list of holders name the task that calls this.
    pub(crate) fn sign(&self) {
        let mut permit = self.permit.take();
        permit.as_mut().map(OwnedPermit::sign);
        self.permit.set(permit);
    }
}

impl Lease {
    pub(crate) fn limiter(&self) -> &Arc<Semaphore> {
        &self.0.limiter
    }

    /// Returns `true` if the owner that lets go of it takes the slot back: it is the last, and this
    /// is the slot that it is of.
    pub(crate) fn is_last_of(&self, slot: &HeldSlot) -> bool {
        let same = peek(&slot.loan, |loan| Arc::ptr_eq(loan, &self.0)).unwrap_or(false);
        same && self.0.leases.load(Ordering::Relaxed) == 1
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.leases.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Looks at what is in a cell.
fn peek<T, R>(cell: &Cell<Option<T>>, look: impl FnOnce(&T) -> R) -> Option<R> {
    let inside = cell.take();
    let seen = inside.as_ref().map(look);
    cell.set(inside);
    seen
}
