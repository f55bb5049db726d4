//! The waiters for the moment when a nursery has no members: scopes that are over, and shutdowns.
//!
//! Each has a number, by which its waker is found again: when it is polled with another one, and
//! when it is dropped.

use crate::layers::base::guarded::Foreign;
use crate::layers::context::host::Waiter;
use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

/// The wakers of the waiters.
#[derive(Default)]
pub(crate) struct Home(BTreeMap<Waiter, Foreign<Waker>>);

impl Home {
    /// Takes all: the caller wakes them.
    pub(crate) fn take(&mut self) -> Vec<Foreign<Waker>> {
        if self.0.is_empty() {
            return Vec::new();
        }
        mem::take(&mut self.0).into_values().collect()
    }

    /// Keeps the waker of a waiter; returns one to drop.
    pub(crate) fn keep(&mut self, waiter: Waiter, waker: Foreign<Waker>) -> Option<Foreign<Waker>> {
        self.0.insert(waiter, waker)
    }

    /// It waits no longer. Returns its waker, to be dropped with no lock held.
    pub(crate) fn forget(&mut self, waiter: Waiter) -> Option<Foreign<Waker>> {
        self.0.remove(&waiter)
    }
}
