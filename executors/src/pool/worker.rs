//! One worker thread: finds the next task, polls it, sleeps when there is none.
//!
//! # Fairness
//!
//! All queues are first in, first out, and a task that wakes itself goes to the back of one. A
//! worker whose own queue never runs dry still looks into the injector first every
//! [`INJECTOR_INTERVAL`] ticks, so what other threads spawn and wake is never passed over.

use super::contents::Hands;
use super::idle::Unparked;
use super::shared::Shared;
use crate::current::{self, Role};
use std::mem;
use std::sync::Arc;

/// Prime, so that it does not fall in step with a pattern among the tasks; 61 is the figure that
/// Go's scheduler uses for the same purpose.
const INJECTOR_INTERVAL: u32 = 61;

pub(super) struct Worker {
    pool: Arc<Shared>,
    index: usize,
    tick: u32,
    /// This worker was woken to search and has found nothing yet (idle, invariant 2).
    searching: bool,
    /// It was on the list of sleepers, and others may have left to it what they added (idle,
    /// invariant 3).
    relied_on: bool,
    /// The task that is polled; it is put back before anything else is done.
    hands: Hands,
}

impl Worker {
    pub(super) fn new(pool: Arc<Shared>, index: usize) -> Worker {
        Worker { pool, index, tick: 0, searching: false, relied_on: false, hands: None }
    }

    /// Works until the pool ends.
    pub(super) fn run(mut self) {
        current::enter(self.pool.id(), Role::Worker(self.index));
        while !self.pool.is_ending() {
            if self.next() {
                self.pass_on();
                self.poll();
            } else {
                self.rest();
            }
        }
        self.put_back();
    }

    fn poll(&mut self) {
        if let Some(held) = &mut self.hands {
            held.run();
        }
    }

    /// The number of the own shard.
    fn own(&self) -> usize {
        self.index + 1
    }

    fn put_back(&mut self) {
        if self.pool.put_back(self.own(), &mut self.hands) {
            self.pool.idle().notify();
        }
    }

    /// Puts back the task that was polled, and takes the next. Returns `true` if there is one.
    fn next(&mut self) -> bool {
        let own = self.own();
        self.tick = self.tick.wrapping_add(1);
        if self.tick % INJECTOR_INTERVAL == 0 {
            self.put_back();
            if self.pool.take_injected(own, 1, &mut self.hands) {
                return true;
            }
        }
        self.pool.turn(own, &mut self.hands)
            || self.pool.take_injected(own, usize::MAX, &mut self.hands)
            || self.pool.steal(own, &mut self.hands)
    }

    /// This worker has found work: if there is more that was left to it, it wakes the next.
    fn pass_on(&mut self) {
        if !mem::take(&mut self.relied_on) {
            return;
        }
        if mem::take(&mut self.searching) {
            self.pool.idle().end_search();
        }
        if self.pool.has_work() {
            self.pool.idle().notify();
        }
    }

    /// Sleeps until there is work, or the pool ends.
    fn rest(&mut self) {
        let idle = self.pool.idle();
        idle.enlist(self.index, mem::take(&mut self.searching));
        self.relied_on = true;
        for looks in 0.. {
            let look_again = self.pool.has_work() || self.pool.is_ending();
            if look_again && idle.withdraw(self.index) {
                return;
            }
            match idle.sleep(self.index, looks) {
                Unparked::ByToken => break,
                Unparked::ToLook => {}
            }
        }
        self.searching = true;
    }
}

#[cfg(test)]
mod moves;
#[cfg(test)]
mod tests;
