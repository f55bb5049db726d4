//! Clauses U: what the timer of the pool and of the local executor promises.

use allhome::runtime::{LocalExecutor, ThreadPool};
use allhome_rt::{BoxSleep, Timer};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// As long as a test waits for what has to come.
const WATCHDOG: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3_600);

/// Calls it with the timer of each executor.
fn each(test: impl Fn(&dyn Timer)) {
    let pool = ThreadPool::new(1).expect("one thread");
    test(&pool);
    let local = LocalExecutor::new();
    test(&local.handle());
}

fn poll(sleep: &mut BoxSleep, waker: &Waker) -> Poll<()> {
    sleep.as_mut().poll(&mut Context::from_waker(waker))
}

/// Sends its number when it is woken.
struct Numbered(usize, mpsc::Sender<usize>);

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.1.send(self.0).expect("the test waits");
    }
}

/// Makes sleeps until that many nanoseconds after an instant so far ahead, and returns the order in
/// which they wake. None if the machine was so slow that one was over when it was made.
fn order(timer: &dyn Timer, ahead: Duration, after: &[u64]) -> Option<Vec<usize>> {
    let (sender, woken) = mpsc::channel();
    let base = timer.now() + ahead;
    let mut sleeps = Vec::new();
    for (number, nanos) in after.iter().enumerate() {
        let mut sleep = timer.sleep_until(base + Duration::from_nanos(*nanos));
        let waker = Waker::from(Arc::new(Numbered(number, sender.clone())));
        if poll(&mut sleep, &waker).is_ready() {
            return None;
        }
        sleeps.push(sleep);
    }
    let next = || woken.recv_timeout(WATCHDOG).expect("each wakes");
    Some((0..after.len()).map(|_| next()).collect())
}

#[test]
fn u01_wakes_go_by_instant_and_then_by_first_poll() {
    // In no order, from the same instant to a few of the wheel's ticks later.
    let mut after: Vec<u64> = (0..2_000).map(|number| number * 7_919 % 5).collect();
    after.extend((0..2_000).map(|number| number * 7_919 % 1_000_003));
    let mut expected: Vec<usize> = (0..after.len()).collect();
    expected.sort_by_key(|number| after[*number]);
    each(|timer| {
        let mut ahead = Duration::from_millis(50);
        let woken = loop {
            match order(timer, ahead, &after) {
                Some(woken) => break woken,
                None => ahead *= 2,
            }
        };
        assert!(woken == expected, "not in the order of their instants");
    });
}

/// Counts its wakes.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sleeps whose instants come while they are dropped, each with a waker of its own.
fn made_and_dropped(timer: &dyn Timer, start: &Barrier, kept: &Mutex<Vec<Arc<Counted>>>) {
    start.wait();
    for round in 0..2_000_u64 {
        let counted = Arc::new(Counted::default());
        let waker = Waker::from(Arc::clone(&counted));
        let at = timer.now() + Duration::from_nanos(round * 7_919 % 100_000);
        let (mut soon, mut late) = (timer.sleep_until(at), timer.sleep_until(at + HOUR));
        let is_armed = poll(&mut soon, &waker).is_pending();
        assert!(poll(&mut late, &waker).is_pending());
        while round % 3 == 0 && is_armed && counted.0.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        drop((soon, late));
        kept.lock().expect("no panic").push(counted);
    }
}

#[test]
fn u03_sleeps_are_dropped_as_they_wake_then_each_poll_leads_to_one_wake_at_most() {
    each(|timer| {
        let (start, kept) = (Barrier::new(3), Mutex::default());
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| made_and_dropped(timer, &start, &kept));
            }
        });
        for counted in kept.into_inner().expect("no panic") {
            // The timer's thread may be at its wake.
            let begin = Instant::now();
            while Arc::strong_count(&counted) > 1 {
                assert!(begin.elapsed() < WATCHDOG, "a waker is kept");
                thread::yield_now();
            }
            assert!(counted.0.load(Ordering::SeqCst) <= 1);
        }
    });
}
