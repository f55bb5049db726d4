//! One who waits in a line. Its invariants are those of the [line](super::line).

#![allow(unsafe_code)]

use super::holders::Key;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::intrusive::{Linked, Links};
use crate::layers::base::sync::{AtomicBool, Ordering, UnsafeCell};
use std::marker::PhantomPinned;
use std::mem::{self, MaybeUninit};
use std::ptr::NonNull;
use std::task::Waker;

/// The verdict that a waiter is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It owns the permits that it asked for.
    Granted,
    /// The limit was closed.
    Closed,
    /// It asked for more permits than there will ever be.
    TooMany { capacity: usize },
}

/// The part of an acquire that stands in the line.
// Loom's models find waiters that are used after they were freed by their alignment.
#[cfg_attr(loom, repr(align(512)))]
pub(super) struct Waiter {
    links: UnsafeCell<Links<Waiter>>,
    // Not initialized before it joins: most waiters never join, and would pay for it.
    slot: UnsafeCell<MaybeUninit<Slot>>,
    told: AtomicBool,
    // It had lent what it asks for.
    returns: bool,
    asked: usize,
    _pinned: PhantomPinned,
}

pub(super) struct Slot {
    pub(super) waker: Option<Foreign<Waker>>,
    pub(super) verdict: Option<Verdict>,
    pub(super) key: Key,
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
        let slot = UnsafeCell::new(MaybeUninit::uninit());
        let (links, told) = (Links::new(), AtomicBool::new(false));
        Waiter { links, slot, told, returns: false, asked, _pinned: PhantomPinned }
    }

    pub(super) fn asked(&self) -> usize {
        self.asked
    }

    pub(super) fn returns(&self) -> bool {
        self.returns
    }

    /// The waiter is new.
    pub(super) fn set_returns(&mut self, returns: bool) {
        self.returns = returns;
    }

    /// Gives it what it has in a line.
    ///
    /// # Safety
    ///
    /// It stands in no line yet, and is the caller's.
    pub(super) unsafe fn join(&self, slot: Slot) {
        // SAFETY: the caller's promise.
        self.slot.with_mut(|location| unsafe { *location = MaybeUninit::new(slot) });
    }

    /// Returns its verdict, if it was told.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and it has joined a line.
    pub(super) unsafe fn verdict(&self) -> Option<Verdict> {
        // Acquire: pairs with the store in `tell`.
        if !self.told.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: it was told, so only the owner, the caller, touches it (invariant 2).
        unsafe { self.with(|slot| slot.verdict) }
    }

    /// Returns the key that it was given when it joined.
    ///
    /// # Safety
    ///
    /// It has joined a line, and the caller holds its lock, or is the owner and it was told.
    pub(super) unsafe fn key(&self) -> Key {
        // SAFETY: the caller's promise.
        unsafe { self.with(|slot| slot.key) }
    }

    /// Gives it another waker, and returns the old one.
    ///
    /// # Safety
    ///
    /// It has joined a line, and the caller holds its lock.
    pub(super) unsafe fn change_waker(
        &self,
        waker: Option<Foreign<Waker>>,
    ) -> Option<Foreign<Waker>> {
        // SAFETY: the caller's promise.
        unsafe { self.with(|slot| mem::replace(&mut slot.waker, waker)) }
    }

    /// # Safety
    ///
    /// It has joined a line, and it is the caller's turn to touch it (invariant 2).
    pub(super) unsafe fn with<R>(&self, f: impl FnOnce(&mut Slot) -> R) -> R {
        self.slot.with_mut(|slot| {
            // SAFETY: the caller's promise.
            let slot = unsafe { &mut *slot };
            // SAFETY: invariant 4.
            f(unsafe { slot.assume_init_mut() })
        })
    }

    /// Finishes telling a waiter that is in no queue any more.
    ///
    /// # Safety
    ///
    /// It has joined a line and was not told, and the caller holds its lock.
    pub(super) unsafe fn tell(
        this: NonNull<Waiter>,
        verdict: Option<Verdict>,
    ) -> Option<Foreign<Waker>> {
        // SAFETY: it was not told: it is there (invariant 1).
        let waiter = unsafe { this.as_ref() };
        // SAFETY: the caller's promise.
        let waker = unsafe {
            waiter.with(|slot| {
                slot.verdict = verdict.or(slot.verdict);
                slot.waker.take()
            })
        };
        // Release: pairs with the load in `verdict`. The waiter may be gone after this.
        waiter.told.store(true, Ordering::Release);
        waker
    }
}
