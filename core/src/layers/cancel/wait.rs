//! A place in a token's list of waiters, kept in the waiting future itself: no allocation.
//!
//! It is tempting to keep the wakers in a slab in the node, which needs no pinned links; but that
//! allocates when it grows, under the lock, and stays as large as it was in the worst moment.
//!
//! Its owner and the node share it, so it is reached through shared references alone, the owner's
//! [`Pin<&Wait>`](Pin) as well as the list's pointers, which are made from one.
//!
//! # Invariants
//!
//! 1. `links` and `waker` are touched only under the node's lock; or by the owner, once the waiter
//!    is out of the list for good.
//! 2. The waiter stands in the node's list from its first registration (`shown` is set) until the
//!    node is cancelled, or the owner takes it out. A cancel takes all waiters out before it stores
//!    the level: an owner that sees the level need not take the lock.
//! 3. A waiter that stands in a list does not move: its owner is pinned, and takes it out in its
//!    destructor. The owner keeps the node.
//! 4. `shown` is touched by the owner alone. It is the identity of the waker in the list, which
//!    only the owner changes; it is compared and never used as a pointer.

#![allow(unsafe_code)]

use super::node::Node;
use super::waiter::Waiter;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::intrusive::{Identity, List};
use crate::layers::base::stacks::lens;
use std::cell::Cell;
use std::mem;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;

/// A waiter and what its owner knows of it. A future that embeds it calls [`leave`](Wait::leave) in
/// its destructor.
pub(super) struct Wait {
    waiter: Waiter,
    shown: Cell<Option<Identity>>,
}

// SAFETY: the identity is only compared; the other fields that are not Send by themselves are the
// links, which are guarded by the node's lock, and the waker is Send.
unsafe impl Send for Wait {}
// SAFETY: only its owner acts through a shared reference, one thread at a time: `enter` and `leave`
// ask for that.
unsafe impl Sync for Wait {}

impl Wait {
    pub(super) fn new() -> Wait {
        Wait { waiter: Waiter::new(), shown: Cell::new(None) }
    }

    /// Registers the waker, which is woken when the node is cancelled. Returns `false` if the node
    /// is cancelled already. Costs nothing if the waker is the one of the last call.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and shares it with nothing but the node. The node is the same each
    /// time, and it is there until [`leave`](Wait::leave) was called.
    #[inline(always)]
    pub(super) unsafe fn enter(self: Pin<&Self>, node: &Node, waker: &Waker) -> bool {
        let waker = lens::seen(waker);
        if self.shown.get() == Some(Identity::of(waker)) {
            return true;
        }
        // SAFETY: the caller's promise.
        unsafe { self.register(node, waker) }
    }

    /// # Safety
    ///
    /// Same as [`enter`](Wait::enter).
    unsafe fn register(self: Pin<&Self>, node: &Node, waker: &Waker) -> bool {
        // Before the lock: cloning a waker runs code of the user's.
        let new = Foreign::cloned(waker);
        // Of the clone, which is kept: the waker of one poll may be lent by a lens.
        let identity = Identity::of(&new);
        let mut new = Some(new);
        let (stays, unused) = node.locked(|lists| {
            if node.is_cancelled() {
                return (false, new.take());
            }
            // SAFETY: the lock is held (invariant 1).
            let old = unsafe { self.waiter.change_waker(new.take()) };
            if self.shown.replace(Some(identity)).is_none() {
                // SAFETY: the lock is held, it stands in no list yet, and stays where it is (3).
                unsafe { lists.waiters.push_front(NonNull::from(&self.waiter)) };
            }
            (true, old)
        });
        // After the lock: dropping a waker runs code of the user's, too.
        drop(unused);
        stays
    }

    /// Takes the waiter out of the list, if it stands there.
    ///
    /// # Safety
    ///
    /// The caller is the owner, as for [`enter`](Wait::enter). The node is the one that was given
    /// there, and it is still there.
    #[inline(always)]
    pub(super) unsafe fn leave(self: Pin<&Self>, node: &Node) {
        if self.shown.get().is_some() {
            // SAFETY: the caller's promise.
            unsafe { self.unregister(node) };
        }
    }

    /// # Safety
    ///
    /// Same as [`leave`](Wait::leave), and the waiter was registered.
    unsafe fn unregister(self: Pin<&Self>, node: &Node) {
        self.shown.set(None);
        if node.is_cancelled() {
            // It was taken out (invariant 2).
            return;
        }
        let left = node.locked(|lists| {
            let stands = !node.is_cancelled();
            if stands {
                // SAFETY: the lock is held, and it stands in the list (invariant 2).
                unsafe { lists.waiters.remove(NonNull::from(&self.waiter)) };
            }
            stands
        });
        if left {
            // SAFETY: it is out of the list for good (invariant 1).
            drop(unsafe { self.waiter.change_waker(None) });
        }
    }
}

/// Takes all waiters out of the list, and takes their wakers, the newest first.
///
/// # Safety
///
/// The caller holds the lock of the list's node, and stores that it is cancelled before it releases
/// the lock.
pub(super) unsafe fn take_all(list: &mut List<Waiter>, wakers: &mut Vec<Foreign<Waker>>) {
    let mut next = mem::replace(list, List::new()).first();
    while let Some(waiter) = next {
        // SAFETY: the lock is held, and the links are as they were.
        next = unsafe { List::after(waiter) };
        // SAFETY: it is there until its owner has had the lock, or has seen the level.
        let waiter = unsafe { waiter.as_ref() };
        // SAFETY: the lock is held (invariant 1).
        wakers.extend(unsafe { waiter.change_waker(None) });
    }
}
