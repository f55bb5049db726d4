//! What stands in a token's line of waiters. Its invariants are those of [`wait`](super::wait), whose
//! part it is.

#![allow(unsafe_code)]

use crate::layers::base::guarded::Foreign;
use crate::layers::base::intrusive::{Linked, Links};
use crate::layers::base::sync::UnsafeCell;
use std::marker::PhantomPinned;
use std::mem;
use std::task::Waker;

/// What stands in the list.
// The alignment: as for `Node`.
#[cfg_attr(loom, repr(align(512)))]
pub(super) struct Waiter {
    links: UnsafeCell<Links<Waiter>>,
    waker: UnsafeCell<Option<Foreign<Waker>>>,
    /// Others point to it.
    _pinned: PhantomPinned,
}

impl Linked for Waiter {
    fn links(&self) -> &UnsafeCell<Links<Waiter>> {
        &self.links
    }
}

impl Waiter {
    pub(super) fn new() -> Waiter {
        let waker = UnsafeCell::new(None);
        Waiter { links: Links::new(), waker, _pinned: PhantomPinned }
    }

    /// Puts another waker in its place, and returns the old one.
    ///
    /// # Safety
    ///
    /// It is the caller's turn to touch it (invariant 1).
    pub(super) unsafe fn change_waker(
        &self,
        new: Option<Foreign<Waker>>,
    ) -> Option<Foreign<Waker>> {
        // SAFETY: the caller's promise.
        self.waker.with_mut(|waker| mem::replace(unsafe { &mut *waker }, new))
    }
}
