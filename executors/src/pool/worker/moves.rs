//! Tests of where a task is: its slot goes to the worker that wakes it, or takes it over.

use super::super::shard::Shard;
use super::tests::{parked, put_in_queue, step, two_workers};
use super::*;
use allhome_rt::Task;
use std::future::poll_fn;
use std::sync::mpsc::{self, Receiver};
use std::task::{Poll, Waker};
use std::thread;

/// How many tasks have their slot in the injector's shard, and in that of each worker.
fn slots(worker: &Worker) -> Vec<usize> {
    worker.pool.shards().iter().map(Shard::tasks).collect()
}

/// A task that sends its waker in each poll, and never ends.
fn sends_its_waker() -> (Task, Receiver<Waker>) {
    let (tx, rx) = mpsc::channel();
    let task = Task::from_future(poll_fn(move |cx| {
        let _ = tx.send(cx.waker().clone());
        Poll::Pending
    }));
    (task, rx)
}

/// Runs this as if on the worker's thread.
fn on_thread_of<T: Send>(worker: &Worker, call: impl FnOnce() -> T + Send) -> T {
    let (pool, index) = (worker.pool.id(), worker.index);
    let called = || {
        current::enter(pool, Role::Worker(index));
        call()
    };
    thread::scope(|scope| scope.spawn(called).join()).expect("no panic")
}

fn turn(worker: &mut Worker) {
    assert!(step(worker), "it has something to do");
    worker.put_back();
}

/// A task that this worker has polled once: its waker, and those of its polls to come.
fn polled_by(worker: &mut Worker) -> (Waker, Receiver<Waker>) {
    let (task, wakers) = sends_its_waker();
    put_in_queue(worker, task);
    turn(worker);
    (wakers.recv().expect("it was polled"), wakers)
}

#[test]
fn woken_by_no_worker_then_it_goes_to_who_takes_it() {
    let mut workers = two_workers();
    let (task, wakers) = sends_its_waker();
    workers[0].pool.spawn(task);
    for polls in 0..6 {
        let worker = &mut workers[polls % 2];
        turn(worker);
        assert_eq!(slots(worker), [[0, 1, 0], [0, 0, 1]][polls % 2]);
        wakers.recv().expect("it was polled").wake();
    }
}

#[test]
fn woken_by_another_worker_then_it_is_there_at_once() {
    let [mut first, mut second] = two_workers();
    let (waker, wakers) = polled_by(&mut first);
    on_thread_of(&second, || waker.wake_by_ref());
    assert_eq!(slots(&first), [0, 0, 1]);
    // A second wake, from where it was, finds it where it is.
    on_thread_of(&first, || waker.wake_by_ref());
    assert_eq!((slots(&first), first.pool.shards()[1].length()), (vec![0, 0, 1], 0));
    turn(&mut second);
    assert!(wakers.try_recv().is_ok());
    assert!(!step(&mut second) && !step(&mut first), "two wakes, one poll");
}

#[test]
fn looked_for_where_it_was_then_nothing_is_done_there() {
    let [mut first, mut second] = two_workers();
    let (waker, wakers) = polled_by(&mut first);
    let cell = first.pool.shards()[1].first_cell();
    assert_eq!(cell.shard(), 1);
    on_thread_of(&second, || waker.wake_by_ref());
    turn(&mut second);
    assert!(wakers.try_recv().is_ok());
    // As if it had moved, and been polled, between a guess and the lock.
    for worker in [&first, &second] {
        assert!(!on_thread_of(worker, || worker.pool.wake_in(1, &cell)));
    }
    assert!(!first.pool.wake_in(1, &cell));
    assert!(!first.pool.has_work());
    first.pool.wake(&cell);
    turn(&mut first);
    assert!(wakers.try_recv().is_ok());
}

#[test]
fn woken_elsewhere_during_its_poll_then_it_stays() {
    let [mut first, second] = two_workers();
    let (index, pool) = (second.index, second.pool.id());
    put_in_queue(
        &first,
        Task::from_future(poll_fn(move |cx| {
            let waker = cx.waker().clone();
            let woken = thread::spawn(move || {
                current::enter(pool, Role::Worker(index));
                waker.wake();
            });
            woken.join().expect("a wake does not panic");
            Poll::Pending
        })),
    );
    turn(&mut first);
    assert_eq!(slots(&first), [0, 1, 0]);
    assert_eq!(first.pool.shards()[1].length(), 1, "it waits for one more poll");
    assert_eq!(second.pool.shards()[2].length(), 0);
}

#[test]
fn several_are_taken_over_then_all_are_there() {
    let [mut first, mut second] = two_workers();
    let (woken, wakers): (Vec<_>, Vec<_>) = (0..6).map(|_| polled_by(&mut first)).unzip();
    on_thread_of(&first, || woken.into_iter().for_each(Waker::wake));
    put_in_queue(&first, parked());
    assert_eq!(slots(&first), [0, 6, 0]);
    assert!(step(&mut second), "it takes half of seven, and one more");
    assert_eq!(slots(&first), [0, 2, 4]);
    while step(&mut first) || step(&mut second) {}
    assert!(wakers.iter().all(|wakers| wakers.try_recv().is_ok()), "each was polled once more");
}

#[test]
fn woken_when_the_wakers_worker_has_ended_then_it_is_dropped_where_it_is() {
    let [mut first, second] = two_workers();
    let (waker, wakers) = polled_by(&mut first);
    second.pool.close();
    second.pool.shards()[2].close();
    on_thread_of(&second, || waker.wake());
    assert_eq!(slots(&first), [0, 1, 0]);
    second.pool.sweep();
    assert_eq!(slots(&first), [0, 0, 0]);
    assert!(wakers.recv().is_err(), "it was dropped");
}
