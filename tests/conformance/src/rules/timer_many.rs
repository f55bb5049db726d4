//! R6: several sleeps.

use super::probe::{Flag, Kept};
use crate::fixture::{
    Fixture, Progress, before, had_to_wait, long_enough, many, outside_later, step, until,
};
use crate::probe::{Counts, Gate};
use crate::rule::rules;
use allhome_rt::{BoxSleep, Timer};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

rules! { "timer":
    Should r64_in_order_of_their_instants []
        "The earlier deadline ends first, however late both are."
        "sleeps that are found due together fire in the order of a heap's array, or of a hash";
    Must r65_one_expiry_fires_no_other []
        "A deadline of an hour must not end with one of a second."
        "an expiry wakes all sleeps, and they take a wake for the end";
    Must r66_shorter_one_later []
        "A task may set a short deadline while another waits for a long one."
        "the thread that sleeps until the first instant is not woken for an earlier one";
    Must r60_many_at_the_same_instant []
        "A thousand requests may have one deadline."
        "sleeps stand in a map under their instant: the second takes the first's place";
    Must w63_in_tasks_and_in_the_root []
        "Children and body sleep alike."
        "the timer is looked at only while the root, or only while a task, is polled";
    Must w64_from_a_foreign_thread []
        "Sleeps are polled on other threads, while the driver sleeps."
        "a sleep that is registered elsewhere does not wake the one that waits for the first";
    Should w65_waker_that_panics_harms_no_other []
        "One waker's fault is not the end of all deadlines."
        "the timer's thread calls wakers outside of `catch_unwind`, or under its lock";
    Must w66_dropping_one_keeps_the_others []
        "Most deadlines are dropped before they are reached."
        "the entry is removed by its instant, or by an index that has moved";
}

/// Notes which sleep woke.
struct Noted(u32, Arc<Mutex<Vec<u32>>>);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
    }
}

fn r64_in_order_of_their_instants(fixture: &mut Fixture) {
    let (timer, clock) = (fixture.timer(), fixture.clock());
    fixture.drive(long_enough(async |ahead| {
        let (order, now) = (Arc::new(Mutex::new(Vec::new())), timer.now());
        let mut sleeps =
            [6, 2, 4, 3, 5].map(|times| (times, timer.sleep_until(now + ahead * times)));
        for (times, sleep) in &mut sleeps {
            let waker = Waker::from(Arc::new(Noted(*times, order.clone())));
            if sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                return false;
            }
        }
        let woken = || order.lock().unwrap_or_else(PoisonError::into_inner);
        clock.until("5 sleeps wake", || woken().len() == 5).await;
        assert!(woken().is_sorted(), "they woke in the order {:?} (times {ahead:?})", woken());
        true
    }));
}

/// A sleep of an hour.
fn an_hour(timer: &dyn Timer) -> BoxSleep {
    timer.sleep_until(timer.now() + Duration::from_secs(3_600))
}

fn r65_one_expiry_fires_no_other(fixture: &mut Fixture) {
    let timer = fixture.timer();
    fixture.drive(long_enough(async |ahead| {
        let mut long = an_hour(&*timer);
        let mut short = timer.sleep_until(timer.now() + ahead);
        let mut goes_on = |cx: &mut Context<'_>| {
            if long.as_mut().poll(cx).is_ready() {
                step("a short sleep and one of an hour, in one task");
                panic!("a sleep of an hour ended with a shorter one");
            }
        };
        before(&["R66", "W63"], "a short sleep and one of an hour, in one task");
        let waited = had_to_wait(poll_fn(|cx| {
            goes_on(cx);
            short.as_mut().poll(cx)
        }))
        .await;
        poll_fn(|cx| {
            goes_on(cx);
            Poll::Ready(())
        })
        .await;
        waited
    }));
}

fn r66_shorter_one_later(fixture: &mut Fixture) {
    let (runtime, timer, counts) = (fixture.runtime(), fixture.timer(), Counts::new());
    fixture.drive(async {
        let (mut long, count, guard) = (an_hour(&*timer), counts.clone(), counts.guard());
        runtime.run(async move {
            poll_fn(|cx| {
                let poll = long.as_mut().poll(cx);
                count.polled();
                poll
            })
            .await;
            drop(guard);
        });
        until("a sleep of an hour is waited for", || counts.polls() > 0).await;
        step("a short sleep beside one of an hour");
        long_enough(async |ahead| had_to_wait(timer.sleep_until(timer.now() + ahead)).await).await;
        assert_eq!(counts.drops(), 0, "a sleep of an hour ended with a shorter one");
    });
}

