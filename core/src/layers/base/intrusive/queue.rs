//! A [`List`] that knows its last item: first in, first out.
//!
//! # Invariants
//!
//! 1. `oldest` is the last item of `list`, and none if it is empty. Otherwise as for [`List`].

#![allow(unsafe_code)]

use super::{Linked, List};
use std::ptr::NonNull;

pub(crate) struct Queue<T> {
    list: List<T>,
    oldest: Option<NonNull<T>>,
}

impl<T: Linked> Queue<T> {
    pub(crate) const fn new() -> Queue<T> {
        Queue { list: List::new(), oldest: None }
    }

    /// Returns the oldest item, whose turn it is.
    pub(crate) fn oldest(&self) -> Option<NonNull<T>> {
        self.oldest
    }

    /// Returns the item that came next after `item`.
    ///
    /// # Safety
    ///
    /// The caller holds the queue's lock, and `item` stands in the queue.
    pub(crate) unsafe fn newer(item: NonNull<T>) -> Option<NonNull<T>> {
        // SAFETY: the caller's promise.
        unsafe { List::before(item) }
    }

    /// Puts `item` at the end of the queue.
    ///
    /// # Safety
    ///
    /// The caller holds the queue's lock, and keeps to invariant 2 of the list.
    pub(crate) unsafe fn push(&mut self, item: NonNull<T>) {
        // SAFETY: the caller's promise.
        unsafe { self.list.push_front(item) };
        self.oldest.get_or_insert(item);
    }

    /// Takes `item` out, wherever it stands.
    ///
    /// # Safety
    ///
    /// The caller holds the queue's lock, and `item` stands in this queue.
    pub(crate) unsafe fn remove(&mut self, item: NonNull<T>) {
        if self.oldest == Some(item) {
            // SAFETY: the caller's promise.
            self.oldest = unsafe { List::before(item) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.list.remove(item) };
    }
}
