//! W1: the waker itself: its clones, which task it wakes, from where it may be used.

use super::probe::Probe;
use crate::fixture::{Fixture, first, many, outside, pump, step, until};
use crate::probe::Counts;
use crate::rule::rules;
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

rules! { "waker":
    Must w11_all_ways_to_wake_are_one []
        "Some code wakes by value, some by reference, most a clone."
        "`wake` and `wake_by_ref` are two functions, and only one of them works";
    Should w12_clones_will_wake_each_other []
        "Combinators keep the waker that they have if it wakes the same task."
        "each poll makes a new waker, or the vtable is not one static";
    Must w13_a_waker_wakes_its_own_task []
        "Two tasks that wait for two things have two wakers."
        "the waker knows the place of the task and not the task; another task has taken the place";
    Must w14_wake_from_a_destructor_and_in_a_panic []
        "Guards wake in their destructors, also while a thread unwinds or ends."
        "`wake` reads a thread-local value that may be gone, or gives up on a panicking thread";
    Must w15_clones_are_independent []
        "A waker may be dropped long before its clone is used."
        "the first waker that is dropped drops the task";
    Must w16_wakes_of_several_threads_at_once []
        "Children end on all threads at once."
        "two wakes race for one place in the queue, and both leave it to the other";
    Must w18_clones_wake_the_same_task []
        "A waker is cloned again and again, from place to place."
        "`clone` reads the task from the wrong place, or counts in too few bits";
    Must w17_an_older_waker_wakes_as_well []
        "A task that was polled twice has given away two wakers."
        "only the waker of the latest poll counts";
}

fn w11_all_ways_to_wake_are_one(fixture: &mut Fixture) {
    type Way = (&'static str, fn(Waker));
    let ways: [Way; 5] = [
        ("by value", Waker::wake),
        ("by reference", |waker| waker.wake_by_ref()),
        ("a clone by value", |waker| {
            let clone = waker.clone();
            clone.wake();
        }),
        ("a clone of a clone, by reference", |waker| {
            let (first, second) = (waker.clone(), waker.clone().clone());
            drop((waker, first));
            second.wake_by_ref();
        }),
        ("on another thread", |waker| {
            outside(move || waker.wake()).join().expect("wake does not panic");
        }),
    ];
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        for (way, wake) in ways {
            let polls = probe.polls();
            wake(probe.waker());
            until(&format!("the poll after a wake {way}"), || probe.polls() > polls).await;
        }
        let own: [Way; 2] = [ways[0], ways[1]];
        for (way, wake) in own {
            let (counts, guarded) = (Counts::new(), Counts::new());
            let (guard, count, mut left) = (guarded.guard(), counts.clone(), 3);
            runtime.run(poll_fn(move |cx| {
                let _ = &guard;
                count.polled();
                left -= 1;
                if left == 0 {
                    return Poll::Ready(());
                }
                wake(cx.waker().clone());
                Poll::Pending
            }));
            first("the first poll", || counts.polls() > 0).await;
            let what = format!("the poll after a wake {way}, in the task's own poll");
            until(&what, || guarded.drops() == 1).await;
        }
    });
}

fn w12_clones_will_wake_each_other(fixture: &mut Fixture) {
    let (runtime, one, other) = (fixture.runtime(), Probe::new(), Probe::new());
    fixture.drive(async {
        runtime.run(one.future());
        runtime.run(other.future());
        first("both are polled", || one.polls() > 0 && other.polls() > 0).await;
        let first = one.waker();
        assert!(first.will_wake(&first.clone()), "`will_wake` is false for a clone");
        assert!(!first.will_wake(&other.waker()), "`will_wake` is true between two tasks");
        for _ in 0..4 {
            let polls = one.polls();
            one.waker().wake();
            until("it is polled again", || one.polls() > polls).await;
            assert!(
                first.will_wake(&one.waker()),
                "`will_wake` is false between two polls of a task"
            );
        }
        one.finish();
        other.finish();
        until("both are dropped", || one.drops() + other.drops() == 2).await;
    });
}

