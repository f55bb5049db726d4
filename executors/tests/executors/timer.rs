//! The pool's timer: rules 6 and the clauses of `Timer`.

use crate::support::{CountingWaker, Counts, Probe, eventually, pump, watched};
use allhome_executors::{ThreadPool, block_on};
use allhome_rt::{BoxSleep, Spawn, Task, Timer};
use parking_lot::Mutex;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

fn pool() -> ThreadPool {
    ThreadPool::new(1).unwrap()
}

fn after(pool: &ThreadPool, wait: Duration) -> BoxSleep {
    pool.sleep_until(pool.now() + wait)
}

fn poll(sleep: &mut BoxSleep, waker: &Arc<CountingWaker>) -> Poll<()> {
    poll_with(sleep, &Waker::from(Arc::clone(waker)))
}

fn poll_with(sleep: &mut BoxSleep, waker: &Waker) -> Poll<()> {
    sleep.as_mut().poll(&mut Context::from_waker(waker))
}

/// The last instant that there is, or nearly.
fn end_of_time() -> Instant {
    let mut at = Instant::now();
    let mut step = Duration::MAX;
    while step > Duration::from_secs(1) {
        match at.checked_add(step) {
            Some(later) => at = later,
            None => step /= 2,
        }
    }
    at
}

#[test]
fn r6_1_never_early() {
    watched(|| {
        let pool = pool();
        for micros in [1, 7, 100, 333, 999, 1001, 1500, 2718, 5003] {
            let at = pool.now() + Duration::from_nanos(micros * 1000 + 1);
            block_on(pool.sleep_until(at));
            assert!(pool.now() >= at);
        }
    });
}

#[test]
fn r6_1_a_poll_before_the_time_is_pending() {
    let pool = pool();
    let mut sleep = after(&pool, HOUR);
    for _ in 0..3 {
        assert!(poll(&mut sleep, &CountingWaker::new()).is_pending());
    }
}

#[test]
fn r6_2_past_and_present_instants_are_ready_at_the_first_poll() {
    let pool = pool();
    let waker = CountingWaker::new();
    let past = Instant::now();
    assert!(poll(&mut pool.sleep_until(past), &waker).is_ready());
    let mut sleep = pool.sleep_until(past.checked_sub(Duration::from_secs(1)).unwrap_or(past));
    assert!(poll(&mut sleep, &waker).is_ready());
    assert!(poll(&mut sleep, &waker).is_ready(), "and stays ready");
}

#[test]
fn r6_3_an_instant_that_no_clock_reaches_neither_panics_nor_fires_nor_hinders() {
    watched(|| {
        let pool = pool();
        let waker = CountingWaker::new();
        let mut never = pool.sleep_until(end_of_time());
        for _ in 0..4 {
            assert!(poll(&mut never, &waker).is_pending());
        }
        block_on(after(&pool, Duration::from_millis(5)));
        assert_eq!(waker.wakes(), 0);
        assert!(poll(&mut never, &waker).is_pending());
        pool.shutdown();
    });
}

struct Noting {
    number: usize,
    order: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.order.lock().push(self.number);
    }
}

#[test]
fn r6_4_fires_in_deadline_order() {
    let pool = pool();
    let order = Arc::new(Mutex::new(Vec::new()));
    let start = pool.now();
    let mut sleeps = Vec::new();
    for (number, millis) in [(2, 45), (0, 15), (1, 30), (3, 45)] {
        let mut sleep = pool.sleep_until(start + Duration::from_millis(millis));
        let waker = Waker::from(Arc::new(Noting { number, order: Arc::clone(&order) }));
        // On a stalled machine the first may be over by now: then there is no order to see.
        if poll_with(&mut sleep, &waker).is_ready() {
            return;
        }
        sleeps.push(sleep);
    }
    eventually("the last sleep's end", || order.lock().len() == 4);
    assert_eq!(*order.lock(), [0, 1, 2, 3], "equal deadlines in the order of their first polls");
}

