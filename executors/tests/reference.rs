//! The reference executor, where the suite does not reach: its own threads, and which of them is
//! notified. Its rules are the suite's (`tests/runs/tests/reference.rs`).

#[allow(dead_code, reason = "it uses a part of the other program's")]
#[path = "executors/support.rs"]
mod support;

use allhome_executors::ReferenceExecutor;
use allhome_rt::{IntoRuntime, Runtime, Task};
use std::sync::{Arc, Barrier, Weak, mpsc};
use std::thread;
use support::{Counts, OnDrop, eventually, parked, ready, watched, watched_rounds};

fn start(threads: usize) -> (ReferenceExecutor, Runtime) {
    let executor = ReferenceExecutor::new(threads).unwrap();
    let runtime = (&executor).into_runtime().unwrap();
    (executor, runtime)
}

#[test]
fn executor_is_dropped_by_its_own_task_then_all_tasks_are_dropped_and_its_threads_end() {
    watched(|| {
        let (executor, runtime) = start(2);
        let waiting: Vec<_> = (0..50).map(|_| Counts::new()).collect();
        waiting.iter().for_each(|counts| runtime.spawn(parked(counts)));
        waiting.iter().for_each(|counts| counts.wait_for_polls(1));
        let wakers: Vec<_> = waiting.iter().map(|counts| counts.waker()).collect();
        let (gone, end) = mpsc::channel::<()>();
        // Waits for ever after it has dropped the executor.
        let mut last = Some((executor, gone));
        runtime.spawn(Task::from_future(std::future::poll_fn(move |_| {
            drop(last.take());
            std::task::Poll::Pending
        })));
        assert!(end.recv().is_err(), "its thread has gone on");
        for counts in &waiting {
            eventually("the drop", || (counts.polls(), counts.drops()) == (1, 1));
        }
        let late = Counts::new();
        runtime.spawn(ready(&late));
        assert_eq!((late.polls(), late.drops()), (0, 1));
        drop(wakers);
    });
}

#[test]
fn two_tasks_are_queued_at_once_then_two_workers_poll_them() {
    let (_executor, runtime) = start(2);
    // On one executor: from the second round on its workers sleep, or are about to.
    watched_rounds(2_000, move |_| {
        // Neither task ends before the other is polled.
        let both = Arc::new(Barrier::new(2));
        let (tx, rx) = mpsc::channel();
        for _ in 0..2 {
            let (both, tx) = (Arc::clone(&both), tx.clone());
            runtime.spawn(Task::from_future(async move {
                both.wait();
                tx.send(()).unwrap();
            }));
        }
        drop(tx);
        assert_eq!(rx.iter().count(), 2);
    });
}

#[test]
fn wakes_race_with_the_end_then_every_task_is_dropped_when_it_returns() {
    watched_rounds(200, |_| {
        let (executor, runtime) = start(2);
        let all: Vec<_> = (0..20).map(|_| Counts::new()).collect();
        all.iter().for_each(|counts| runtime.spawn(parked(counts)));
        all.iter().for_each(|counts| counts.wait_for_polls(1));
        let wakers: Vec<_> = all.iter().map(|counts| counts.waker()).collect();
        let waking = thread::spawn(move || wakers.iter().for_each(|waker| waker.wake_by_ref()));
        executor.shutdown();
        assert!(all.iter().all(|counts| counts.drops() == 1));
        waking.join().unwrap();
    });
}

#[test]
fn ended_tasks_and_the_end_leave_nothing_behind() {
    watched(|| {
        let (executor, runtime) = start(1);
        let held = Arc::new(());
        let seen: Weak<()> = Arc::downgrade(&held);
        let guard = OnDrop(move || drop(Arc::clone(&held)));
        let (tx, rx) = mpsc::channel();
        runtime.spawn(Task::from_future(async move {
            let _guard = guard;
            tx.send(()).unwrap();
            panic!("in a poll");
        }));
        rx.recv().unwrap();
        eventually("the drop", || seen.strong_count() == 0);
        let counts = Counts::new();
        runtime.spawn(ready(&counts));
        eventually("the next", || counts.drops() == 1);
        executor.shutdown();
        executor.shutdown();
    });
}