fn w13_a_waker_wakes_its_own_task(fixture: &mut Fixture) {
    let (runtime, number) = (fixture.runtime(), many(50));
    fixture.drive(async {
        let probes: Vec<_> = (0..number).map(|_| Probe::new()).collect();
        probes.iter().for_each(|probe| runtime.run(probe.future()));
        first("all are polled", || probes.iter().all(|probe| probe.polls() > 0)).await;
        // One ends; another may move into its place.
        let kept = probes[0].waker();
        probes[0].finish();
        until("the first is dropped", || probes[0].drops() == 1).await;
        let newcomer = Probe::new();
        runtime.run(newcomer.future());
        until("the newcomer is polled", || newcomer.polls() > 0).await;
        kept.wake();
        for probe in probes[1..].iter().rev() {
            let polls = probe.polls();
            probe.waker().wake();
            until("the one that was woken is polled", || probe.polls() > polls).await;
        }
    });
}

fn w18_clones_wake_the_same_task(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    fixture.drive(async {
        let probes = [Probe::new(), Probe::new(), Probe::new()];
        probes.iter().for_each(|probe| runtime.run(probe.future()));
        first("all are polled", || probes.iter().all(|probe| probe.polls() > 0)).await;
        for probe in &probes {
            // Each is made of the last, and all are there at once.
            let mut clones = vec![probe.waker()];
            for at in 0..300 {
                let last: &Waker = &clones[at];
                clones.push(last.clone());
            }
            for (at, clone) in clones.into_iter().enumerate().rev().step_by(60) {
                let polls = probe.polls();
                clone.wake();
                let what = format!("the poll after a wake by a clone, number {at} in a row");
                until(&what, || probe.polls() > polls).await;
            }
        }
    });
}

struct WakesInDrop(Option<Waker>);

impl Drop for WakesInDrop {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

thread_local! {
    static LAST: RefCell<WakesInDrop> = const { RefCell::new(WakesInDrop(None)) };
}

fn w14_wake_from_a_destructor_and_in_a_panic(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        let (polls, wakes) = (probe.polls(), WakesInDrop(Some(probe.waker())));
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _wakes = wakes;
            panic!("on purpose");
        }));
        assert!(unwound.is_err());
        until("the poll after a wake while a thread unwinds", || probe.polls() > polls).await;
        let (polls, waker) = (probe.polls(), probe.waker());
        let thread = outside(move || LAST.with_borrow_mut(|last| last.0 = Some(waker)));
        thread.join().expect("wake does not panic");
        until("the poll after a wake at a thread's end", || probe.polls() > polls).await;
        probe.finish();
        until("the task is dropped", || probe.drops() == 1).await;
    });
}

fn w15_clones_are_independent(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        let clones: Vec<_> = (0..10).map(|_| probe.waker()).collect();
        let last = probe.waker();
        probe.forget_waker();
        drop(clones);
        pump(&runtime).await;
        assert_eq!(probe.drops(), 0, "the task was dropped with a clone of its waker");
        step("the last clone wakes");
        probe.ends();
        last.wake();
        until("the task is dropped", || probe.drops() == 1).await;
    });
}

fn w16_wakes_of_several_threads_at_once(fixture: &mut Fixture) {
    let (runtime, counts, each) = (fixture.runtime(), Counts::new(), many(300));
    fixture.drive(async {
        for round in 0..10 {
            let (guard, before) = (counts.guard(), counts.drops());
            let (arrived, mut threads) = (Arc::new(AtomicUsize::new(0)), Vec::new());
            runtime.run(poll_fn(move |cx| {
                let _ = &guard;
                let first = threads.is_empty();
                while threads.len() < 3 {
                    let (waker, arrived) = (cx.waker().clone(), arrived.clone());
                    threads.push(Some(outside(move || {
                        for _ in 0..each {
                            arrived.fetch_add(1, Ordering::SeqCst);
                            waker.wake_by_ref();
                        }
                    })));
                }
                if first && round % 2 == 0 {
                    // All of them come during this poll.
                    let threads = threads.iter_mut().filter_map(Option::take);
                    threads.for_each(|thread| thread.join().expect("wake does not panic"));
                    return Poll::Pending;
                }
                match arrived.load(Ordering::SeqCst) == 3 * each {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }));
            until("the last of many wakes leads to a poll", || counts.drops() > before).await;
        }
    });
}

fn w17_an_older_waker_wakes_as_well(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("the first poll", || probe.polls() > 0).await;
        let first = probe.waker();
        for _ in 0..5 {
            let polls = probe.polls();
            probe.waker().wake();
            until("the next poll", || probe.polls() > polls).await;
        }
        let polls = probe.polls();
        first.wake();
        until("the poll after a wake by the first waker", || probe.polls() > polls).await;
        probe.finish();
        until("the task is dropped", || probe.drops() == 1).await;
    });
}
