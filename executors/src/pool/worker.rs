//! One worker thread: finds the next task, polls it, sleeps when there is none.
//!
//! # Fairness
//!
//! All lines are first in, first out, and a task that wakes itself goes to the back of one. A
//! worker whose own line never runs dry still looks into the injector first every
//! [`INJECTOR_INTERVAL`] ticks, so what other threads spawn and wake is never passed over.

use super::idle::Woken;
use super::shard::Hands;
use super::shared::Shared;
use crate::current::{self, Role};
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
    /// The task that is polled; it is put back before anything else is done.
    hands: Hands,
}

impl Worker {
    pub(super) fn new(pool: Arc<Shared>, index: usize) -> Worker {
        Worker { pool, index, tick: 0, searching: false, hands: None }
    }

    /// Works until the pool ends.
    pub(super) fn run(mut self) {
        current::enter(self.pool.id(), Role::Worker(self.index));
        while !self.pool.is_ending() {
            if self.next() {
                self.end_search();
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

    /// Puts back who was polled, and takes who is next. Tells whether there is one.
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
        for looks in 0.. {
            let look_again = self.pool.has_work() || self.pool.is_ending();
            if look_again && idle.withdraw(self.index) {
                return;
            }
            match idle.sleep(self.index, looks) {
                Woken::ByToken => break,
                Woken::ToLook => {}
            }
        }
        self.searching = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::shard::{Item, Shard};
    use super::*;
    use crate::current::PoolId;
    use allhome_rt::Task;
    use std::future::{pending, poll_fn};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::Poll;
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

    /// Does a turn as the worker would, without its thread.
    fn step(worker: &mut Worker) -> bool {
        let found = worker.next();
        worker.poll();
        found
    }

    #[test]
    fn spawn_then_run_to_the_end_then_only_the_one_that_waits_is_left() {
        let mut worker = worker();
        worker.pool.spawn(Task::from_future(async {}));
        worker.pool.spawn(Task::from_future(async { panic!("a task's panic") }));
        worker.pool.spawn(Task::from_future(pending()));
        while step(&mut worker) {}
        assert_eq!(worker.pool.shards()[1].tasks(), 1);
        worker.pool.close();
        worker.pool.sweep();
        assert_eq!(worker.pool.shards()[1].tasks(), 0);
    }

    #[test]
    fn a_seat_whose_waker_is_kept_is_given_to_nobody() {
        let mut worker = worker();
        let (tx, rx) = mpsc::channel();
        worker.pool.spawn(Task::from_future(async {}));
        worker.pool.spawn(Task::from_future(poll_fn(move |cx| {
            tx.send(cx.waker().clone()).unwrap();
            Poll::Ready(())
        })));
        while step(&mut worker) {}
        assert_eq!(worker.pool.shards()[1].seats(), 0, "the second had the first one's");
        let old = rx.recv().unwrap();
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        worker.pool.spawn(Task::from_future(poll_fn(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        })));
        while step(&mut worker) {}
        // Its slot has the same key.
        old.wake();
        assert!(!step(&mut worker));
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        worker.pool.close();
        worker.pool.sweep();
    }

    #[test]
    fn sweep_during_a_poll_then_the_task_is_dropped_when_it_is_put_back() {
        let mut worker = worker();
        let held = Arc::new(());
        let by_task = Arc::clone(&held);
        worker.pool.spawn(Task::from_future(async move {
            pending::<()>().await;
            drop(by_task);
        }));
        assert!(step(&mut worker));
        worker.pool.close();
        worker.pool.sweep();
        assert_eq!(Arc::strong_count(&held), 2, "it is in the worker's hands");
        worker.put_back();
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn sweep_then_late_wake_then_the_pools_memory_is_freed() {
        let mut worker = worker();
        let (tx, rx) = mpsc::channel();
        worker.pool.spawn(Task::from_future(poll_fn(move |cx| {
            tx.send(cx.waker().clone()).unwrap();
            Poll::Pending
        })));
        while step(&mut worker) {}
        let late = rx.recv().unwrap();
        late.wake_by_ref();
        worker.pool.close();
        worker.pool.sweep();
        late.wake();
        let memory = Arc::downgrade(&worker.pool);
        drop(worker);
        assert!(memory.upgrade().is_none());
    }

    #[test]
    fn a_task_that_was_taken_over_is_found_by_its_waker() {
        let pool = Arc::new(Shared::new(PoolId::next(), 2));
        let mut workers = [Worker::new(Arc::clone(&pool), 0), Worker::new(Arc::clone(&pool), 1)];
        let (tx, rx) = mpsc::channel();
        pool.spawn(Task::from_future(poll_fn(move |cx| {
            tx.send(cx.waker().clone()).unwrap();
            Poll::Pending
        })));
        // First polled by one, so it lives there; then by the other and the first in turn.
        for polls in 0..6 {
            let worker = &mut workers[polls % 2];
            assert!(step(worker));
            worker.put_back();
            rx.recv().unwrap().wake();
        }
        assert_eq!(pool.shards().iter().map(Shard::tasks).collect::<Vec<_>>(), [0, 1, 0]);
        pool.close();
        pool.sweep();
    }

    /// A task that wakes itself in each poll.
    fn restless() -> Task {
        Task::from_future(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    fn parked() -> Task {
        Task::from_future(pending())
    }

    /// Two workers without threads.
    fn two_workers() -> [Worker; 2] {
        let pool = Arc::new(Shared::new(PoolId::next(), 2));
        [0, 1].map(|index| Worker::new(Arc::clone(&pool), index))
    }

    /// Does a turn while the other worker sleeps. Tells whether that one was woken.
    #[track_caller]
    fn step_wakes_the_sleeper(worker: &mut Worker) -> bool {
        let sleeper = 1 - worker.index;
        worker.pool.idle().enlist(sleeper, false);
        assert!(step(worker), "it has something to do");
        let woken = !worker.pool.idle().withdraw(sleeper);
        if woken {
            worker.pool.idle().end_search();
        }
        woken
    }

    fn put_in_line(worker: &Worker, task: Task) {
        assert!(worker.pool.shards()[worker.own()].push(Item::New(task)).is_ok());
    }

    #[test]
    fn yield_alone_then_nobody_is_woken() {
        let [mut worker, _] = two_workers();
        put_in_line(&worker, restless());
        assert!((0..5).all(|_| !step_wakes_the_sleeper(&mut worker)));
    }

    #[test]
    fn yield_behind_another_then_the_sleeper_is_woken_for_it() {
        let [mut worker, _] = two_workers();
        put_in_line(&worker, restless());
        put_in_line(&worker, parked());
        assert!(!step_wakes_the_sleeper(&mut worker), "nothing was added");
        assert!(step_wakes_the_sleeper(&mut worker));
    }

    #[test]
    fn yield_of_a_task_that_was_taken_over_behind_another_then_the_sleeper_is_woken_for_it() {
        let [mut worker, mut home] = two_workers();
        put_in_line(&home, restless());
        assert!(step(&mut home));
        home.put_back();
        assert!(step(&mut worker), "it takes it over");
        put_in_line(&worker, parked());
        assert!(step_wakes_the_sleeper(&mut worker));
    }

    #[test]
    fn more_than_one_is_taken_over_then_the_sleeper_is_woken_for_the_others() {
        let [mut worker, _] = two_workers();
        worker.pool.spawn(parked());
        assert!(!step_wakes_the_sleeper(&mut worker));
        (0..2).for_each(|_| worker.pool.spawn(parked()));
        assert!(step_wakes_the_sleeper(&mut worker));
    }

    #[test]
    fn yield_before_the_look_into_the_injector_then_the_sleeper_is_woken_for_it() {
        let [mut worker, _] = two_workers();
        put_in_line(&worker, restless());
        (1..INJECTOR_INTERVAL).for_each(|_| assert!(step(&mut worker)));
        worker.pool.spawn(parked());
        assert!(step_wakes_the_sleeper(&mut worker));
    }

    /// Wakes a task in a poll of that worker, on a thread of its own, as the worker has one. Tells
    /// whether the sleeper was woken for it.
    #[track_caller]
    fn wake_wakes_the_sleeper(worker: &mut Worker, others_in_line: usize) -> bool {
        let (tx, rx) = mpsc::channel();
        put_in_line(
            worker,
            Task::from_future(poll_fn(move |cx| {
                let _ = tx.send(cx.waker().clone());
                Poll::Pending
            })),
        );
        assert!(step(worker));
        let woken = rx.recv().expect("it was polled");
        put_in_line(worker, Task::from_future(async move { woken.wake() }));
        (0..others_in_line).for_each(|_| put_in_line(worker, parked()));
        thread::scope(|scope| {
            let polled = scope.spawn(|| {
                current::enter(worker.pool.id(), Role::Worker(worker.index));
                step_wakes_the_sleeper(worker)
            });
            polled.join().expect("no panic")
        })
    }

    #[test]
    fn wake_of_who_is_next_while_a_watchman_is_there_then_nobody_is_told() {
        let [mut worker, _] = two_workers();
        assert!(!wake_wakes_the_sleeper(&mut worker, 0));
    }

    #[test]
    fn wake_of_who_is_not_next_then_the_sleeper_is_told() {
        let [mut worker, _] = two_workers();
        assert!(wake_wakes_the_sleeper(&mut worker, 1));
    }
}
