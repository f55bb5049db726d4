//! The end of a pool that its own threads bring about: rule 8.8.

use crate::support::{Counts, Gate, Probe, WATCHDOG, eventually, parked, watched};
use allhome_executors::ThreadPool;
use allhome_rt::{Spawn, SpawnBlocking, Task};
use std::sync::{Arc, mpsc};
use std::task::Poll;

fn pool(threads: usize) -> ThreadPool {
    ThreadPool::new(threads).unwrap()
}

#[test]
fn r8_8_shutdown_in_a_task_returns_and_drops_the_others() {
    for threads in 1..3 {
        watched(move || {
            let pool = pool(threads);
            let (others, own) = (Counts::new(), Counts::new());
            (0..10).for_each(|_| pool.spawn(parked(&others)));
            eventually("the polls", || others.polls() == 10);
            let (handle, in_task) = (pool.clone(), Arc::clone(&others));
            let (tx, rx) = mpsc::channel();
            pool.spawn(Probe::task(&own, move |_, cx| {
                cx.waker().wake_by_ref();
                handle.shutdown();
                tx.send(in_task.drops()).unwrap();
                Poll::Pending
            }));
            // Another worker may have one in its hands still, whose poll has counted.
            let dropped = rx.recv_timeout(WATCHDOG).expect("hang: the shutdown did not return");
            assert!((10 - (threads - 1)..=10).contains(&dropped), "{dropped} of 10");
            eventually("the drops", || others.drops() == 10);
            own.wait_for_drop();
            pool.shutdown();
            assert_eq!((own.polls(), own.drops(), others.polls()), (1, 1, 10));
        });
    }
}

#[test]
fn shutdown_in_all_tasks_at_once() {
    watched(|| {
        for _ in 0..200 {
            let pool = pool(3);
            let counts = Counts::new();
            for _ in 0..10 {
                let handle = pool.clone();
                pool.spawn(Probe::task(&counts, move |_, cx| {
                    cx.waker().wake_by_ref();
                    handle.shutdown();
                    Poll::Pending
                }));
            }
            pool.shutdown();
            assert_eq!(counts.drops(), 10);
        }
    });
}

#[test]
fn shutdown_in_a_task_while_another_is_polled_drops_both_once() {
    watched(|| {
        let pool = pool(2);
        let (gate, begun, counts) = (Gate::new(), Gate::new(), Counts::new());
        let (in_gate, in_begun) = (Arc::clone(&gate), Arc::clone(&begun));
        pool.spawn(Probe::task(&counts, move |_, cx| {
            cx.waker().wake_by_ref();
            in_begun.open();
            in_gate.wait();
            Poll::Pending
        }));
        begun.wait();
        let (handle, ended, in_task) = (pool.clone(), Gate::new(), Arc::clone(&counts));
        let in_ending = Arc::clone(&ended);
        pool.spawn(Task::from_future(async move {
            handle.shutdown();
            assert_eq!(in_task.drops(), 0, "not under its poll");
            in_ending.open();
        }));
        ended.wait();
        gate.open();
        counts.wait_for_drop();
        pool.shutdown();
        assert_eq!((counts.polls(), counts.drops()), (1, 1));
    });
}

#[test]
fn dropping_the_last_handle_in_a_task_in_a_job_and_in_a_tasks_destructor() {
    watched(|| {
        let counts = Counts::new();
        for round in 0..4 {
            let pool = pool(1);
            pool.spawn(parked(&counts));
            let (gate, handle) = (Gate::new(), pool.clone());
            let in_pool = Arc::clone(&gate);
            match round {
                0 => pool.spawn(Task::from_future(async move {
                    in_pool.wait();
                    drop(handle);
                })),
                1 => pool.spawn_blocking(Box::new(move || {
                    in_pool.wait();
                    drop(handle);
                })),
                2 => pool.spawn(Task::from_future(std::future::poll_fn(move |_| {
                    let _held = &handle;
                    in_pool.wait();
                    Poll::Ready(())
                }))),
                _ => pool.spawn(Task::from_future(async move {
                    let _held = handle;
                    in_pool.wait();
                    panic!("a task's panic");
                })),
            }
            drop(pool);
            gate.open();
            eventually("the end", || counts.drops() == round + 1);
        }
    });
}
