//! The waiters for the moment when a nursery has no members: scopes that are over, shutdowns, and
//! `idle`.
//!
//! Each has a number, by which its waker is found again: when it is polled with another one, and
//! when it is dropped. The moments are counted, so that a waiter that is polled late, when there are
//! members again, does not miss one.

use crate::layers::base::guarded::Foreign;
use crate::layers::context::host::Waiter;
use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

/// The wakers of the waiters.
#[derive(Default)]
pub(crate) struct Home {
    wakers: BTreeMap<Waiter, Foreign<Waker>>,
    moments: u64,
}

impl Home {
    /// Takes all: the caller wakes them.
    pub(crate) fn take(&mut self) -> Vec<Foreign<Waker>> {
        if self.wakers.is_empty() {
            return Vec::new();
        }
        mem::take(&mut self.wakers).into_values().collect()
    }

    /// The nursery has no members at this moment.
    pub(crate) fn note_vacant(&mut self) {
        self.moments += 1;
    }

    /// Returns how often the nursery's last member has left.
    pub(crate) fn moments(&self) -> u64 {
        self.moments
    }

    /// Keeps the waker of a waiter; returns one to drop.
    pub(crate) fn keep(&mut self, waiter: Waiter, waker: Foreign<Waker>) -> Option<Foreign<Waker>> {
        self.wakers.insert(waiter, waker)
    }

    /// It waits no longer. Returns its waker, to be dropped with no lock held.
    pub(crate) fn forget(&mut self, waiter: Waiter) -> Option<Foreign<Waker>> {
        self.wakers.remove(&waiter)
    }
}
