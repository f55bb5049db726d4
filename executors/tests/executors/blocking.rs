//! The pool's blocking threads: rules 7 and the clauses of `SpawnBlocking`.

use crate::support::{Gate, OnDrop, WATCHDOG, eventually, pump, watched};
use allhome_executors::ThreadPool;
use allhome_rt::SpawnBlocking;
use std::cell::RefCell;
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

fn limited(limit: usize) -> ThreadPool {
    ThreadPool::builder().threads(1).blocking_limit(limit).build().unwrap()
}

#[test]
fn r7_1_blocked_jobs_do_not_stop_tasks() {
    let pool = ThreadPool::new(1).unwrap();
    let (gate, ended) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..6 {
        let (gate, ended) = (Arc::clone(&gate), Arc::clone(&ended));
        pool.spawn_blocking(Box::new(move || {
            gate.wait();
            ended.fetch_add(1, SeqCst);
        }));
    }
    pump(&pool);
    assert_eq!(ended.load(SeqCst), 0);
    gate.open();
    eventually("the jobs' end", || ended.load(SeqCst) == 6);
}

#[test]
fn r7_2_a_panicking_job_then_the_next_runs() {
    struct PanickingPayload;
    impl Drop for PanickingPayload {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("a payload's panic");
            }
        }
    }
    let pool = limited(1);
    let (tx, rx) = mpsc::channel();
    for _ in 0..3 {
        pool.spawn_blocking(Box::new(|| panic!("a job's panic")));
        pool.spawn_blocking(Box::new(|| panic_any(PanickingPayload)));
    }
    pool.spawn_blocking(Box::new(move || tx.send(thread::current().id()).unwrap()));
    rx.recv_timeout(WATCHDOG).unwrap();
}

#[test]
fn r7_3_as_many_jobs_as_the_limit_run_at_once_and_no_more() {
    watched(|| {
        let pool = limited(3);
        let barrier = Arc::new(Barrier::new(3));
        let running = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        for _ in 0..30 {
            let (barrier, running) = (Arc::clone(&barrier), Arc::clone(&running));
            pool.spawn_blocking(Box::new(move || {
                let now = running.0.fetch_add(1, SeqCst) + 1;
                assert!(now <= 3, "{now} at once");
                barrier.wait();
                running.0.fetch_sub(1, SeqCst);
                barrier.wait();
                running.1.fetch_add(1, SeqCst);
            }));
        }
        eventually("the jobs' end", || running.1.load(SeqCst) == 30);
    });
}

#[test]
fn r7_4_ten_times_more_jobs_than_the_limit_all_end() {
    let pool = limited(4);
    let ended = Arc::new(AtomicUsize::new(0));
    for _ in 0..400 {
        let ended = Arc::clone(&ended);
        pool.spawn_blocking(Box::new(move || {
            ended.fetch_add(1, SeqCst);
        }));
    }
    eventually("the jobs' end", || ended.load(SeqCst) == 400);
}