#[test]
fn r6_5_one_sleeps_end_wakes_no_other() {
    watched(|| {
        let pool = pool();
        let waker = CountingWaker::new();
        let mut other = after(&pool, HOUR);
        assert!(poll(&mut other, &waker).is_pending());
        block_on(after(&pool, Duration::from_millis(10)));
        assert_eq!(waker.wakes(), 0);
    });
}

#[test]
fn r6_6_a_shorter_sleep_after_a_longer_one_wakes_the_timer() {
    watched(|| {
        let pool = pool();
        let waker = CountingWaker::new();
        let mut long = after(&pool, HOUR);
        assert!(poll(&mut long, &waker).is_pending());
        // By then the thread waits for the hour to pass.
        block_on(after(&pool, Duration::from_millis(20)));
        block_on(after(&pool, Duration::from_millis(10)));
        assert_eq!(waker.wakes(), 0);
    });
}

#[test]
fn r6_7_only_the_latest_polls_waker_counts() {
    let pool = pool();
    let (first, second) = (CountingWaker::new(), CountingWaker::new());
    let mut sleep = after(&pool, Duration::from_millis(50));
    let pending = poll(&mut sleep, &first).is_pending() && poll(&mut sleep, &second).is_pending();
    if pending {
        assert_eq!(Arc::strong_count(&first), 1, "the older waker is released at once");
        eventually("the wake", || second.wakes() == 1);
        assert_eq!(first.wakes(), 0);
    }
    assert!(pending || poll(&mut sleep, &first).is_ready());
}

#[test]
fn r6_8_dropping_a_sleep_releases_its_waker_at_once() {
    let pool = pool();
    let waker = CountingWaker::new();
    let mut sleeps: Vec<_> = (0..50).map(|_| after(&pool, HOUR)).collect();
    for sleep in &mut sleeps {
        assert!(poll(sleep, &waker).is_pending());
    }
    assert_eq!(Arc::strong_count(&waker), 51);
    drop(sleeps);
    assert_eq!(Arc::strong_count(&waker), 1);
}

#[test]
fn ready_sleep_releases_its_waker() {
    watched(|| {
        let pool = pool();
        let waker = CountingWaker::new();
        let at = pool.now() + Duration::from_millis(5);
        let mut sleep = pool.sleep_until(at);
        let _ = poll(&mut sleep, &waker);
        eventually("the time", || Instant::now() >= at);
        assert!(poll(&mut sleep, &waker).is_ready());
        // The thread may hold the waker for as long as it wakes it.
        eventually("the release", || Arc::strong_count(&waker) == 1);
    });
}

/// Uses the timer in its wake and in its drop, which deadlocks if a lock is held.
struct Meddling {
    pool: ThreadPool,
    wakes: CountingWaker,
}

impl Meddling {
    fn meddle(&self) {
        let mut sleep = after(&self.pool, HOUR);
        assert!(poll_with(&mut sleep, Waker::noop()).is_pending());
    }
}

impl Wake for Meddling {
    fn wake(self: Arc<Self>) {
        self.meddle();
        self.wakes.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Drop for Meddling {
    fn drop(&mut self) {
        self.meddle();
    }
}

#[test]
fn wakers_are_woken_and_dropped_without_a_lock() {
    watched(|| {
        let pool = pool();
        let meddling =
            || Arc::new(Meddling { pool: pool.clone(), wakes: CountingWaker::default() });
        let woken = meddling();
        let mut sleep = after(&pool, Duration::from_millis(30));
        let pending = poll_with(&mut sleep, &Waker::from(Arc::clone(&woken))).is_pending();
        if pending {
            eventually("the wake", || woken.wakes.wakes() == 1);
        }
        let mut replaced = after(&pool, HOUR);
        assert!(poll_with(&mut replaced, &Waker::from(meddling())).is_pending());
        assert!(poll_with(&mut replaced, &Waker::from(meddling())).is_pending());
        drop(replaced);
        let mut left = after(&pool, HOUR);
        assert!(poll_with(&mut left, &Waker::from(meddling())).is_pending());
        let handle = pool.clone();
        drop((woken, sleep));
        handle.shutdown();
    });
}

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("a waker's panic");
    }
}

