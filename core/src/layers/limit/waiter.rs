//! A waiter in a wait queue. Its invariants are those of the [wait queue](super::wait_queue).

#![allow(unsafe_code)]

use super::book::Booked;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::intrusive::{Linked, Links};
use crate::layers::base::sync::{AtomicBool, Ordering, UnsafeCell};
use std::marker::PhantomPinned;
use std::mem::{self, MaybeUninit};
use std::ptr::NonNull;
use std::task::Waker;

/// The decision that a waiter is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It owns the permits that it asked for.
    Granted,
    /// The limit was closed.
    Closed,
    /// It asked for more permits than there will ever be.
    TooMany { capacity: usize },
}

/// The part of an acquire that stands in the wait queue.
// Loom's models find waiters that are used after they were freed by their alignment.
#[cfg_attr(loom, repr(align(512)))]
pub(super) struct Waiter {
    links: UnsafeCell<Links<Waiter>>,
    // Not initialized before it joins: most waiters never join, and would pay for it.
    entry: UnsafeCell<MaybeUninit<Entry>>,
    told: AtomicBool,
    // It had lent what it asks for.
    returns: bool,
    // It waits also where there are fewer permits than it asks for: a limit of 0 is a pause.
    patient: bool,
    asked: usize,
    _pinned: PhantomPinned,
}

pub(super) struct Entry {
    pub(super) waker: Option<Foreign<Waker>>,
    pub(super) decision: Option<Decision>,
    pub(super) booked: Booked,
    pub(super) lane: u64,
}

impl Linked for Waiter {
    fn links(&self) -> &UnsafeCell<Links<Waiter>> {
        &self.links
    }
}

impl Waiter {
    #[inline(always)]
    pub(super) fn new(asked: usize) -> Waiter {
        let entry = UnsafeCell::new(MaybeUninit::uninit());
        let (links, told) = (Links::new(), AtomicBool::new(false));
        Waiter { links, entry, told, returns: false, patient: false, asked, _pinned: PhantomPinned }
    }

    pub(super) fn asked(&self) -> usize {
        self.asked
    }

    pub(super) fn returns(&self) -> bool {
        self.returns
    }

    pub(super) fn is_patient(&self) -> bool {
        self.patient
    }

    /// It waits for a slot; if it `returns`, for one that it had lent. The waiter is new.
    pub(super) fn set_slot(&mut self, returns: bool) {
        (self.patient, self.returns) = (true, returns);
    }

    /// Gives it what it has in a wait queue.
    ///
    /// # Safety
    ///
    /// It stands in no wait queue yet, and is the caller's.
    pub(super) unsafe fn join(&self, entry: Entry) {
        // SAFETY: the caller's promise.
        self.entry.with_mut(|location| unsafe { *location = MaybeUninit::new(entry) });
    }

    /// Returns its decision, if it was told.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and it has joined a wait queue.
    #[inline(always)]
    pub(super) unsafe fn decision(&self) -> Option<Decision> {
        // Acquire: pairs with the store in `tell`.
        if !self.told.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: it was told, so only the owner, the caller, touches it (invariant 2).
        unsafe { self.with(|entry| entry.decision) }
    }

    /// Returns the row of the book that it was given when it joined.
    ///
    /// # Safety
    ///
    /// It has joined a wait queue, and the caller holds its lock, or is the owner and it was told.
    pub(super) unsafe fn booked(&self) -> Booked {
        // SAFETY: the caller's promise.
        unsafe { self.with(|entry| entry.booked) }
    }

    /// Gives it another waker, and returns the old one.
    ///
    /// # Safety
    ///
    /// It has joined a wait queue, and the caller holds its lock.
    pub(super) unsafe fn change_waker(
        &self,
        waker: Option<Foreign<Waker>>,
    ) -> Option<Foreign<Waker>> {
        // SAFETY: the caller's promise.
        unsafe { self.with(|entry| mem::replace(&mut entry.waker, waker)) }
    }

    /// # Safety
    ///
    /// It has joined a wait queue, and it is the caller's turn to touch it (invariant 2).
    #[inline(always)]
    pub(super) unsafe fn with<R>(&self, f: impl FnOnce(&mut Entry) -> R) -> R {
        self.entry.with_mut(|entry| {
            // SAFETY: the caller's promise.
            let entry = unsafe { &mut *entry };
            // SAFETY: invariant 4.
            f(unsafe { entry.assume_init_mut() })
        })
    }

    /// Finishes telling a waiter that is in no queue any more.
    ///
    /// # Safety
    ///
    /// It has joined a wait queue and was not told, and the caller holds its lock.
    pub(super) unsafe fn tell(
        this: NonNull<Waiter>,
        decision: Option<Decision>,
    ) -> Option<Foreign<Waker>> {
        // SAFETY: it was not told: it is there (invariant 1).
        let waiter = unsafe { this.as_ref() };
        // SAFETY: the caller's promise.
        let waker = unsafe {
            waiter.with(|entry| {
                entry.decision = decision.or(entry.decision);
                entry.waker.take()
            })
        };
        // Release: pairs with the load in `decision`. The waiter may be gone after this.
        waiter.told.store(true, Ordering::Release);
        waker
    }
}
