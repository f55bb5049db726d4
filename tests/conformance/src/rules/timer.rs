//! R6: one sleep. Nothing here asks how late a sleep is.

use crate::fixture::{Fixture, before, had_to_wait, long_enough, many, outside, step};
use crate::probe::Counts;
use crate::rule::rules;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

rules! { "timer":
    Must r61_never_early []
        "A deadline that comes early cuts off work that had time left."
        "durations are rounded down to the timer's granule";
    Must r62_instants_of_the_past []
        "A deadline may be over before a task waits for it."
        "`at - now` panics or wraps, or the timer never looks at an instant that is over";
    Must r63_instants_beyond_all_clocks []
        "`no deadline` is often written as a very late one."
        "`at` is turned into a number of ticks that overflows";
    Must r67_latest_waker_counts []
        "A sleep moves between tasks, as in `select`."
        "the waker is kept at the first poll and not changed after";
    Must r68_drop_releases_the_waker []
        "A deadline that is dropped must not keep its task's memory for an hour."
        "the entry stays until it expires";
    Must r69_any_executor_any_thread []
        "The body of a nursery runs where the user likes."
        "the sleep registers with a reactor that it looks up on the thread that polls";
    Must w61_time_does_not_go_back []
        "Deadlines are compared."
        "`now` is taken from a clock that can be set";
    Must w62_sleeps_begin_before_the_first_poll []
        "A deadline counts from when it was set."
        "the duration is worked out when the sleep is made, and counted from its first poll";
}

/// Counts wakes.
struct Wakes(Counts);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.polled();
    }
}

fn r61_never_early(fixture: &mut Fixture) {
    let timer = fixture.timer();
    fixture.drive(async {
        for nanos in [1, 999, 1_001, 123_457, 999_999, 1_000_001, 1_500_000, 2_345_678, 4_999_999] {
            before(&["R62", "W63", "R66"], &format!("a sleep of {nanos} ns"));
            let at = timer.now() + Duration::from_nanos(nanos);
            timer.sleep_until(at).await;
            let now = timer.now();
            step(&format!("a sleep of {nanos} ns is over"));
            assert!(now >= at, "a sleep of {nanos} ns was {:?} early", at - now);
        }
    });
}

fn r62_instants_of_the_past(fixture: &mut Fixture) {
    let timer = fixture.timer();
    fixture.drive(async {
        let now = timer.now();
        for at in [Some(now), now.checked_sub(Duration::from_millis(1))].into_iter().flatten() {
            step("a sleep until now, or before");
            timer.sleep_until(at).await;
        }
        let mut late = timer.sleep_until(now + Duration::from_millis(1));
        before(&["W63"], "a sleep ends");
        timer.sleep_until(now + Duration::from_millis(3)).await;
        step("a sleep whose instant is over before its first poll");
        poll_fn(|cx| late.as_mut().poll(cx)).await;
    });
}

/// The latest instant that there is, more or less.
fn far(now: Instant) -> Instant {
    let mut seconds = u64::MAX >> 1;
    loop {
        match now.checked_add(Duration::from_secs(seconds)) {
            Some(far) => return far,
            None => seconds >>= 1,
        }
    }
}

fn r63_instants_beyond_all_clocks(fixture: &mut Fixture) {
    let timer = fixture.timer();
    fixture.drive(async {
        let now = timer.now();
        let far = [far(now), now + Duration::from_secs(3_000_000_000)];
        let mut sleeps = far.map(|at| timer.sleep_until(at));
        for _ in 0..4 {
            for sleep in &mut sleeps {
                let poll = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
                assert!(poll.is_pending(), "a sleep that should never end has ended");
            }
            step("a short sleep beside one without end");
            timer.sleep_until(timer.now() + Duration::from_micros(100)).await;
        }
    });
}

fn r67_latest_waker_counts(fixture: &mut Fixture) {
    let timer = fixture.timer();
    fixture.drive(long_enough(async |ahead| {
        let mut sleep = timer.sleep_until(timer.now() + ahead);
        let first = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        step("a sleep that was polled with another waker before");
        first.is_pending() && had_to_wait(sleep).await
    }));
}

fn r68_drop_releases_the_waker(fixture: &mut Fixture) {
    let (timer, wakes) = (fixture.timer(), Arc::new(Wakes(Counts::new())));
    fixture.drive(async {
        let waker = Waker::from(wakes.clone());
        let at = timer.now() + Duration::from_secs(3_600);
        let mut sleeps: Vec<_> = (0..50).map(|_| timer.sleep_until(at)).collect();
        for sleep in &mut sleeps {
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop((sleeps, waker));
        // A timer may look at what was dropped when it is next at work.
        for _ in 0..10 {
            if Arc::strong_count(&wakes) == 1 {
                break;
            }
            step("a short sleep after 50 were dropped");
            timer.sleep_until(timer.now() + Duration::from_millis(1)).await;
        }
        assert_eq!(Arc::strong_count(&wakes) - 1, 0, "the wakers of dropped sleeps are kept");
        assert_eq!(wakes.0.polls(), 0, "a dropped sleep called its waker");
    });
}

fn r69_any_executor_any_thread(fixture: &mut Fixture) {
    let (timer, clock, counts) = (fixture.timer(), fixture.clock(), Counts::new());
    let wakes = Arc::new(Wakes(counts.clone()));
    fixture.drive(async {
        let (timer, waker) = (timer.clone(), Waker::from(wakes.clone()));
        step("a sleep is made and polled on a foreign thread");
        let thread = outside(move || {
            let mut sleep = timer.sleep_until(timer.now() + Duration::from_millis(3));
            let poll = sleep.as_mut().poll(&mut Context::from_waker(&waker));
            (sleep, poll)
        });
        let (mut sleep, poll) = thread.join().expect("a sleep does not panic");
        if poll.is_pending() {
            clock.until("the wake of a sleep on a foreign thread", || counts.polls() > 0).await;
            let thread =
                outside(move || sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())));
            assert!(
                thread.join().expect("no panic").is_ready(),
                "a sleep called its waker and is not ready"
            );
        }
    });
}

fn w61_time_does_not_go_back(fixture: &mut Fixture) {
    let timer = fixture.timer();
    fixture.drive(async {
        let mut last = timer.now();
        for _ in 0..many(10_000) {
            let now = timer.now();
            assert!(now >= last, "{:?} back", last - now);
            last = now;
        }
    });
}

fn w62_sleeps_begin_before_the_first_poll(fixture: &mut Fixture) {
    let timer = fixture.timer();
    fixture.drive(async {
        let (first, second) = (timer.now(), Duration::from_millis(6));
        let mut late = timer.sleep_until(first + second);
        timer.sleep_until(first + second + Duration::from_millis(1)).await;
        step("a sleep that is polled first when its instant is over");
        let poll = poll_fn(|cx| Poll::Ready(late.as_mut().poll(cx))).await;
        assert!(poll.is_ready(), "a sleep whose instant is over still waits");
    });
}
