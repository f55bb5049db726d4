//! A place in a token's line of waiters, kept in the waiting future itself: no allocation.
//!
//! It is tempting to keep the wakers in a slab in the node, which needs no pinned links; but that
//! allocates when it grows, under the lock, and is as large for ever as it was in the worst moment.
//!
//! # Invariants
//!
//! 1. `links` and `waker` are touched only under the node's lock; or by the owner, once the waiter
//!    is out of the list for good.
//! 2. The waiter stands in the node's list from its first registration (`shown` is set) until the
//!    node is cancelled, or the owner takes it out. A cancel takes all waiters out before it
//!    stores the level: an owner that sees the level need not take the lock.
//! 3. A waiter that stands in a list does not move: its owner is pinned, and takes it out in its
//!    destructor. The owner keeps the node.
//! 4. `shown` is touched by the owner alone. It is the identity of the waker in the list, which
//!    only the owner changes; it is compared and never used as a pointer.

#![allow(unsafe_code)]

use super::node::Node;
use crate::intrusive::{Identity, Linked, Links, List};
use crate::panic;
use crate::sync::UnsafeCell;
use std::marker::PhantomPinned;
use std::mem;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;

/// What stands in the list.
// The alignment: as for `Node`.
#[cfg_attr(loom, repr(align(512)))]
pub(super) struct Waiter {
    links: UnsafeCell<Links<Waiter>>,
    waker: UnsafeCell<Option<Waker>>,
}

impl Linked for Waiter {
    fn links(&self) -> &UnsafeCell<Links<Waiter>> {
        &self.links
    }
}

/// A waiter and what its owner knows of it. Whoever embeds it calls [`leave`](Wait::leave) in its
/// destructor.
pub(super) struct Wait {
    waiter: Waiter,
    shown: Option<Identity>,
    _pinned: PhantomPinned,
}

// SAFETY: the identity is only compared; what else is not Send of itself is the links, which are
// guarded by the node's lock, and the waker is Send.
unsafe impl Send for Wait {}
// SAFETY: nothing can be done with a shared reference to it.
unsafe impl Sync for Wait {}

impl Wait {
    pub(super) fn new() -> Wait {
        let waiter = Waiter { links: Links::new(), waker: UnsafeCell::new(None) };
        Wait { waiter, shown: None, _pinned: PhantomPinned }
    }

    /// Has the waker woken when the node is cancelled. Returns false if it is cancelled already.
    /// Costs nothing when it is the waker of the last time.
    ///
    /// # Safety
    ///
    /// It is the same node each time, and it is there until [`leave`](Wait::leave) was called.
    #[inline(always)]
    pub(super) unsafe fn enter(self: Pin<&mut Self>, node: &Node, waker: &Waker) -> bool {
        let identity = Identity::of(waker);
        if self.shown == Some(identity) {
            return true;
        }
        // SAFETY: the caller's promise.
        unsafe { self.register(node, waker, identity) }
    }

    /// # Safety
    ///
    /// As for [`enter`](Wait::enter).
    unsafe fn register(
        self: Pin<&mut Self>,
        node: &Node,
        waker: &Waker,
        identity: Identity,
    ) -> bool {
        // SAFETY: nothing is moved out of it.
        let wait = unsafe { self.get_unchecked_mut() };
        // Before the lock: cloning a waker runs code of the user's.
        let new = waker.clone();
        let mut lists = node.lock();
        if node.is_cancelled() {
            drop(lists);
            panic::drop_waker(Some(new));
            return false;
        }
        // SAFETY: the lock is held (invariant 1).
        let old = wait.waiter.waker.with_mut(|waker| unsafe { &mut *waker }.replace(new));
        if wait.shown.replace(identity).is_none() {
            // SAFETY: the lock is held, it stands in no list yet, and stays where it is (3).
            unsafe { lists.waiters.push_front(NonNull::from(&wait.waiter)) };
        }
        drop(lists);
        // After the lock: so does dropping one.
        panic::drop_waker(old);
        true
    }

    /// Takes the waiter out of the list, if it stands there.
    ///
    /// # Safety
    ///
    /// It is the node that was given to [`enter`](Wait::enter), and it is still there.
    #[inline(always)]
    pub(super) unsafe fn leave(self: Pin<&mut Self>, node: &Node) {
        if self.shown.is_some() {
            // SAFETY: the caller's promise.
            unsafe { self.unregister(node) };
        }
    }

    /// # Safety
    ///
    /// As for [`leave`](Wait::leave), and the waiter was registered.
    unsafe fn unregister(self: Pin<&mut Self>, node: &Node) {
        // SAFETY: nothing is moved out of it.
        let wait = unsafe { self.get_unchecked_mut() };
        wait.shown = None;
        if node.is_cancelled() {
            // It was taken out (invariant 2).
            return;
        }
        let mut lists = node.lock();
        if node.is_cancelled() {
            return;
        }
        // SAFETY: the lock is held, and it stands in the list (invariant 2).
        unsafe { lists.waiters.remove(NonNull::from(&wait.waiter)) };
        drop(lists);
        // SAFETY: it is out of the list for good (invariant 1).
        panic::drop_waker(wait.waiter.waker.with_mut(|waker| unsafe { &mut *waker }.take()));
    }
}

/// Takes all waiters out of the list, and their wakers, the newest first.
///
/// # Safety
///
/// The caller holds the lock of the list's node, and stores that it is cancelled before letting go.
pub(super) unsafe fn take_all(list: &mut List<Waiter>, wakers: &mut Vec<Waker>) {
    let mut next = mem::replace(list, List::new()).first();
    while let Some(waiter) = next {
        // SAFETY: the lock is held, and the links are as they were.
        next = unsafe { List::after(waiter) };
        // SAFETY: it is there until its owner has had the lock, or has seen the level.
        let waiter = unsafe { waiter.as_ref() };
        // SAFETY: the lock is held (invariant 1).
        wakers.extend(waiter.waker.with_mut(|waker| unsafe { &mut *waker }.take()));
    }
}
