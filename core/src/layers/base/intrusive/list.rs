//! An intrusive doubly linked list: children of a token's node, waiters of a node.
//!
//! Nothing is allocated, and an item of the list is taken out in constant time. The newest is at
//! the front.
//!
//! # Invariants
//!
//! 1. Links are touched only under the lock that guards the list.
//! 2. An item stands in at most one list through the same links, and stays where it is in memory
//!    until it was taken out or the list was given up as a whole.

#![allow(unsafe_code)]

use crate::layers::base::sync::UnsafeCell;
use std::ptr::NonNull;

/// An item's neighbours.
pub(crate) struct Links<T> {
    prev: Option<NonNull<T>>,
    next: Option<NonNull<T>>,
}

impl<T> Links<T> {
    pub(crate) fn new() -> UnsafeCell<Links<T>> {
        UnsafeCell::new(Links { prev: None, next: None })
    }
}

/// A type that can stand in a list.
pub(crate) trait Linked: Sized {
    fn links(&self) -> &UnsafeCell<Links<Self>>;
}

pub(crate) struct List<T> {
    head: Option<NonNull<T>>,
}

impl<T: Linked> List<T> {
    pub(crate) const fn new() -> List<T> {
        List { head: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    pub(crate) fn first(&self) -> Option<NonNull<T>> {
        self.head
    }

    /// Returns the item after `item`.
    ///
    /// # Safety
    ///
    /// The caller holds the list's lock, and `item` stands in the list.
    pub(crate) unsafe fn after(item: NonNull<T>) -> Option<NonNull<T>> {
        // SAFETY: the caller's promise.
        unsafe { with(item, |links| links.next) }
    }

    /// Returns the item before `item`, which is newer.
    ///
    /// # Safety
    ///
    /// The caller holds the list's lock, and `item` stands in the list.
    pub(crate) unsafe fn before(item: NonNull<T>) -> Option<NonNull<T>> {
        // SAFETY: the caller's promise.
        unsafe { with(item, |links| links.prev) }
    }

    /// Puts `item` at the front.
    ///
    /// # Safety
    ///
    /// The caller holds the list's lock, and keeps to invariant 2.
    pub(crate) unsafe fn push_front(&mut self, item: NonNull<T>) {
        let next = self.head.replace(item);
        // SAFETY: the caller's promise.
        unsafe { with(item, |links| *links = Links { prev: None, next }) };
        if let Some(next) = next {
            // SAFETY: it stands in the list, whose lock is held.
            unsafe { with(next, |links| links.prev = Some(item)) };
        }
    }

    /// Takes `item` out.
    ///
    /// # Safety
    ///
    /// The caller holds the list's lock, and `item` stands in this list.
    pub(crate) unsafe fn remove(&mut self, item: NonNull<T>) {
        // SAFETY: the caller's promise.
        let (prev, next) = unsafe { with(item, |links| (links.prev, links.next)) };
        match prev {
            // SAFETY: it stands in the list, whose lock is held.
            Some(prev) => unsafe { with(prev, |links| links.next = next) },
            None => self.head = next,
        }
        if let Some(next) = next {
            // SAFETY: it stands in the list, whose lock is held.
            unsafe { with(next, |links| links.prev = prev) };
        }
    }
}

/// # Safety
///
/// `item` is there, the lock of its list is held, and the caller is not in another call for it.
unsafe fn with<T: Linked, R>(item: NonNull<T>, f: impl FnOnce(&mut Links<T>) -> R) -> R {
    // SAFETY: the caller's promise.
    let item = unsafe { item.as_ref() };
    // SAFETY: invariant 1, and the caller does not nest.
    item.links().with_mut(|links| f(unsafe { &mut *links }))
}