#[test]
fn a_panicking_waker_does_not_stop_the_timer() {
    watched(|| {
        let pool = pool();
        let mut sleep = after(&pool, Duration::from_millis(5));
        let _ = poll_with(&mut sleep, &Waker::from(Arc::new(Panicking)));
        block_on(after(&pool, Duration::from_millis(10)));
        block_on(after(&pool, Duration::from_millis(10)));
    });
}

#[test]
fn a_sleep_may_be_polled_by_any_executor_on_any_thread() {
    watched(|| {
        let (pool, other) = (pool(), pool());
        let counts = Counts::new();
        let mut sleep = after(&pool, Duration::from_millis(10));
        let _ = poll_with(&mut sleep, Waker::noop());
        other.spawn(Probe::task(&counts, move |_, cx| sleep.as_mut().poll(cx)));
        counts.wait_for_drop();
        let mut moved = after(&pool, Duration::from_millis(10));
        let _ = poll_with(&mut moved, Waker::noop());
        thread::spawn(move || block_on(moved)).join().unwrap();
    });
}

#[test]
fn many_sleeping_tasks_all_end() {
    let pool = ThreadPool::new(2).unwrap();
    let counts = Counts::new();
    for number in 0..2000_u64 {
        let sleep = after(&pool, Duration::from_micros(number * 7919 % 20_000));
        let ended = Arc::clone(&counts);
        pool.spawn(Task::from_future(async move {
            sleep.await;
            drop(Probe::task(&ended, |_, _| Poll::Pending));
        }));
    }
    eventually("the end of all", || counts.drops() == 2000);
}

/// Makes a sleep in its wake, on the timer's own thread.
struct Again {
    pool: ThreadPool,
    made: Mutex<Option<BoxSleep>>,
    then: Arc<CountingWaker>,
}

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        let mut sleep = after(&self.pool, Duration::from_millis(1));
        if poll(&mut sleep, &self.then).is_ready() {
            self.then.wake_by_ref();
        }
        *self.made.lock() = Some(sleep);
    }
}

#[test]
fn a_sleep_that_a_waker_makes_ends_before_a_longer_one() {
    watched(|| {
        let pool = pool();
        let mut long = after(&pool, HOUR);
        assert!(poll_with(&mut long, Waker::noop()).is_pending());
        let then = CountingWaker::new();
        let made = Mutex::new(None);
        let again = Arc::new(Again { pool: pool.clone(), made, then: Arc::clone(&then) });
        let mut sleep = after(&pool, Duration::from_millis(10));
        if poll_with(&mut sleep, &Waker::from(Arc::clone(&again))).is_pending() {
            eventually("the second wake", || then.wakes() == 1);
        }
        // It holds the pool, and the pool's timer holds what it made.
        drop(again.made.lock().take());
    });
}

#[test]
fn shutdown_then_pending_sleeps_release_their_wakers_and_never_end() {
    watched(|| {
        let pool = pool();
        let waker = CountingWaker::new();
        let mut armed = after(&pool, Duration::from_millis(200));
        let mut later = pool.sleep_until(pool.now() + HOUR);
        let _ = poll(&mut armed, &waker);
        pool.shutdown();
        assert_eq!(Arc::strong_count(&waker), 1);
        assert!(poll(&mut later, &waker).is_pending());
        assert_eq!(Arc::strong_count(&waker), 1);
        drop((armed, later));
        assert!(poll(&mut pool.sleep_until(Instant::now()), &waker).is_ready());
    });
}

#[test]
fn shutdown_in_a_waker_on_the_timers_thread() {
    struct Ending(ThreadPool, Arc<CountingWaker>);
    impl Wake for Ending {
        fn wake(self: Arc<Self>) {
            self.0.shutdown();
            self.1.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    watched(|| {
        let pool = pool();
        pump(&pool);
        let ended = CountingWaker::new();
        let mut sleep = after(&pool, Duration::from_millis(20));
        let waker = Waker::from(Arc::new(Ending(pool.clone(), Arc::clone(&ended))));
        if poll_with(&mut sleep, &waker).is_pending() {
            eventually("the shutdown", || ended.wakes() == 1);
        }
        pool.shutdown();
    });
}
