//! W4: that the candidate is what it says. These come first: if one fails, the others mean little.

use super::probe::{Kept, Probe};
use crate::candidate::Capabilities;
use crate::fixture::{
    Fixture, before, first, many, moment, outside, pump, settles, step, taken_until, turn, until,
};
use crate::probe::Counts;
use crate::rule::{Need, rules};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

rules! { "claims":
    Must w41_is_started []
        "Each rule begins with a fresh runtime."
        "the function that starts the candidate panics, or waits for something that does not come";
    Must w42_drives_its_root []
        "A nursery is driven by its root."
        "`block_on` does not poll the root, goes on when it is ready, or returns when it waits";
    Must w43_has_what_it_declares []
        "A capability that is missing would fail later, with a worse message; one that is not declared is not tested."
        "the capabilities that the candidate declares are not those of its runtime";
    Must w44_polls_as_many_at_once_as_it_says []
        "A nursery keeps as many tasks ready as `threads` says."
        "`threads` counts threads that do not poll, or a lock is held while polling";
    Must w45_two_do_not_disturb_each_other []
        "A process may have several runtimes."
        "a queue, a flag or a waker in a static";
}

fn w41_is_started(fixture: &mut Fixture) {
    fixture.host();
}

fn w42_drives_its_root(fixture: &mut Fixture) {
    fixture.host();
    for _ in 0..3 {
        step("a root is driven that is ready at once");
        fixture.drive(async { step("the root is polled, and is ready") });
        step("the drive has returned");
    }
    before(&["W38", "W31"], "a root is driven that wakes itself");
    fixture.drive(async { turn().await });
    before(&["W31", "W32"], "a root is driven that waits for another thread");
    fixture.drive(async { moment().await });
    step("the drive has returned");
}

fn w43_has_what_it_declares(fixture: &mut Fixture) {
    let seen = Capabilities::seen(fixture.host());
    let need = Need::Local;
    match (fixture.declared.has(need), seen.has(need)) {
        (true, false) => panic!("the candidate declares {need}, but its host has none"),
        (false, true) => panic!("the candidate does not declare {need}, but its host has it"),
        _ => {}
    }
    let declared = fixture.declared.threads;
    assert_eq!(
        declared, seen.threads,
        "the candidate declares {declared} threads, but its host has {}",
        seen.threads
    );
    let told = fixture.host().runtime().threads();
    assert!(
        told >= declared,
        "the candidate declares {declared} threads, but `Spawn::threads` tells nurseries {told}: they keep \
         too few tasks ready, and a child that blocks its thread holds up others"
    );
    clock_is_what_it_says(fixture);
    jobs_are_where_it_says(fixture);
}

fn clock_is_what_it_says(fixture: &mut Fixture) {
    let (timer, declared) = (fixture.timer(), fixture.declared.virtual_clock);
    fixture.drive(async {
        step("the clock is looked at beside a root that is busy");
        let (begun, first) = (Instant::now(), timer.now());
        // Far more than any real clock needs to go on, and enough to see that it does.
        let patience = Duration::from_millis(if declared { 2 } else { 1_000 });
        while timer.now() == first && begun.elapsed() < patience {
            turn().await;
        }
        match (declared, timer.now() == first) {
            (true, false) => {
                panic!("the candidate declares virtual_clock, but its clock does not stand still")
            }
            (false, true) => {
                panic!("the candidate does not declare virtual_clock, but its clock stands still")
            }
            _ => {}
        }
    });
}

fn jobs_are_where_it_says(fixture: &mut Fixture) {
    let (runtime, declared) = (fixture.runtime(), fixture.declared.jobs_in_turn);
    let (place, counts, driver) = (Kept::default(), Counts::new(), thread::current().id());
    fixture.drive(async {
        let (guard, kept) = (counts.guard(), place.clone());
        runtime.job(move || {
            kept.put(thread::current().id());
            drop(guard);
        });
        until("a job is called", || counts.drops() == 1).await;
    });
    match (declared, place.take().map(|place| place == driver)) {
        (true, Some(false)) => {
            panic!("the candidate declares jobs_in_turn, but its jobs run on another thread")
        }
        (false, Some(true)) => {
            panic!("the candidate does not declare jobs_in_turn, but its driver calls jobs")
        }
        _ => {}
    }
}

fn w44_polls_as_many_at_once_as_it_says(fixture: &mut Fixture) {
    let (runtime, number) = (fixture.runtime(), fixture.host().threads());
    // One thread keeps this promise by polling at all. Of several, one that has not slept yet finds
    // what it was not woken for: so again and again, and with time to fall asleep.
    let rounds = if number == 1 { 1 } else { many(20) };
    fixture.drive(async {
        for _ in 0..rounds {
            let (arrived, counts) = (Arc::new(AtomicUsize::new(0)), Counts::new());
            // For the threads to fall asleep: it makes the fault likelier to be seen, and no result
            // depends on it.
            thread::sleep(Duration::from_millis(1));
            for _ in 0..number {
                let (arrived, done, guard) = (arrived.clone(), counts.clone(), counts.guard());
                runtime.run(async move {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    // Inside the poll, so that no other task is polled on this thread.
                    settles("the other tasks are polled meanwhile", || {
                        arrived.load(Ordering::SeqCst) == number
                    });
                    done.polled();
                    drop(guard);
                });
            }
            let what = format!("{number} tasks are polled at once");
            taken_until(&runtime, &what, || counts.drops() == number).await;
            assert_eq!(counts.polls(), number, "fewer were polled at once than `threads` says");
        }
    });
}

fn w45_two_do_not_disturb_each_other(fixture: &mut Fixture) {
    let mut other = fixture.another();
    let (runtime, probe, theirs) = (fixture.runtime(), Probe::new(), Probe::new());
    let their_runtime = other.runtime();
    fixture.drive(async {
        runtime.run(probe.future());
        first("a task of the first waits", || probe.polls() > 0).await;
    });
    other.drive(async {
        their_runtime.run(theirs.future());
        first("a task of the second waits", || theirs.polls() > 0).await;
    });
    other.shut_down();
    let waker = theirs.waker();
    outside(move || waker.wake()).join().expect("wake does not panic");
    assert_eq!(probe.drops(), 0, "the end of the second runtime dropped a task of the first");
    fixture.drive(async {
        probe.finish();
        until("the task of the first is dropped", || probe.drops() == 1).await;
        pump(&runtime).await;
    });
}
