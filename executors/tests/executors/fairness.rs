//! Fairness and the use of all workers: rules 9.

use crate::support::{
    Counts, Gate, Probe, eventually, pump, ready, restless, watched, watched_rounds,
};
use allhome_executors::ThreadPool;
use allhome_rt::{Spawn, Task};
use std::sync::{Arc, Barrier};
use std::task::Poll;

fn pool(threads: usize) -> ThreadPool {
    ThreadPool::new(threads).unwrap()
}

#[test]
fn r9_1_more_restless_tasks_than_threads_do_not_stop_another() {
    for threads in 1..4 {
        let pool = pool(threads);
        let all: Vec<_> = (0..=threads).map(|_| Counts::new()).collect();
        all.iter().for_each(|counts| pool.spawn(restless(counts)));
        all.iter().for_each(|counts| counts.wait_for_polls(1000));
        pump(&pool);
    }
}

#[test]
fn r9_1_restless_tasks_that_fill_the_workers_queues_do_not_stop_another() {
    let pool = pool(1);
    let counts = Counts::new();
    let (handle, in_task) = (pool.clone(), Arc::clone(&counts));
    pool.spawn(Task::from_future(async move {
        (0..600).for_each(|_| handle.spawn(restless(&in_task)));
    }));
    counts.wait_for_polls(6000);
    pump(&pool);
}

#[test]
fn r9_2_pairs_that_wake_each_other_for_ever_do_not_stop_another() {
    let pool = pool(2);
    for _ in 0..3 {
        let pair = [Counts::new(), Counts::new()];
        for (own, other) in [(0, 1), (1, 0)] {
            let other = Arc::clone(&pair[other]);
            pool.spawn(Probe::task(&pair[own], move |number, cx| {
                // At first the other has no waker yet.
                match number {
                    0 => cx.waker().wake_by_ref(),
                    _ if other.polls() == 0 => cx.waker().wake_by_ref(),
                    _ => other.waker().wake(),
                }
                Poll::Pending
            }));
        }
        pair.iter().for_each(|counts| counts.wait_for_polls(100));
    }
    pump(&pool);
}

#[test]
fn a_blocked_worker_does_not_keep_the_tasks_in_its_queue() {
    let pool = pool(2);
    let (gate, counts) = (Gate::new(), Counts::new());
    let (handle, in_gate, in_task) = (pool.clone(), Arc::clone(&gate), Arc::clone(&counts));
    pool.spawn(Task::from_future(async move {
        (0..10).for_each(|_| handle.spawn(ready(&in_task)));
        in_gate.wait();
    }));
    eventually("all ends", || counts.drops() == 10);
    gate.open();
}

#[test]
fn all_workers_come_up_for_a_burst_of_blocking_polls() {
    watched(|| {
        let pool = pool(4);
        for _ in 0..200 {
            let together = Arc::new(Barrier::new(4));
            let counts = Counts::new();
            for _ in 0..4 {
                let together = Arc::clone(&together);
                pool.spawn(Probe::task(&counts, move |_, _| {
                    together.wait();
                    Poll::Ready(())
                }));
            }
            eventually("all ends", || counts.drops() == 4);
        }
    });
}

/// A task that was woken must not wait behind a poll that keeps its thread, though its waker's
/// worker would be the next to poll it.
#[test]
fn woken_by_a_poll_that_then_waits_for_it_goes_on_elsewhere() {
    watched_rounds(100, |round| {
        let pool = ThreadPool::new(2 + round % 2).unwrap();
        pump(&pool);
        let (gate, opener, blocked) = (Gate::new(), Counts::new(), Counts::new());
        let opens = Arc::clone(&gate);
        pool.spawn(Probe::task(&opener, move |polls, _| match polls {
            0 => Poll::Pending,
            _ => {
                opens.open();
                Poll::Ready(())
            }
        }));
        opener.wait_for_polls(1);
        let to_wake = opener.waker();
        pool.spawn(Probe::task(&blocked, move |polls, cx| {
            // Long enough for the other workers to sleep.
            if polls < 2000 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            to_wake.wake_by_ref();
            gate.wait();
            Poll::Ready(())
        }));
        blocked.wait_for_drop();
        opener.wait_for_drop();
    });
}
