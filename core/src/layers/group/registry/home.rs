//! Those who wait until nobody is in a nursery: scopes that are over, and shutdowns.
//!
//! Each has a number, by which its waker is found again: when it is polled with another one, and when
//! it is dropped.

use super::Registry;
use crate::layers::base::guarded::Foreign;
use crate::layers::context::host::Waiter;
use std::collections::BTreeMap;
use std::task::Waker;

/// The wakers of those who wait for one nursery.
#[derive(Default)]
pub(in crate::layers::group) struct Home(BTreeMap<Waiter, Foreign<Waker>>);

impl Home {
    /// Takes all: they are woken.
    pub(in crate::layers::group) fn take(&mut self) -> Vec<Foreign<Waker>> {
        if self.0.is_empty() {
            return Vec::new();
        }
        std::mem::take(&mut self.0).into_values().collect()
    }
}

impl Registry {
    /// Keeps the waker of one who waits; returns one to drop.
    pub(in crate::layers::group) fn keep_home_waker(
        &mut self,
        waiter: Waiter,
        waker: Foreign<Waker>,
    ) -> Option<Foreign<Waker>> {
        self.home.0.insert(waiter, waker)
    }

    /// It waits no longer. Returns its waker, to be dropped with no lock held.
    pub(in crate::layers::group) fn forget_home_waker(
        &mut self,
        waiter: Waiter,
    ) -> Option<Foreign<Waker>> {
        self.home.0.remove(&waiter)
    }
}
