//! The waiters of a line: all in one queue, or each key in a lane of its own.
//!
//! # Invariants
//!
//! 1. It is part of a line, whose lock the caller holds; a waiter that stands in it is there, and
//!    stays where it is (invariant 1 of the line).

#![allow(unsafe_code)]

use super::lanes::{Lane, Lanes, NO_KEY};
use super::waiter::Waiter;
use crate::layers::base::intrusive::Queue;
use std::mem;
use std::ptr::NonNull;

pub(super) enum Waiting {
    Plain(Queue<Waiter>),
    Keyed(Box<Lanes<Queue<Waiter>>>),
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

impl Waiting {
    pub(super) const fn new() -> Waiting {
        Waiting::Plain(Queue::new())
    }

    /// Gives each key a lane. The present waiters came without a key.
    pub(super) fn by_keys(&mut self) {
        if let Waiting::Plain(queue) = self {
            let mut lanes = Box::new(Lanes::new());
            lanes.change(NO_KEY, |lane| mem::swap(lane, queue));
            *self = Waiting::Keyed(lanes);
        }
    }

    /// Returns how many keys wait; at most one, if it is not by keys.
    pub(super) fn keys(&self) -> usize {
        match self {
            Waiting::Plain(queue) => usize::from(queue.oldest().is_some()),
            Waiting::Keyed(lanes) => lanes.len(),
        }
    }

    /// Returns the waiter whose turn it is.
    #[inline]
    pub(super) fn oldest(&self) -> Option<NonNull<Waiter>> {
        match self {
            Waiting::Plain(queue) => queue.oldest(),
            Waiting::Keyed(lanes) => lanes.next()?.oldest(),
        }
    }

    /// Calls `f` with the queue of the waiters with this key.
    #[inline]
    pub(super) fn change<R>(&mut self, lane: u64, f: impl FnOnce(&mut Queue<Waiter>) -> R) -> R {
        match self {
            Waiting::Plain(queue) => f(queue),
            Waiting::Keyed(lanes) => lanes.change(lane, f),
        }
    }

    /// Calls `f` with each queue.
    pub(super) fn change_all(&mut self, mut f: impl FnMut(&mut Queue<Waiter>)) {
        match self {
            Waiting::Plain(queue) => f(queue),
            Waiting::Keyed(lanes) => lanes.change_all(f),
        }
    }

    /// Takes out the waiter whose turn it is.
    #[inline]
    pub(super) fn take_oldest(&mut self) {
        match self {
            Waiting::Plain(queue) => take_oldest(queue),
            Waiting::Keyed(lanes) => lanes.serve(take_oldest).unwrap_or(()),
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
