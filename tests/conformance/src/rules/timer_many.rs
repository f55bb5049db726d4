//! R6: several sleeps.

use super::probe::Kept;
use crate::bench::{Bench, many, outside_later, step, turn};
use crate::probe::Counts;
use crate::rule::rules;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

rules! { "timer":
    Should r64_in_order_of_their_instants [Timer]
        "What was to come first comes first, however late both are."
        "timers of one look at the clock fire in the order of a heap's array, or of a hash";
    Must r65_one_expiry_fires_no_other [Timer]
        "A deadline of an hour does not end with one of a second."
        "an expiry wakes all sleeps, and they take a wake for the end";
    Must r66_shorter_one_later [Timer]
        "A short deadline may be set while a long one is waited for."
        "the thread that sleeps until the first instant is not woken for an earlier one";
    Must r60_many_at_the_same_instant [Timer]
        "A thousand requests may have one deadline."
        "sleeps stand in a map under their instant: the second takes the first's place";
    Must w63_in_tasks_and_in_the_root [Timer]
        "Children and body sleep alike."
        "the timer is looked at only while the root, or only while a task, is polled";
    Must w64_from_a_foreign_thread [Timer]
        "Sleeps are polled on other threads, while the driver sleeps."
        "a sleep that is registered elsewhere does not wake the one that waits for the first";
    Should w65_waker_that_panics_harms_no_other [Timer]
        "One waker's fault is not the end of all deadlines."
        "the timer's thread calls wakers outside of `catch_unwind`, or under its lock";
    Must w66_dropping_one_keeps_the_others [Timer]
        "Most deadlines are dropped before they come."
        "the entry is removed by its instant, or by an index that has moved";
}

fn after(bench: &mut Bench, micros: u64) -> impl Future<Output = ()> + Send + use<> {
    let timer = bench.timer();
    timer.sleep_until(timer.now() + Duration::from_micros(micros))
}

/// Notes which sleep woke.
struct Noted(u64, Arc<Mutex<Vec<u64>>>);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
    }
}

fn r64_in_order_of_their_instants(bench: &mut Bench) {
    let (timer, clock) = (bench.timer(), bench.clock());
    let order = Arc::new(Mutex::new(Vec::new()));
    bench.drive(async {
        let now = timer.now();
        let mut sleeps: Vec<_> = [24, 8, 16, 12, 20]
            .map(|millis| (millis, timer.sleep_until(now + Duration::from_millis(millis))))
            .into();
        let mut over = Vec::new();
        for (millis, sleep) in &mut sleeps {
            let waker = Waker::from(Arc::new(Noted(*millis, order.clone())));
            if sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                over.push(*millis);
            }
        }
        let woken = || order.lock().unwrap_or_else(PoisonError::into_inner).len();
        clock.until("5 sleeps wake", || woken() + over.len() == 5).await;
        let order = order.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(order.is_sorted(), "they woke in the order {order:?} (ms)");
    });
}

fn r65_one_expiry_fires_no_other(bench: &mut Bench) {
    let timer = bench.timer();
    bench.drive(async {
        let mut long = timer.sleep_until(timer.now() + Duration::from_secs(3_600));
        let mut short = timer.sleep_until(timer.now() + Duration::from_millis(3));
        step("a short sleep and one of an hour, in one task");
        poll_fn(|cx| {
            assert!(long.as_mut().poll(cx).is_pending(), "an hour is over");
            short.as_mut().poll(cx)
        })
        .await;
        let poll = poll_fn(|cx| Poll::Ready(long.as_mut().poll(cx))).await;
        assert!(poll.is_pending(), "an hour is over");
    });
}

fn r66_shorter_one_later(bench: &mut Bench) {
    let runtime = bench.runtime();
    let (long, counts) = (after(bench, 3_600_000_000), Counts::new());
    let timer = bench.timer();
    bench.drive(async {
        let guard = counts.guard();
        runtime.run(async move {
            long.await;
            drop(guard);
        });
        turn().await;
        step("a short sleep beside one of an hour");
        timer.sleep_until(timer.now() + Duration::from_millis(3)).await;
        assert_eq!(counts.drops(), 0, "an hour is over");
    });
}