#[test]
fn beyond_the_limit_jobs_run_in_the_order_of_their_coming() {
    let pool = limited(1);
    let gate = Gate::new();
    let first = Arc::clone(&gate);
    pool.spawn_blocking(Box::new(move || first.wait()));
    let (tx, rx) = mpsc::channel();
    for number in 0..100 {
        let tx = tx.clone();
        pool.spawn_blocking(Box::new(move || tx.send(number).unwrap()));
    }
    drop(tx);
    gate.open();
    assert_eq!(rx.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_job_may_spawn_jobs() {
    let pool = limited(1);
    let (tx, rx) = mpsc::channel();
    let handle = pool.clone();
    pool.spawn_blocking(Box::new(move || {
        handle.spawn_blocking(Box::new(move || tx.send(()).unwrap()));
    }));
    rx.recv_timeout(WATCHDOG).unwrap();
}

type AtEnd = OnDrop<Box<dyn FnMut()>>;

thread_local! {
    static AT_THREADS_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
}

/// A job that sends the name of its thread, and a message when the thread has ended.
fn reports(pool: &ThreadPool) -> mpsc::Receiver<Option<String>> {
    let (tx, rx) = mpsc::channel();
    pool.spawn_blocking(Box::new(move || {
        tx.send(thread::current().name().map(str::to_owned)).unwrap();
        let at_end: Box<dyn FnMut()> = Box::new(move || tx.send(None).unwrap_or(()));
        AT_THREADS_END.with(|place| {
            place.borrow_mut().get_or_insert(OnDrop(at_end));
        });
    }));
    rx
}

#[test]
fn an_idle_thread_ends_and_the_next_job_gets_a_new_one() {
    let builder = ThreadPool::builder().threads(1).name("shrinks").blocking_limit(1);
    let pool = builder.blocking_keep_alive(Duration::from_millis(5)).build().unwrap();
    for round in 0..5 {
        let rx = reports(&pool);
        let name = rx.recv_timeout(WATCHDOG).unwrap().unwrap();
        assert_eq!(name, format!("shrinks-blocking-{round}"));
        assert_eq!(rx.recv_timeout(WATCHDOG), Ok(None), "the thread ends by itself");
    }
}

#[test]
fn jobs_that_come_just_when_a_thread_ends_are_not_lost() {
    watched(|| {
        let builder = ThreadPool::builder().threads(1).blocking_limit(1);
        let pool = builder.blocking_keep_alive(Duration::from_micros(20)).build().unwrap();
        for round in 0..2000_u64 {
            let (tx, rx) = mpsc::channel();
            pool.spawn_blocking(Box::new(move || tx.send(()).unwrap()));
            rx.recv_timeout(WATCHDOG).unwrap();
            let end = std::time::Instant::now() + Duration::from_micros(round % 100);
            while std::time::Instant::now() < end {
                std::hint::spin_loop();
            }
        }
    });
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_waiting_thread_is_woken_for_the_next_job() {
    let builder = ThreadPool::builder().threads(1).name("reuse").blocking_limit(1);
    let pool = builder.blocking_keep_alive(HOUR).build().unwrap();
    for _ in 0..100 {
        let name = reports(&pool).recv_timeout(WATCHDOG).unwrap();
        assert_eq!(name.as_deref(), Some("reuse-blocking-0"));
    }
}

#[test]
fn one_waiting_thread_then_two_jobs_that_wait_for_each_other() {
    watched(|| {
        for _ in 0..100 {
            let builder = ThreadPool::builder().threads(1).blocking_limit(2);
            let pool = builder.blocking_keep_alive(HOUR).build().unwrap();
            reports(&pool).recv_timeout(WATCHDOG).unwrap();
            // So that the thread waits by now, most of the time.
            (0..20).for_each(|_| thread::yield_now());
            let barrier = Arc::new(Barrier::new(2));
            for _ in 0..2 {
                let barrier = Arc::clone(&barrier);
                pool.spawn_blocking(Box::new(move || {
                    barrier.wait();
                }));
            }
            // Queued jobs may be dropped by a shutdown: wait for both first.
            eventually("both jobs' end", || Arc::strong_count(&barrier) == 1);
        }
    });
}

#[test]
fn shutdown_waits_for_running_jobs_and_drops_queued_ones_uncalled() {
    watched(|| {
        let pool = limited(1);
        let (gate, begun) = (Gate::new(), Gate::new());
        let (called, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (in_gate, in_begun, in_called) =
            (Arc::clone(&gate), Arc::clone(&begun), Arc::clone(&called));
        pool.spawn_blocking(Box::new(move || {
            in_begun.open();
            in_gate.wait();
            in_called.fetch_add(1, SeqCst);
        }));
        begun.wait();
        for _ in 0..10 {
            let (called, dropped, gate) =
                (Arc::clone(&called), Arc::clone(&dropped), Arc::clone(&gate));
            let guard = OnDrop(move || {
                if dropped.fetch_add(1, SeqCst) == 9 {
                    // The shutdown has dropped the queue: now the running job may end.
                    gate.open();
                }
            });
            pool.spawn_blocking(Box::new(move || {
                let _guard = guard;
                called.fetch_add(100, SeqCst);
            }));
        }
        pool.shutdown();
        assert_eq!((called.load(SeqCst), dropped.load(SeqCst)), (1, 10));
    });
}

#[test]
fn spawn_blocking_after_shutdown_drops_the_job_uncalled() {
    let pool = limited(1);
    pool.shutdown();
    let dropped = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&dropped);
    let guard = OnDrop(move || {
        counted.fetch_add(1, SeqCst);
        panic!("a job's destructor");
    });
    pool.spawn_blocking(Box::new(move || {
        let _guard = guard;
        unreachable!("called after the end");
    }));
    assert_eq!(dropped.load(SeqCst), 1);
}

#[test]
fn shutdown_in_a_blocking_job_returns() {
    watched(|| {
        let pool = limited(2);
        let (tx, rx) = mpsc::channel();
        let handle = pool.clone();
        pool.spawn_blocking(Box::new(move || {
            handle.shutdown();
            tx.send(()).unwrap();
        }));
        rx.recv_timeout(WATCHDOG).unwrap();
        pool.shutdown();
    });
}
