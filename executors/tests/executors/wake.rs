//! Wakes: rules 3 and clause 2 of `Spawn`.

use crate::support::{
    Counts, INSIDE, OnDrop, Probe, eventually, inside, parked, pump, watched_until_end,
};
use allhome_executors::ThreadPool;
use allhome_rt::{Spawn, Task};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Poll, Waker};
use std::thread;

fn pool(threads: usize) -> ThreadPool {
    ThreadPool::new(threads).unwrap()
}

fn wake_by_value(waker: Waker) {
    waker.wake();
}

#[test]
fn r3_1_wake_during_own_poll_gives_another_poll() {
    let pool = pool(1);
    let counts = Counts::new();
    pool.spawn(Probe::task(&counts, |number, cx| {
        match number % 3 {
            0 => cx.waker().wake_by_ref(),
            1 => wake_by_value(cx.waker().clone()),
            _ => {
                cx.waker().clone().wake_by_ref();
                cx.waker().wake_by_ref();
            }
        }
        if number < 300 { Poll::Pending } else { Poll::Ready(()) }
    }));
    counts.wait_for_drop();
    assert_eq!(counts.polls(), 301);
}

#[test]
fn r3_2_wake_on_another_thread_during_the_poll_gives_another_poll() {
    let pool = pool(1);
    let counts = Counts::new();
    pool.spawn(Probe::task(&counts, |number, cx| {
        let waker = cx.waker().clone();
        thread::spawn(move || waker.wake()).join().unwrap();
        if number < 20 { Poll::Pending } else { Poll::Ready(()) }
    }));
    counts.wait_for_drop();
    assert_eq!(counts.polls(), 21);
}

#[test]
fn r3_3_and_r3_6_four_hundred_foreign_wakes_while_all_sleep_give_as_many_polls() {
    for threads in 1..4 {
        let pool = pool(threads);
        let counts = Counts::new();
        pool.spawn(parked(&counts));
        for polls in 1..=400 {
            counts.wait_for_polls(polls);
            counts.waker().wake();
        }
        counts.wait_for_polls(401);
    }
}

#[test]
fn wakes_of_many_tasks_from_many_threads_none_lost() {
    watched_until_end(|alive| {
        let pool = pool(2);
        let all: Vec<_> = (0..8).map(|_| Counts::new()).collect();
        all.iter().for_each(|counts| pool.spawn(parked(counts)));
        all.iter().for_each(|counts| counts.wait_for_polls(1));
        thread::scope(|scope| {
            for counts in all.chunks(2) {
                let alive = alive.clone();
                scope.spawn(move || {
                    for polls in 2..3000 {
                        counts.iter().for_each(|counts| counts.waker().wake());
                        counts.iter().for_each(|counts| counts.wait_for_polls(polls));
                        alive.send(()).expect("the watchdog waits until the end");
                    }
                });
            }
        });
    });
}

/// Three wake one task at once, two of them on the pool, so that it moves between workers; and all
/// wait until its poll has seen what each of them did.
#[test]
fn wakes_of_a_task_that_moves_meanwhile_none_lost() {
    const ROUNDS: usize = 5_000;
    watched_until_end(|alive| {
        let pool = pool(3);
        let counts = Counts::new();
        let round = Arc::new(AtomicUsize::new(0));
        let done = Arc::new([const { AtomicUsize::new(0) }; 3]);
        let (ends, all) = (Arc::clone(&round), Arc::clone(&done));
        pool.spawn(Probe::task(&counts, move |_, _| {
            let next = ends.load(SeqCst) + 1;
            if all.iter().all(|done| done.load(SeqCst) == next) {
                ends.store(next, SeqCst);
            }
            if ends.load(SeqCst) < ROUNDS { Poll::Pending } else { Poll::Ready(()) }
        }));
        counts.wait_for_polls(1);
        // Wakes once a round; returns `true` if there are more.
        let wake = |own: usize| {
            let (waker, round, done) = (counts.waker(), Arc::clone(&round), Arc::clone(&done));
            move || {
                let now = round.load(SeqCst);
                if now < ROUNDS && done[own].load(SeqCst) == now {
                    done[own].store(now + 1, SeqCst);
                    waker.wake_by_ref();
                } else {
                    thread::yield_now();
                }
                now < ROUNDS
            }
        };
        for own in [0, 1] {
            let wake = wake(own);
            pool.spawn(Task::from_future(std::future::poll_fn(move |cx| {
                cx.waker().wake_by_ref();
                if wake() { Poll::Pending } else { Poll::Ready(()) }
            })));
        }
        let wake = wake(2);
        let mut seen = 0;
        while wake() {
            let now = round.load(SeqCst);
            if now != std::mem::replace(&mut seen, now) {
                alive.send(()).expect("the watchdog waits until the end");
            }
        }
        counts.wait_for_drop();
    });
}