fn r60_many_at_the_same_instant(bench: &mut Bench) {
    let (runtime, timer, clock) = (bench.runtime(), bench.timer(), bench.clock());
    let (counts, number) = (Counts::new(), many(1_000));
    bench.drive(async {
        // Later than all of them are waited for, on a slow machine, too.
        let at = timer.now() + Duration::from_millis(60);
        for _ in 0..number {
            let (sleep, guard) = (timer.sleep_until(at), counts.guard());
            runtime.run(async move {
                sleep.await;
                drop(guard);
            });
        }
        clock.until("sleeps until one instant end", || counts.drops() == number).await;
    });
}

fn w63_in_tasks_and_in_the_root(bench: &mut Bench) {
    let runtime = bench.runtime();
    let (first, second, third) = (after(bench, 1_000), after(bench, 2_000), after(bench, 4_000));
    bench.drive(async move {
        let gate = crate::probe::Gate::new();
        let opens = gate.clone();
        step("a sleep in the root");
        first.await;
        runtime.run(async move {
            second.await;
            opens.open();
        });
        step("a sleep in a task, for which the root waits");
        gate.wait().await;
        step("another in the root");
        third.await;
    });
}

fn w64_from_a_foreign_thread(bench: &mut Bench) {
    let (timer, kept) = (bench.timer(), Kept::default());
    bench.drive(async {
        let mut thread = None;
        step("the root waits for a sleep that a foreign thread has registered");
        poll_fn(|cx| {
            if thread.is_some() {
                return Poll::Ready(());
            }
            let (timer, kept, waker) = (timer.clone(), kept.clone(), cx.waker().clone());
            thread = Some(outside_later(move || {
                let mut sleep = timer.sleep_until(timer.now() + Duration::from_millis(1));
                if sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    waker.wake();
                }
                // Kept, so that it is not dropped before it wakes.
                kept.put(sleep);
            }));
            Poll::Pending
        })
        .await;
        if let Some(thread) = thread {
            thread.join().expect("a sleep does not panic");
        }
    });
    drop(kept.take());
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

fn w65_waker_that_panics_harms_no_other(bench: &mut Bench) {
    let (runtime, timer, clock) = (bench.runtime(), bench.timer(), bench.clock());
    bench.drive(async {
        let waker = Waker::from(Arc::new(Panics));
        let mut sleep = timer.sleep_until(timer.now() + Duration::from_millis(1));
        let _ = sleep.as_mut().poll(&mut Context::from_waker(&waker));
        let counts = Counts::new();
        for millis in [0, 2, 4] {
            let (guard, at) = (counts.guard(), timer.now() + Duration::from_millis(millis));
            let other = timer.sleep_until(at);
            runtime.run(async move {
                other.await;
                drop(guard);
            });
        }
        clock.until("sleeps beside one whose waker panics", || counts.drops() == 3).await;
    });
}

fn w66_dropping_one_keeps_the_others(bench: &mut Bench) {
    let (runtime, timer, clock) = (bench.runtime(), bench.timer(), bench.clock());
    let counts = Counts::new();
    bench.drive(async {
        let at = timer.now() + Duration::from_millis(4);
        let mut dropped: Vec<_> = (0..10).map(|_| timer.sleep_until(at)).collect();
        for sleep in &mut dropped {
            let _ = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
        }
        for _ in 0..10 {
            let (sleep, guard) = (timer.sleep_until(at), counts.guard());
            runtime.run(async move {
                sleep.await;
                drop(guard);
            });
        }
        turn().await;
        drop(dropped);
        clock.until("the sleeps that were kept end", || counts.drops() == 10).await;
    });
}
