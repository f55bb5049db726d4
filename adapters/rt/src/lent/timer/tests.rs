use super::{Lent, Shared};
use crate::{Instant, Timer};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// A thread that never comes: the test does what it would do.
fn no_thread(_: Arc<Shared>) -> io::Result<()> {
    Ok(())
}

/// Counts its wakes, and uses the timer when it is woken and when it is dropped.
struct Nosy {
    timer: Arc<Lent>,
    woken: AtomicUsize,
    dropped: Arc<AtomicUsize>,
}

impl Nosy {
    fn look(&self) {
        let at = Instant::now() + HOUR;
        let mut sleep = self.timer.sleep_until(at);
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, SeqCst);
        self.look();
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.look();
        self.dropped.fetch_add(1, SeqCst);
    }
}

fn nosy(timer: &Arc<Lent>) -> (Arc<Nosy>, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (timer, woken) = (timer.clone(), AtomicUsize::new(0));
    (Arc::new(Nosy { timer, woken, dropped: dropped.clone() }), dropped)
}

fn entries(timer: &Lent) -> usize {
    timer.shared.lock().sleeps.len()
}

#[test]
fn a_dropped_sleep_releases_its_waker_and_the_drop_may_use_the_timer() {
    let timer = Arc::new(Lent::new(no_thread));
    let (waker, dropped) = nosy(&timer);
    let mut sleep = timer.sleep_until(Instant::now() + HOUR);
    assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker.into())).is_pending());
    assert_eq!((entries(&timer), dropped.load(SeqCst)), (1, 0));
    drop(sleep);
    assert_eq!((entries(&timer), dropped.load(SeqCst)), (0, 1));
}

#[test]
fn a_new_waker_replaces_the_old_one_which_is_dropped_outside_of_the_lock() {
    let timer = Arc::new(Lent::new(no_thread));
    let (first, dropped) = nosy(&timer);
    let mut sleep = timer.sleep_until(Instant::now() + HOUR);
    assert!(sleep.as_mut().poll(&mut Context::from_waker(&first.into())).is_pending());
    assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!((entries(&timer), dropped.load(SeqCst)), (1, 1));
}

#[test]
fn a_wake_may_use_the_timer_and_a_sleep_may_be_dropped_when_its_entry_is_taken() {
    let timer = Arc::new(Lent::new(no_thread));
    let (waker, _) = nosy(&timer);
    let at = Instant::now() + Duration::from_millis(1);
    let mut sleep = timer.sleep_until(at);
    let mut due = Vec::new();
    if sleep.as_mut().poll(&mut Context::from_waker(&waker.clone().into())).is_pending() {
        timer.shared.take_due(&mut due);
        assert!(Instant::now() >= at, "never early");
        drop(sleep);
        due.drain(..).for_each(Waker::wake);
        assert_eq!(waker.woken.load(SeqCst), 1, "one wake too many");
    }
    assert_eq!(entries(&timer), 0);
}

#[test]
fn an_entry_that_was_taken_before_this_poll_is_made_again() {
    let timer = Lent::new(no_thread);
    let mut sleep = timer.sleep_until(Instant::now() + HOUR);
    assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    timer.shared.lock().sleeps.clear();
    assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(entries(&timer), 1);
}

#[test]
fn a_thread_that_cannot_be_started_is_a_panic_that_says_so_and_is_tried_again() {
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    fn refused_once(_: Arc<Shared>) -> io::Result<()> {
        match TRIED.fetch_add(1, SeqCst) {
            0 => Err(io::Error::other("no threads here")),
            _ => Ok(()),
        }
    }
    let timer = Lent::new(refused_once);
    drop(timer.sleep_until(Instant::now()));
    assert_eq!(TRIED.load(SeqCst), 0, "a sleep that is over needs no thread");

    let sleep = || drop(timer.sleep_until(Instant::now() + HOUR));
    let panic = catch_unwind(AssertUnwindSafe(sleep)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("no threads here") && text.contains("RuntimeBuilder::timer"), "{text}");
    sleep();
    sleep();
    assert_eq!(TRIED.load(SeqCst), 2, "started once");
}

#[test]
fn a_hundred_thousand_sleeps_end_in_order_and_those_far_away_wait() {
    struct Log(Mutex<Sender<usize>>, usize);
    impl Wake for Log {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().send(self.1).unwrap();
        }
    }
    let timer = Lent::new(no_thread);
    let (tx, rx) = channel();
    let start = Instant::now() + Duration::from_secs(5);
    let mut sleeps: Vec<_> = (0..100_000_usize)
        .map(|number| {
            // Neither ascending nor descending.
            let nanos = number.wrapping_mul(7_919) % 100_000;
            let mut sleep = timer.sleep_until(start + Duration::from_nanos(nanos as u64));
            let waker = Arc::new(Log(Mutex::new(tx.clone()), nanos)).into();
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            sleep
        })
        .collect();
    let far = start + Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let mut never = timer.sleep_until(far);
    assert!(never.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    sleeps.drain(..50_000);
    assert_eq!(entries(&timer), 50_001);
    let mut woken = 0;
    while woken < 50_000 {
        let mut due = Vec::new();
        timer.shared.take_due(&mut due);
        assert!(due.len() <= super::BATCH);
        woken += due.len();
        due.into_iter().for_each(Waker::wake);
    }
    let order: Vec<_> = rx.try_iter().collect();
    assert!(order.len() == 50_000 && order.is_sorted());
    assert_eq!(timer.shared.lock().first().map(|(at, _)| at), Some(far));
}

#[test]
fn a_waker_that_panics_stops_no_other_sleep() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("a waker's panic");
        }
    }
    struct Good(Mutex<Sender<()>>);
    impl Wake for Good {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().send(()).unwrap();
        }
    }
    let timer = crate::lent_timer();
    let at = timer.now() + Duration::from_millis(5);
    let (tx, rx) = channel();
    let wakers: [Waker; 2] = [Arc::new(Bad).into(), Arc::new(Good(Mutex::new(tx))).into()];
    let mut sleeps = wakers.map(|waker| {
        let mut sleep = timer.sleep_until(at);
        (sleep.as_mut().poll(&mut Context::from_waker(&waker)), sleep, waker)
    });
    if sleeps[1].0.is_pending() {
        rx.recv().unwrap();
    }
    for (_, sleep, _) in &mut sleeps {
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}
