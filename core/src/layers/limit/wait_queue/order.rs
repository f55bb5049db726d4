//! The waiters of a wait queue: all in one queue, or each key in a lane of its own.
//!
//! # Invariants
//!
//! 1. It is part of a wait queue, whose lock the caller holds; a waiter that stands in it is there,
//!    and stays where it is (invariant 1 of the wait queue).

#![allow(unsafe_code)]

use crate::layers::base::intrusive::Queue;
use crate::layers::limit::fair_queue::{FairQueue, Lane, NO_KEY};
use crate::layers::limit::waiter::Waiter;
use std::mem;
use std::ptr::NonNull;

pub(super) enum Order {
    Arrival(Queue<Waiter>),
    Fair(Box<FairQueue<Queue<Waiter>>>),
}

impl Default for Queue<Waiter> {
    fn default() -> Queue<Waiter> {
        Queue::new()
    }
}

impl Lane for Queue<Waiter> {
    fn first_asks(&self) -> Option<usize> {
        // SAFETY: invariant 1.
        Some(unsafe { self.oldest()?.as_ref() }.asked())
    }
}

impl Order {
    pub(super) const fn new() -> Order {
        Order::Arrival(Queue::new())
    }

    /// Gives each key a lane. The present waiters came without a key.
    pub(super) fn by_keys(&mut self) {
        if let Order::Arrival(queue) = self {
            let mut fair = Box::new(FairQueue::new());
            fair.change(NO_KEY, |lane| mem::swap(lane, queue));
            *self = Order::Fair(fair);
        }
    }

    /// Returns how many keys wait; at most one, if it is not by keys.
    pub(super) fn keys(&self) -> usize {
        match self {
            Order::Arrival(queue) => usize::from(queue.oldest().is_some()),
            Order::Fair(fair) => fair.len(),
        }
    }

    /// Returns the waiter whose turn it is.
    #[inline]
    pub(super) fn oldest(&self) -> Option<NonNull<Waiter>> {
        match self {
            Order::Arrival(queue) => queue.oldest(),
            Order::Fair(fair) => fair.next()?.oldest(),
        }
    }

    /// Calls `f` with the queue of the waiters with this key.
    #[inline]
    pub(super) fn change<R>(&mut self, lane: u64, f: impl FnOnce(&mut Queue<Waiter>) -> R) -> R {
        match self {
            Order::Arrival(queue) => f(queue),
            Order::Fair(fair) => fair.change(lane, f),
        }
    }

    /// Calls `f` with each queue.
    pub(super) fn change_all(&mut self, mut f: impl FnMut(&mut Queue<Waiter>)) {
        match self {
            Order::Arrival(queue) => f(queue),
            Order::Fair(fair) => fair.change_all(f),
        }
    }

    /// Takes out the waiter whose turn it is.
    #[inline]
    pub(super) fn take_oldest(&mut self) {
        match self {
            Order::Arrival(queue) => take_oldest(queue),
            Order::Fair(fair) => fair.serve(take_oldest).unwrap_or(()),
        }
    }
}

#[inline]
fn take_oldest(queue: &mut Queue<Waiter>) {
    if let Some(oldest) = queue.oldest() {
        // SAFETY: it stands in this queue, and the lock is held (invariant 1).
        unsafe { queue.remove(oldest) };
    }
}
