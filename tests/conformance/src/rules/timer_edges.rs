//! R6: long sleeps, sleeps of odd lengths, and what a timer calls.

use super::probe::{Flag, Kept};
use crate::fixture::{Fixture, Progress, before, long_enough, step};
use crate::probe::Counts;
use crate::rule::rules;
use allhome_rt::{BoxSleep, Timer};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

rules! { "timer":
    Must w67_a_waker_uses_the_timer []
        "A waker may run any code: that of a `select` drops one sleep and makes another."
        "the timer calls wakers with its lock held";
    Must w68_more_than_32_bits_of_any_unit []
        "A lease lasts for days, and a certificate for years."
        "the duration is kept in 32 bits of a unit: seconds, or milliseconds, or less";
    Must w60_sleep_after_is_both_calls_in_one []
        "The core asks for the time and the sleep in one call."
        "`sleep_after` reads another clock than `now`, or counts from elsewhere";
    Must w69_every_length_ends []
        "Deadlines are of any length."
        "the last slot of a wheel's level is not looked at, or a sleep that moves down a level is lost";
}

/// Makes, polls and drops sleeps when it is woken.
struct Uses {
    timer: Arc<dyn Timer>,
    other: Kept<BoxSleep>,
    progress: Progress,
    done: Flag,
}

impl Wake for Uses {
    fn wake(self: Arc<Self>) {
        self.progress.takes("a waker that the timer calls makes, polls and drops sleeps");
        let mut cx = Context::from_waker(Waker::noop());
        let mut sleep = self.timer.sleep_until(self.timer.now() + Duration::from_secs(60));
        let _ = sleep.as_mut().poll(&mut cx);
        drop((sleep, self.other.take()));
        self.done.raise();
    }
}

fn w67_a_waker_uses_the_timer(fixture: &mut Fixture) {
    let (timer, clock) = (fixture.timer(), fixture.clock());
    fixture.drive(long_enough(async |ahead| {
        let (other, done) = (Kept::default(), Flag::default());
        let mut long = timer.sleep_until(timer.now() + Duration::from_secs(3_600));
        let _ = long.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        other.put(long);
        let progress = Progress::current();
        let uses = Uses { timer: timer.clone(), other, progress, done: done.clone() };
        let waker = Waker::from(Arc::new(uses));
        let mut sleep = timer.sleep_until(timer.now() + ahead);
        if sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return false;
        }
        before(&["W63"], "a sleep calls its waker");
        clock.goes_on_until(|| done.is_up()).await;
        step("a sleep after one whose waker has used the timer");
        timer.sleep_until(timer.now() + Duration::from_millis(1)).await;
        true
    }));
}

fn w68_more_than_32_bits_of_any_unit(fixture: &mut Fixture) {
    let timer = fixture.timer();
    let units = [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    fixture.drive(async {
        let now = timer.now();
        let mut sleeps = Vec::new();
        for (unit, nanos) in units {
            for bits in [31, 32, 33] {
                // With some more, it is not zero that is left of them.
                for more in [0, 1_000_000] {
                    let nanos = (1_u128 << bits) * nanos + more;
                    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
                    let length = Duration::new(seconds, (nanos % 1_000_000_000) as u32);
                    let Some(at) = now.checked_add(length) else { continue };
                    sleeps.push((unit, bits, at, timer.sleep_until(at)));
                }
            }
        }
        for _ in 0..3 {
            for (unit, bits, at, sleep) in &mut sleeps {
                step(&format!("a sleep of 2 to the {bits} {unit}"));
                let poll = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
                let over = timer.now() >= *at;
                assert!(poll.is_pending() || over, "a sleep of 2 to the {bits} {unit} is over");
            }
            before(&["W63", "R66"], "a short sleep beside long ones");
            timer.sleep_until(timer.now() + Duration::from_millis(2)).await;
        }
    });
}

fn w60_sleep_after_is_both_calls_in_one(fixture: &mut Fixture) {
    let timer = fixture.timer();
    fixture.drive(async {
        for millis in [0, 1, 20, 20] {
            let (length, before) = (Duration::from_millis(millis), timer.now());
            let (at, sleep) = timer.sleep_after(length).expect("it is not far");
            let after = timer.now();
            let in_between = before + length <= at && at <= after + length;
            assert!(in_between, "`sleep_after` gave another instant than its duration after now");
            step("a sleep of `sleep_after`");
            sleep.await;
            assert!(timer.now() >= at, "a sleep of `sleep_after` was early");
        }
        assert!(timer.sleep_after(Duration::MAX).is_none(), "there is no such instant");
    });
}

fn w69_every_length_ends(fixture: &mut Fixture) {
    let (runtime, timer, clock) = (fixture.runtime(), fixture.timer(), fixture.clock());
    let edges = [64, 128, 256].into_iter().flat_map(|edge| edge - 2..=edge + 2);
    let lengths: Vec<u64> = (1..=34).chain(edges).collect();
    fixture.drive(async {
        let (over, early, now) = (Counts::new(), Flag::default(), timer.now());
        for millis in &lengths {
            let at = now + Duration::from_millis(*millis);
            let (timer, guard, early) = (timer.clone(), over.guard(), early.clone());
            let sleep = timer.sleep_until(at);
            runtime.run(async move {
                sleep.await;
                if timer.now() < at {
                    early.raise();
                }
                drop(guard);
            });
        }
        before(&["W63"], "the first of many sleeps ends");
        clock.goes_on_until(|| over.drops() > 0).await;
        clock.until("sleeps of 1 to 258 ms end", || over.drops() == lengths.len()).await;
        assert!(!early.is_up(), "a sleep was early");
    });
}
