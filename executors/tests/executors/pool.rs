//! Making a pool, spawns, polls and panics: rules 1, 2 and 5 and the clauses of `Spawn`.

use crate::support::{
    Counts, INSIDE, OnDrop, Probe, WATCHDOG, eventually, inside, parked, pump, ready, watched,
};
use allhome_executors::ThreadPool;
use allhome_rt::{IntoRuntime, Spawn, SpawnBlocking, Task};
use std::io::ErrorKind;
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;

fn pool(threads: usize) -> ThreadPool {
    ThreadPool::new(threads).unwrap()
}

// Making a pool.

#[test]
fn zero_threads_zero_blocking_threads_and_null_in_name_are_errors() {
    for builder in [
        ThreadPool::builder().threads(0),
        ThreadPool::builder().threads(1).blocking_limit(0),
        ThreadPool::builder().threads(1).name("a\0b"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn threads_have_names() {
    let pool = ThreadPool::builder().threads(1).name("named").build().unwrap();
    let (tx, rx) = mpsc::channel();
    let name = || thread::current().name().map(str::to_owned);
    let from_task = tx.clone();
    pool.spawn(Task::from_future(async move { from_task.send(name()).unwrap() }));
    assert_eq!(rx.recv_timeout(WATCHDOG).unwrap().as_deref(), Some("named-0"));
    pool.spawn_blocking(Box::new(move || tx.send(name()).unwrap()));
    assert_eq!(rx.recv_timeout(WATCHDOG).unwrap().as_deref(), Some("named-blocking-0"));
}

#[test]
fn global_is_one_pool() {
    assert!(std::ptr::eq(ThreadPool::global(), ThreadPool::global()));
    assert!(ThreadPool::global().threads() > 0);
    pump(ThreadPool::global());
}

/// Not that of the cores: a child that blocks its thread would hold up others.
#[test]
fn a_nursery_is_told_the_number_of_its_threads() {
    for threads in 1..6 {
        let pool = pool(threads);
        for runtime in [(&pool).into_runtime().unwrap(), pool.clone().into_runtime().unwrap()] {
            assert_eq!(runtime.threads(), threads);
        }
    }
}

#[test]
fn runtime_has_all_capabilities() {
    let pool = pool(1);
    for runtime in [(&pool).into_runtime().unwrap(), pool.clone().into_runtime().unwrap()] {
        assert_eq!(runtime.name(), "pool");
        let counts = Counts::new();
        runtime.spawn(ready(&counts));
        counts.wait_for_drop();
        let (tx, rx) = mpsc::channel();
        runtime.spawn_blocking(Box::new(move || tx.send(()).unwrap()));
        rx.recv_timeout(WATCHDOG).unwrap();
        let timer = runtime.timer();
        allhome_executors::block_on(timer.sleep_until(timer.now()));
    }
}

// 1: spawn.

#[test]
fn r1_1_and_r9_3_a_hundred_thousand_tasks_none_lost() {
    let pool = pool(2);
    let counts = Counts::new();
    for number in 0..100_000 {
        let spins = if number < 64 { 20_000 } else { 0 };
        pool.spawn(Probe::task(&counts, move |_, _| {
            (0..spins).for_each(|_| std::hint::spin_loop());
            Poll::Ready(())
        }));
    }
    eventually("all ends", || counts.drops() == 100_000);
    assert_eq!(counts.polls(), 100_000);
}

#[test]
fn a_hundred_thousand_tasks_spawned_by_tasks_outgrow_the_workers_queue() {
    let pool = pool(2);
    let counts = Counts::new();
    for _ in 0..10 {
        let (pool_in, counts) = (pool.clone(), Arc::clone(&counts));
        pool.spawn(Task::from_future(async move {
            (0..10_000).for_each(|_| pool_in.spawn(ready(&counts)));
        }));
    }
    eventually("all ends", || counts.drops() == 100_000);
}

#[test]
fn r1_2_spawn_returns_before_the_first_poll_begins_on_its_stack() {
    let pool = pool(1);
    let (tx, rx) = mpsc::channel();
    for _ in 0..20 {
        let (tx, handle) = (tx.clone(), pool.clone());
        pool.spawn(Task::from_future(async move {
            let inner = Task::from_future(async move { tx.send(INSIDE.get()).unwrap() });
            inside(|| handle.spawn(inner));
        }));
        assert_eq!(rx.recv_timeout(WATCHDOG), Ok(false));
    }
}

#[test]
fn r1_3_spawn_from_a_fresh_thread_while_all_sleep() {
    watched(|| {
        let pool = pool(3);
        for _ in 0..300 {
            let counts = Counts::new();
            let (handle, in_thread) = (pool.clone(), Arc::clone(&counts));
            thread::spawn(move || handle.spawn(ready(&in_thread))).join().unwrap();
            counts.wait_for_drop();
        }
    });
}

#[test]
fn r1_4_spawn_in_a_poll_and_in_a_destructor() {
    let pool = pool(2);
    let counts = Counts::new();
    for _ in 0..10 {
        let (handle, counts) = (pool.clone(), Arc::clone(&counts));
        pool.spawn(Task::from_future(async move {
            for _ in 0..10 {
                let (inner, counts_in) = (handle.clone(), Arc::clone(&counts));
                let guard = OnDrop(move || inner.spawn(ready(&counts_in)));
                handle.spawn(Task::from_future(async move { drop(guard) }));
            }
        }));
    }
    eventually("all ends", || counts.drops() == 100);
}

// 2: poll.

#[test]
fn r2_1_polls_never_overlap() {
    watched(|| {
        let pool = pool(3);
        let (counts, polling) = (Counts::new(), Arc::new(AtomicBool::new(false)));
        let overlap = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&overlap);
        pool.spawn(Probe::task(&counts, move |number, _| {
            if polling.swap(true, SeqCst) {
                seen.store(true, SeqCst);
            }
            thread::yield_now();
            polling.store(false, SeqCst);
            if number < 1000 { Poll::Pending } else { Poll::Ready(()) }
        }));
        counts.wait_for_polls(1);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let waker = counts.waker();
                    while counts.drops() == 0 {
                        waker.wake_by_ref();
                        thread::yield_now();
                    }
                });
            }
        });
        assert!(!overlap.load(SeqCst));
    });
}

