//! The end of a pool: rules 8.

use crate::support::{
    Counts, Gate, OnDrop, Probe, WATCHDOG, eventually, parked, pump, ready, restless, watched,
    watched_rounds,
};
use allhome_executors::ThreadPool;
use allhome_rt::{IntoRuntime, Spawn, SpawnBlocking, Task, Timer};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

fn pool(threads: usize) -> ThreadPool {
    ThreadPool::new(threads).unwrap()
}

/// A task that waits for ever and calls `on_drop` when it is dropped.
fn parked_with(counts: &Arc<Counts>, on_drop: impl FnMut() + Send + Unpin + 'static) -> Task {
    let guard = OnDrop(on_drop);
    Probe::task(counts, move |_, _| {
        let _held = &guard;
        Poll::Pending
    })
}

#[test]
fn r8_1_parked_and_queued_tasks_are_dropped_once_when_it_returns() {
    watched(|| {
        let pool = pool(2);
        let all: Vec<_> = (0..50).map(|_| Counts::new()).collect();
        all.iter().for_each(|counts| pool.spawn(parked(counts)));
        all.iter().for_each(|counts| counts.wait_for_polls(1));
        let kept: Vec<_> = all.iter().step_by(2).map(|counts| counts.waker()).collect();
        let queued = Counts::new();
        (0..1000).for_each(|_| pool.spawn(parked(&queued)));
        pool.shutdown();
        assert!(all.iter().all(|counts| counts.drops() == 1));
        assert_eq!(queued.drops(), 1000);
        drop(kept);
        assert!(all.iter().all(|counts| (counts.polls(), counts.drops()) == (1, 1)));
    });
}

#[test]
fn r3_8_wakers_after_the_end_do_nothing() {
    watched(|| {
        let pool = pool(1);
        let counts = Counts::new();
        pool.spawn(parked(&counts));
        counts.wait_for_polls(1);
        let waker = counts.waker();
        drop(pool);
        waker.wake_by_ref();
        let clone = waker.clone();
        thread::spawn(move || clone.wake()).join().unwrap();
        thread::spawn(move || waker.wake()).join().unwrap();
        assert_eq!((counts.polls(), counts.drops()), (1, 1));
    });
}

