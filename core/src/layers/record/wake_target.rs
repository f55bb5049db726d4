//! The target of a wake, in one word: the group's queue, or the task of the runtime that is the
//! child's own.
//!
//! # Invariants
//!
//! 1. The pointer's lowest bit says what it points to: clear, a [`Stack`](super::Stack), a record's
//!    header or nothing; set, one byte into an `Option<Waker>` that came from a `Box` and belongs to
//!    this. All of them are aligned to more than a byte.

#![allow(unsafe_code)]

use super::Header;
use crate::layers::base::panic;
use std::ptr;
use std::task::Waker;

/// The bit of invariant 1.
const BOUND: usize = 1;

const _: () = assert!(align_of::<Option<Waker>>() > BOUND && align_of::<Header>() > BOUND);

/// Of a child that has no task of the runtime for its own it is its group's stack; in a
/// [chain](super::Chain), the record before it. Of one that has, it is a box for the waker of that
/// task: such a child pays for the box, once, and the record of every other one is smaller for it.
pub(super) struct WakeTarget(*const ());

impl WakeTarget {
    pub(super) const NONE: WakeTarget = WakeTarget(ptr::null());

    fn is_bound(&self) -> bool {
        self.0.addr() & BOUND != 0
    }

    /// Returns the stack, or the record before it. No task is bound.
    #[inline(always)]
    pub(super) fn queue(&self) -> *const () {
        debug_assert!(!self.is_bound());
        self.0
    }

    /// Sets the stack, or the record before it. No task is bound.
    #[inline(always)]
    pub(super) fn set_queue(&mut self, queue: *const ()) {
        debug_assert!(!self.is_bound());
        self.0 = queue;
    }

    /// Binds a task, which has no waker yet.
    pub(super) fn bind(&mut self) {
        debug_assert!(!self.is_bound());
        let place = Box::into_raw(Box::new(None::<Waker>));
        self.0 = place.cast::<()>().map_addr(|addr| addr | BOUND).cast_const();
    }

    /// Returns the place of the task's waker.
    ///
    /// # Safety
    ///
    /// A task is bound.
    #[inline(always)]
    pub(super) unsafe fn waker(&mut self) -> &mut Option<Waker> {
        debug_assert!(self.is_bound());
        let place = self.0.map_addr(|addr| addr & !BOUND).cast_mut().cast();
        // SAFETY: the caller's promise, and invariant 1; the box is borrowed with this.
        unsafe { &mut *place }
    }
}

impl Drop for WakeTarget {
    #[inline]
    fn drop(&mut self) {
        if self.is_bound() {
            let place = self.0.map_addr(|addr| addr & !BOUND).cast_mut().cast();
            // SAFETY: invariant 1: it came from a box, and is dropped once.
            let waker = unsafe { Box::<Option<Waker>>::from_raw(place) };
            panic::drop_waker(*waker);
        }
    }
}