#[test]
fn r2_2_and_r3_7_wake_after_ready_does_nothing() {
    let pool = pool(2);
    let counts = Counts::new();
    pool.spawn(ready(&counts));
    counts.wait_for_drop();
    let waker = counts.waker();
    (0..10).for_each(|_| waker.wake_by_ref());
    let clones = vec![waker; 10];
    clones.into_iter().for_each(Waker::wake);
    pump(&pool);
    assert_eq!((counts.polls(), counts.drops()), (1, 1));
}

#[test]
fn r2_3_wake_then_panic_then_no_poll() {
    let pool = pool(2);
    let counts = Counts::new();
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    pool.spawn(Probe::task(&counts, move |_, cx| {
        counted.fetch_add(1, SeqCst);
        cx.waker().wake_by_ref();
        panic!("a task's panic");
    }));
    counts.wait_for_drop();
    counts.waker().wake();
    pump(&pool);
    assert_eq!((polls.load(SeqCst), counts.drops()), (1, 1));
}

#[test]
fn r2_4_no_poll_without_a_wake_of_its_own() {
    let pool = pool(2);
    let (idle, woken) = (Counts::new(), Counts::new());
    pool.spawn(parked(&idle));
    pool.spawn(parked(&woken));
    idle.wait_for_polls(1);
    woken.wait_for_polls(1);
    for polls in 2..12 {
        woken.waker().wake();
        woken.wait_for_polls(polls);
    }
    pump(&pool);
    assert_eq!(idle.polls(), 1);
}