#[test]
fn r8_1_memory_that_tasks_hold_through_their_own_wakers_is_freed() {
    watched(|| {
        let pool = pool(1);
        let held = Arc::new(());
        for _ in 0..10 {
            let held = Arc::clone(&held);
            let mut own: Vec<Waker> = Vec::new();
            let counts = Counts::new();
            pool.spawn(Probe::task(&counts, move |_, cx| {
                let _held = &held;
                own.push(cx.waker().clone());
                Poll::Pending
            }));
            counts.wait_for_polls(1);
        }
        pool.shutdown();
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn r8_2_destructors_wake_the_next_and_spawn() {
    watched(|| {
        let pool = pool(2);
        let ring: Vec<_> = (0..8).map(|_| Counts::new()).collect();
        let late = Counts::new();
        for (index, counts) in ring.iter().enumerate() {
            let next = Arc::clone(&ring[(index + 1) % 8]);
            let (handle, late) = (pool.clone(), Arc::clone(&late));
            pool.spawn(parked_with(counts, move || {
                next.waker().wake();
                handle.spawn(ready(&late));
                handle.spawn_blocking(Box::new(|| {}));
                drop(handle.sleep_until(handle.now() + Duration::from_secs(9)));
                handle.shutdown();
            }));
        }
        ring.iter().for_each(|counts| counts.wait_for_polls(1));
        pool.shutdown();
        assert!(ring.iter().all(|counts| (counts.polls(), counts.drops()) == (1, 1)));
        assert_eq!((late.polls(), late.drops()), (0, 8));
    });
}

#[test]
fn r8_4_spawn_after_the_end_drops_unpolled_at_once() {
    let pool = pool(1);
    let borrowed = (&pool).into_runtime().unwrap();
    pool.shutdown();
    let counts = Counts::new();
    pool.spawn(ready(&counts));
    assert_eq!((counts.polls(), counts.drops()), (0, 1));
    borrowed.spawn(ready(&counts));
    assert_eq!((counts.polls(), counts.drops()), (0, 2));
}

#[cfg(target_os = "linux")]
#[test]
fn r8_5_threads_are_gone() {
    fn threads() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("going-")).count()
    }
    watched(|| {
        let pool = ThreadPool::builder().threads(2).name("going").build().unwrap();
        pump(&pool);
        let (tx, rx) = mpsc::channel();
        pool.spawn_blocking(Box::new(move || tx.send(()).unwrap()));
        rx.recv_timeout(WATCHDOG).unwrap();
        let sleeping = Counts::new();
        let mut sleep = pool.sleep_until(pool.now() + Duration::from_secs(3600));
        pool.spawn(Probe::task(&sleeping, move |_, cx| sleep.as_mut().poll(cx)));
        sleeping.wait_for_polls(1);
        eventually("the start of all", || threads() == 4);
        pool.shutdown();
        // A joined thread may be seen for a moment longer.
        eventually("the end of all", || threads() == 0);
    });
}

thread_local! {
    static IN_SHUTDOWN: Cell<bool> = const { Cell::new(false) };
}

#[test]
fn r8_6_nothing_is_polled_on_its_stack_nor_after_it() {
    watched(|| {
        let pool = pool(2);
        let inside = Arc::new(AtomicBool::new(false));
        let all: Vec<_> = (0..200).map(|_| Counts::new()).collect();
        for counts in &all {
            let inside = Arc::clone(&inside);
            pool.spawn(Probe::task(counts, move |_, cx| {
                inside.fetch_or(IN_SHUTDOWN.get(), SeqCst);
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
        }
        all[0].wait_for_polls(10);
        IN_SHUTDOWN.set(true);
        pool.shutdown();
        let polls: Vec<_> = all.iter().map(|counts| counts.polls()).collect();
        assert!(all.iter().all(|counts| counts.drops() == 1));
        all.iter().filter(|counts| counts.polls() > 0).for_each(|counts| counts.waker().wake());
        assert!(!inside.load(SeqCst));
        assert!(all.iter().zip(polls).all(|(counts, polls)| counts.polls() == polls));
    });
}

#[test]
fn waits_for_the_poll_that_is_going_on_and_drops_its_task_after_it() {
    watched(|| {
        let pool = pool(1);
        let (gate, begun, counts) = (Gate::new(), Gate::new(), Counts::new());
        let (in_gate, in_begun, in_counts) =
            (Arc::clone(&gate), Arc::clone(&begun), Arc::clone(&counts));
        pool.spawn(Probe::task(&counts, move |_, cx| {
            cx.waker().wake_by_ref();
            in_begun.open();
            in_gate.wait();
            assert_eq!(in_counts.drops(), 0);
            Poll::Pending
        }));
        begun.wait();
        let (handle, ended) = (pool.clone(), Arc::new(AtomicBool::new(false)));
        let in_thread = Arc::clone(&ended);
        let ending = thread::spawn(move || {
            handle.shutdown();
            in_thread.store(true, SeqCst);
        });
        // Once it refuses tasks the shutdown has begun.
        eventually("the refusal", || {
            let probe = Counts::new();
            pool.spawn(parked(&probe));
            probe.drops() == 1
        });
        assert!(!ended.load(SeqCst));
        assert_eq!(counts.drops(), 0);
        gate.open();
        ending.join().unwrap();
        assert_eq!((counts.polls(), counts.drops()), (1, 1));
    });
}

/// A waker that another thread uses just when the pool ends.
#[test]
fn r8_7_foreign_wake_races_with_shutdown_one_drop() {
    watched_rounds(3000, |round| {
        let pool = pool(1 + round % 2);
        let counts = Counts::new();
        pool.spawn(parked(&counts));
        counts.wait_for_polls(1);
        let (waker, go) = (counts.waker(), Arc::new(AtomicUsize::new(0)));
        let in_thread = Arc::clone(&go);
        let waking = thread::spawn(move || {
            in_thread.fetch_add(1, SeqCst);
            while in_thread.load(SeqCst) < 2 {
                thread::yield_now();
            }
            (0..round % 7).for_each(|_| waker.wake_by_ref());
            waker.wake();
        });
        eventually("the other thread", || go.load(SeqCst) == 1);
        go.store(2, SeqCst);
        (0..round % 50 * 4).for_each(|_| std::hint::spin_loop());
        pool.shutdown();
        assert_eq!(counts.drops(), 1, "round {round}: dropped when shutdown returns");
        waking.join().unwrap();
        assert_eq!(counts.drops(), 1);
    });
}

#[test]
fn foreign_spawn_races_with_shutdown_none_lost() {
    watched_rounds(1000, |round| {
        let pool = pool(1);
        let (counts, borrowed) = (Counts::new(), (&pool).into_runtime().unwrap());
        let (in_thread, begun) = (Arc::clone(&counts), Gate::new());
        let gate = Arc::clone(&begun);
        let spawning = thread::spawn(move || {
            gate.open();
            (0..20).for_each(|_| borrowed.spawn(parked(&in_thread)));
        });
        begun.wait();
        (0..round % 50 * 4).for_each(|_| std::hint::spin_loop());
        pool.shutdown();
        spawning.join().unwrap();
        assert_eq!(counts.drops(), 20, "round {round}");
    });
}

#[test]
fn two_threads_shut_down_at_once_and_a_third_time() {
    watched(|| {
        for _ in 0..200 {
            let pool = pool(2);
            let counts = Counts::new();
            (0..20).for_each(|_| pool.spawn(restless(&counts)));
            let handle = pool.clone();
            let other = thread::spawn(move || handle.shutdown());
            pool.shutdown();
            other.join().unwrap();
            pool.shutdown();
            assert_eq!(counts.drops(), 20);
        }
    });
}

#[test]
fn dropping_the_last_handle_ends_the_pool() {
    watched(|| {
        let pool = pool(1);
        let other = pool.clone();
        let borrowed = (&pool).into_runtime().unwrap();
        let counts = Counts::new();
        pool.spawn(parked(&counts));
        drop(pool);
        pump(&other);
        assert_eq!(counts.drops(), 0);
        drop(other);
        assert_eq!(counts.drops(), 1);
        borrowed.spawn(ready(&counts));
        assert_eq!((counts.polls(), counts.drops()), (1, 2));
    });
}

#[test]
fn a_runtime_by_value_keeps_the_pool_running_and_a_shutdown_ends_it_all_the_same() {
    watched(|| {
        let counts = Counts::new();
        let owning = pool(1).into_runtime().unwrap();
        owning.spawn(ready(&counts));
        counts.wait_for_drop();
        drop(owning);
        let pool = pool(1);
        let owning = pool.clone().into_runtime().unwrap();
        owning.spawn(parked(&counts));
        pool.shutdown();
        assert_eq!(counts.drops(), 2);
        owning.spawn(parked(&counts));
        assert_eq!(counts.drops(), 3);
    });
}

#[test]
fn a_job_that_waits_for_a_task_does_not_hold_up_the_shutdown() {
    watched(|| {
        let pool = pool(1);
        let (tx, rx) = mpsc::channel::<()>();
        let (begun, counts) = (Gate::new(), Counts::new());
        pool.spawn(Probe::task(&counts, move |_, _| {
            let _held = &tx;
            Poll::Pending
        }));
        let in_job = Arc::clone(&begun);
        pool.spawn_blocking(Box::new(move || {
            in_job.open();
            // Ends when the shutdown drops the task.
            assert!(rx.recv().is_err());
        }));
        begun.wait();
        pool.shutdown();
    });
}