#[test]
fn r3_4_wake_polls_nothing_on_its_stack() {
    let pool = pool(1);
    let (woken, waking) = (Counts::new(), Counts::new());
    let seen = Arc::new(AtomicBool::new(false));
    let in_poll = Arc::clone(&seen);
    pool.spawn(Probe::task(&woken, move |number, _| {
        in_poll.fetch_or(INSIDE.get(), SeqCst);
        if number < 20 { Poll::Pending } else { Poll::Ready(()) }
    }));
    woken.wait_for_polls(1);
    for polls in 2..=20 {
        inside(|| woken.waker().wake());
        woken.wait_for_polls(polls);
    }
    let target = Arc::clone(&woken);
    pool.spawn(Probe::task(&waking, move |_, _| {
        inside(|| target.waker().wake());
        Poll::Ready(())
    }));
    woken.wait_for_drop();
    assert!(!seen.load(SeqCst));
}

#[test]
fn r3_6_a_burst_of_wakes_gives_at_least_one_and_at_most_as_many_polls() {
    let pool = pool(2);
    let counts = Counts::new();
    pool.spawn(parked(&counts));
    counts.wait_for_polls(1);
    (0..5000).for_each(|_| counts.waker().wake());
    counts.wait_for_polls(2);
    pump(&pool);
    assert!(counts.polls() <= 5001);
}

#[test]
fn r3_9_a_kept_waker_does_not_keep_the_future() {
    let pool = pool(1);
    let counts = Counts::new();
    let kept = Arc::new(());
    let in_task = Arc::clone(&kept);
    pool.spawn(Probe::task(&counts, move |_, _| {
        let _held = &in_task;
        Poll::Ready(())
    }));
    counts.wait_for_drop();
    let waker = counts.waker();
    eventually("the release", || Arc::strong_count(&kept) == 1);
    drop(waker);
}

#[test]
fn a_task_without_a_waker_is_kept_until_the_shutdown() {
    let pool = pool(1);
    let (polls, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (in_poll, in_drop) = (Arc::clone(&polls), Arc::clone(&drops));
    let guard = OnDrop(move || {
        in_drop.fetch_add(1, SeqCst);
    });
    pool.spawn(Task::from_future(std::future::poll_fn(move |cx| {
        let _held = &guard;
        drop(cx.waker().clone());
        in_poll.fetch_add(1, SeqCst);
        Poll::Pending
    })));
    eventually("the poll", || polls.load(SeqCst) == 1);
    pump(&pool);
    assert_eq!(drops.load(SeqCst), 0);
    pool.shutdown();
    assert_eq!((polls.load(SeqCst), drops.load(SeqCst)), (1, 1));
}

#[test]
fn r3_11_will_wake_between_polls_and_not_between_tasks() {
    let pool = pool(1);
    let (one, other) = (Counts::new(), Counts::new());
    pool.spawn(parked(&one));
    pool.spawn(parked(&other));
    one.wait_for_polls(1);
    other.wait_for_polls(1);
    let first = one.waker();
    first.wake_by_ref();
    one.wait_for_polls(2);
    assert!(first.will_wake(&one.waker()));
    assert!(!first.will_wake(&other.waker()));
}

#[test]
fn r3_12_wake_under_a_lock_that_the_poll_takes_and_its_writes_are_seen() {
    let pool = pool(2);
    let counts = Counts::new();
    let value = Arc::new(Mutex::new(0));
    let in_poll = Arc::clone(&value);
    let wrong = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&wrong);
    pool.spawn(Probe::task(&counts, move |number, _| {
        if *in_poll.lock() < number {
            seen.store(true, SeqCst);
        }
        Poll::Pending
    }));
    for polls in 1..200 {
        counts.wait_for_polls(polls);
        let mut value = value.lock();
        *value = polls;
        counts.waker().wake();
    }
    counts.wait_for_polls(200);
    assert!(!wrong.load(SeqCst));
}