#[test]
fn r2_6_a_chain_of_wakes_does_not_deepen_the_stack() {
    let pool = pool(2);
    let mut chain: Vec<Arc<Counts>> = Vec::new();
    for _ in 0..20_000 {
        let (counts, next) = (Counts::new(), chain.last().cloned());
        pool.spawn(Probe::task(&counts, move |number, _| {
            if number == 0 {
                return Poll::Pending;
            }
            if let Some(next) = &next {
                next.waker().wake();
            }
            Poll::Ready(())
        }));
        chain.push(counts);
    }
    chain.iter().for_each(|counts| counts.wait_for_polls(1));
    chain.last().unwrap().waker().wake();
    chain.iter().for_each(|counts| counts.wait_for_drop());
}

// 5: panics.

#[test]
fn r5_3_forty_panics_in_polls_then_other_tasks_go_on() {
    let pool = pool(2);
    let panicking = Counts::new();
    for _ in 0..40 {
        pool.spawn(Probe::task(&panicking, |_, _| panic!("a task's panic")));
    }
    eventually("all drops", || panicking.drops() == 40);
    let counts = Counts::new();
    pool.spawn(Probe::task(&counts, |number, cx| {
        cx.waker().wake_by_ref();
        if number < 5 { Poll::Pending } else { Poll::Ready(()) }
    }));
    counts.wait_for_drop();
    pump(&pool);
}

#[test]
fn r5_5_panics_in_destructors_then_other_tasks_go_on() {
    let pool = pool(1);
    let drops = Arc::new(AtomicUsize::new(0));
    let task = |waits: bool| {
        let drops = Arc::clone(&drops);
        let guard = OnDrop(move || {
            drops.fetch_add(1, SeqCst);
            panic!("a destructor's panic");
        });
        let mut guard = Some(guard);
        Task::from_future(std::future::poll_fn(move |_| {
            let _held = guard.as_mut();
            if waits { Poll::Pending } else { Poll::Ready(()) }
        }))
    };
    for _ in 0..8 {
        pool.spawn(task(false));
        pool.spawn(task(true));
    }
    eventually("the ready ones' drops", || drops.load(SeqCst) == 8);
    pump(&pool);
    pool.shutdown();
    assert_eq!(drops.load(SeqCst), 16);
    pool.spawn(task(true));
    assert_eq!(drops.load(SeqCst), 17);
}

#[test]
fn a_panic_whose_payload_panics_when_dropped() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic_any(Payload);
        }
    }
    let pool = pool(1);
    let counts = Counts::new();
    pool.spawn(Probe::task(&counts, |_, _| panic_any(Payload)));
    counts.wait_for_drop();
    pump(&pool);
}

/// How often each of the threads with such a name has gone to sleep, and whether all sleep now.
#[cfg(target_os = "linux")]
fn sleeps(prefix: &str) -> (Vec<String>, bool) {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let all = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok())
        .filter(|status| status.starts_with(&format!("Name:\t{prefix}")));
    let mut asleep = true;
    let counts = all.map(|status| {
        asleep &= status.contains("State:\tS");
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
        line.unwrap().to_owned()
    });
    let mut counts: Vec<_> = counts.collect();
    counts.sort();
    (counts, asleep)
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_pool_is_not_woken_by_anything() {
    let idle = ThreadPool::builder().threads(2).name("idle").build().unwrap();
    pump(&idle);
    let busy = pool(2);
    eventually_mut("a long time without a wake", || {
        let before = sleeps("idle-");
        // Time goes by: another pool's work shows it.
        (0..300).for_each(|_| pump(&busy));
        let after = sleeps("idle-");
        // Both have begun, and sleep. The watchman may have looked once more.
        before == after && after.1 && after.0.len() == 2
    });
}

#[cfg(target_os = "linux")]
#[track_caller]
fn eventually_mut(what: &str, condition: impl FnMut() -> bool) {
    let condition = std::cell::RefCell::new(condition);
    eventually(what, || (condition.borrow_mut())());
}