fn r60_many_at_the_same_instant(fixture: &mut Fixture) {
    let (runtime, timer, clock) = (fixture.runtime(), fixture.timer(), fixture.clock());
    let number = many(1_000);
    fixture.drive(long_enough(async |ahead| {
        let (counts, at) = (Counts::new(), timer.now() + ahead);
        for _ in 0..number {
            let (sleep, count, guard) = (timer.sleep_until(at), counts.clone(), counts.guard());
            runtime.run(async move {
                if had_to_wait(sleep).await {
                    count.polled();
                }
                drop(guard);
            });
        }
        clock.until("sleeps until one instant end", || counts.drops() == number).await;
        // Of five hundred in a quick run more than 300: a timer may have room for as many.
        counts.polls() > number * 3 / 4
    }));
}

fn w63_in_tasks_and_in_the_root(fixture: &mut Fixture) {
    let (runtime, timer) = (fixture.runtime(), fixture.timer());
    fixture.drive(long_enough(async |ahead| {
        let after = || timer.sleep_until(timer.now() + ahead);
        step("a sleep in the root");
        let first = had_to_wait(after()).await;
        let (second, gate, waited) = (after(), Gate::new(), Flag::default());
        let (opens, waits) = (gate.clone(), waited.clone());
        runtime.run(async move {
            if had_to_wait(second).await {
                waits.raise();
            }
            opens.open();
        });
        step("a sleep in a task, for which the root waits");
        gate.wait().await;
        step("another in the root");
        let third = had_to_wait(after()).await;
        let (mut short, mut long) = (after(), an_hour(&*timer));
        let one_place = "a task, or a waker, has one place for a sleep";
        Progress::current().risks("a short sleep of a task that has a long one as well", one_place);
        poll_fn(|cx| {
            let poll = short.as_mut().poll(cx);
            let _ = long.as_mut().poll(cx);
            poll
        })
        .await;
        first && waited.is_up() && third
    }));
}

fn w64_from_a_foreign_thread(fixture: &mut Fixture) {
    let (timer, kept) = (fixture.timer(), Kept::default());
    fixture.drive(long_enough(async |ahead| {
        let (mut thread, waits) = (None, Flag::default());
        step("the root waits for a sleep that a foreign thread has registered");
        poll_fn(|cx| {
            if thread.is_some() {
                return Poll::Ready(());
            }
            let (timer, kept, waits) = (timer.clone(), kept.clone(), waits.clone());
            let waker = cx.waker().clone();
            let progress = Progress::current();
            thread = Some(outside_later(move || {
                progress.before(&["R69"], "a sleep is made and polled on a foreign thread");
                let mut sleep = timer.sleep_until(timer.now() + ahead);
                match sleep.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(()) => waker.wake(),
                    Poll::Pending => waits.raise(),
                }
                progress.takes("the root waits for a sleep that a foreign thread has registered");
                // Kept, so that it is not dropped before it wakes.
                kept.put(sleep);
            }));
            Poll::Pending
        })
        .await;
        if let Some(thread) = thread {
            thread.join().expect("a sleep does not panic");
        }
        waits.is_up()
    }));
    drop(kept.take());
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

fn w65_waker_that_panics_harms_no_other(fixture: &mut Fixture) {
    let (runtime, timer, clock) = (fixture.runtime(), fixture.timer(), fixture.clock());
    fixture.drive(long_enough(async |ahead| {
        let (counts, waker) = (Counts::new(), Waker::from(Arc::new(Panics)));
        let mut sleep = timer.sleep_until(timer.now() + ahead);
        let panics = sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
        for times in [0, 2, 4] {
            let (guard, count) = (counts.guard(), counts.clone());
            let other = timer.sleep_until(timer.now() + ahead * times);
            runtime.run(async move {
                if had_to_wait(other).await {
                    count.polled();
                }
                drop(guard);
            });
        }
        clock.until("sleeps beside one whose waker panics", || counts.drops() == 3).await;
        // The last was woken, so the timer has come past the one before it.
        panics && counts.polls() > 1
    }));
}

fn w66_dropping_one_keeps_the_others(fixture: &mut Fixture) {
    let (runtime, timer, clock) = (fixture.runtime(), fixture.timer(), fixture.clock());
    fixture.drive(long_enough(async |ahead| {
        let (counts, at) = (Counts::new(), timer.now() + ahead);
        let mut dropped: Vec<_> = (0..10).map(|_| timer.sleep_until(at)).collect();
        for sleep in &mut dropped {
            let _ = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
        }
        for _ in 0..10 {
            let (mut sleep, guard) = (timer.sleep_until(at), counts.guard());
            let count = counts.clone();
            runtime.run(async move {
                let _guard = guard;
                poll_fn(|cx| {
                    let poll = sleep.as_mut().poll(cx);
                    count.polled();
                    poll
                })
                .await;
            });
        }
        until("ten sleeps beside the dropped ones are waited for", || counts.polls() >= 10).await;
        drop(dropped);
        let in_time = timer.now() < at;
        clock.until("the sleeps that were kept end", || counts.drops() == 10).await;
        in_time
    }));
}
