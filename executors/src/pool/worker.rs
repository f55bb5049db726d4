//! One worker thread: finds the next task, polls it, sleeps when there is none.
//!
//! # Fairness
//!
//! All queues are first in, first out, and a task that wakes itself goes to the back of one. A
//! worker whose own queue never runs dry still looks into the injector first every
//! [`INJECTOR_INTERVAL`] ticks, so what other threads spawn and wake is never passed over.

use super::shared::{Entry, Shared};
use crate::current::{self, Role};
use concurrent_queue::ConcurrentQueue;
use std::sync::Arc;

/// Prime, so that it does not fall in step with a pattern among the tasks; 61 is the figure that
/// Go's scheduler uses for the same purpose.
const INJECTOR_INTERVAL: u32 = 61;

/// The most entries that are taken over at once: more would leave the next thief nothing.
const MOST_AT_ONCE: usize = 32;

pub(super) struct Worker {
    pool: Arc<Shared>,
    index: usize,
    tick: u32,
    /// This worker was woken to search and has found nothing yet (idle, invariant 2).
    searching: bool,
}

impl Worker {
    pub(super) fn new(pool: Arc<Shared>, index: usize) -> Worker {
        Worker { pool, index, tick: 0, searching: false }
    }

    /// Works until the pool ends.
    pub(super) fn run(mut self) {
        current::enter(self.pool.id(), Role::Worker(self.index));
        while !self.pool.is_ending() {
            match self.next() {
                Some(entry) => {
                    self.end_search();
                    entry.run(&self.pool);
                }
                None => self.rest(),
            }
        }
    }

    fn next(&mut self) -> Option<Entry> {
        self.tick = self.tick.wrapping_add(1);
        if self.tick % INJECTOR_INTERVAL == 0 {
            if let Ok(entry) = self.pool.injector().pop() {
                return Some(entry);
            }
        }
        if let Ok(entry) = self.pool.local(self.index).pop() {
            return Some(entry);
        }
        let share = self.pool.injector().len() / self.pool.workers() + 1;
        self.take_over(self.pool.injector(), share).or_else(|| self.steal())
    }

    /// Takes half of another worker's queue.
    fn steal(&self) -> Option<Entry> {
        let workers = self.pool.workers();
        (1..workers).find_map(|offset| {
            let victim = self.pool.local((self.index + offset) % workers);
            self.take_over(victim, victim.len().div_ceil(2))
        })
    }

    /// Takes up to `count` entries: returns the first and puts the others in the own queue.
    fn take_over(&self, from: &ConcurrentQueue<Entry>, count: usize) -> Option<Entry> {
        let first = from.pop().ok()?;
        for _ in 1..count.min(MOST_AT_ONCE) {
            match from.pop() {
                Ok(entry) => self.pool.push(entry),
                Err(_) => break,
            }
        }
        Some(first)
    }

    /// Passes the search on if there is more to find.
    fn end_search(&mut self) {
        if self.searching {
            self.searching = false;
            self.pool.idle().end_search();
            if self.pool.has_work() {
                self.pool.idle().notify();
            }
        }
    }

    /// Sleeps until there is work, or the pool ends.
    fn rest(&mut self) {
        let idle = self.pool.idle();
        idle.enlist(self.index, self.searching);
        self.searching = false;
        let look_again = self.pool.has_work() || self.pool.is_ending();
        if look_again && idle.withdraw(self.index) {
            return;
        }
        idle.park(self.index);
        self.searching = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::current::PoolId;
    use allhome_rt::Task;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// The worker of a pool that has no threads.
    fn worker() -> Worker {
        Worker::new(Arc::new(Shared::new(PoolId::next(), 1)), 0)
    }

    #[track_caller]
    fn rests_no_longer_than_a_moment(mut worker: Worker) {
        let (tx, rx) = mpsc::channel();
        thread::spawn(move || {
            worker.rest();
            tx.send(worker.searching).unwrap();
        });
        let searching = rx.recv_timeout(Duration::from_secs(60)).expect("hang: it sleeps");
        assert!(!searching, "nobody has woken it");
    }

    #[test]
    fn push_before_enlisting_then_rest_returns() {
        let worker = worker();
        worker.pool.spawn(Task::from_future(async {}));
        rests_no_longer_than_a_moment(worker);
    }

    #[test]
    fn push_that_was_left_to_the_searching_worker_then_its_rest_returns() {
        let mut worker = worker();
        worker.searching = true;
        worker.pool.spawn(Task::from_future(async {}));
        rests_no_longer_than_a_moment(worker);
    }
}
