//! Workers without threads, a turn at a time: what runs, what is dropped, and which sleepers are
//! notified.

use super::super::contents::QueueItem;
use super::*;
use crate::current::PoolId;
use crate::guarded::Foreign;
use allhome_rt::Task;
use std::future::{pending, poll_fn};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

/// A worker of a pool without threads.
pub(super) struct Stepped(Worker, #[expect(dead_code, reason = "for its destructor")] Arc<Ends>);

/// Ends a pool with its last worker. Else a task that waits would be left: its waker has the pool, and
/// the pool has the task.
struct Ends(Arc<Shared>);

fn stepped<const N: usize>(pool: Arc<Shared>) -> [Stepped; N] {
    let ends = Arc::new(Ends(Arc::clone(&pool)));
    std::array::from_fn(|index| Stepped(Worker::new(Arc::clone(&pool), index), Arc::clone(&ends)))
}

impl Deref for Stepped {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.0
    }
}

impl DerefMut for Stepped {
    fn deref_mut(&mut self) -> &mut Worker {
        &mut self.0
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.close();
        self.0.sweep();
    }
}

/// The worker of a pool with one.
fn worker() -> Stepped {
    let [worker] = stepped(Arc::new(Shared::new(PoolId::next(), 1)));
    worker
}

#[track_caller]
fn rests_no_longer_than_a_moment(mut worker: Stepped) {
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || {
        worker.rest();
        tx.send(worker.searching).unwrap();
    });
    let searching = rx.recv_timeout(Duration::from_secs(60)).expect("hang: it sleeps");
    assert!(!searching, "no thread has woken it");
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

/// It takes one of the two, and is the only worker that can know of the other: it has ended its
/// search by then, and the threads that added them saw it search.
#[test]
fn pushes_that_were_left_to_a_search_that_ends_in_a_rest_then_another_is_told_of_the_second() {
    let pool = Arc::new(Shared::new(PoolId::next(), 4));
    let [mut worker] = stepped(Arc::clone(&pool));
    pool.idle().enlist(1, false);
    pool.idle().enlist(2, false);
    pool.idle().enlist(0, false);
    pool.idle().notify();
    worker.searching = true;
    // It has looked, and found nothing yet.
    pool.spawn(parked());
    pool.spawn(parked());
    worker.rest();
    assert!(worker.next());
    worker.pass_on();
    assert_eq!(pool.shards()[0].length(), 1, "it took one");
    assert!(!pool.idle().withdraw(2), "another worker was notified");
    assert!(pool.idle().withdraw(1), "no other worker was");
    worker.put_back();
    pool.close();
    pool.sweep();
}

/// Does a turn as the worker would, without its thread.
pub(super) fn step(worker: &mut Worker) -> bool {
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
    assert_eq!(worker.pool.shards()[1].waker_cells(), 0, "the second had the first one's");
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

/// A task that wakes itself in each poll.
fn restless() -> Task {
    Task::from_future(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Pending
    }))
}

pub(super) fn parked() -> Task {
    Task::from_future(pending())
}

/// Two workers without threads.
pub(super) fn two_workers() -> [Stepped; 2] {
    let pool = Arc::new(Shared::new(PoolId::next(), 2));
    stepped(pool)
}

/// Does a turn while the other worker sleeps. Returns `true` if that worker was woken.
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

pub(super) fn put_in_queue(worker: &Worker, task: Task) {
    assert!(worker.pool.shards()[worker.own()].push(QueueItem::New(Foreign::new(task))).is_ok());
}

#[test]
fn yield_alone_then_nobody_is_woken() {
    let [mut worker, _] = two_workers();
    put_in_queue(&worker, restless());
    assert!((0..5).all(|_| !step_wakes_the_sleeper(&mut worker)));
}

#[test]
fn yield_behind_another_then_the_sleeper_is_woken_for_it() {
    let [mut worker, _] = two_workers();
    put_in_queue(&worker, restless());
    put_in_queue(&worker, parked());
    assert!(!step_wakes_the_sleeper(&mut worker), "nothing was added");
    assert!(step_wakes_the_sleeper(&mut worker));
}

#[test]
fn yield_of_a_task_that_was_taken_over_behind_another_then_the_sleeper_is_woken_for_it() {
    let [mut worker, mut owner] = two_workers();
    put_in_queue(&owner, restless());
    assert!(step(&mut owner));
    owner.put_back();
    assert!(step(&mut worker), "it takes it over");
    put_in_queue(&worker, parked());
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
    put_in_queue(&worker, restless());
    (1..INJECTOR_INTERVAL).for_each(|_| assert!(step(&mut worker)));
    worker.pool.spawn(parked());
    assert!(step_wakes_the_sleeper(&mut worker));
}

/// Wakes a task in a poll of that worker, on a thread of its own, as the worker has one. Returns
/// `true` if the sleeper was woken for it.
#[track_caller]
fn wake_wakes_the_sleeper(worker: &mut Worker, others_in_line: usize) -> bool {
    let (tx, rx) = mpsc::channel();
    put_in_queue(
        worker,
        Task::from_future(poll_fn(move |cx| {
            let _ = tx.send(cx.waker().clone());
            Poll::Pending
        })),
    );
    assert!(step(worker));
    let woken = rx.recv().expect("it was polled");
    put_in_queue(worker, Task::from_future(async move { woken.wake() }));
    (0..others_in_line).for_each(|_| put_in_queue(worker, parked()));
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
