//! R9: that every task gets a turn, and how many tasks can be there.

use super::probe::{Flag, Probe};
use crate::fixture::{
    Fixture, OnRuntime, Progress, before, first, had_to_wait, inside, is_inside, long_enough, many,
    moment, outside_later, settles, step, taken_until, turn, until,
};
use crate::probe::{Counts, Gate};
use crate::rule::rules;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

rules! { "fairness":
    Must r91_self_wakers_do_not_stop_others []
        "A child that polls for something must not stop its siblings."
        "a task that woke itself is polled again at once, or put at the front";
    Must r92_pairs_that_wake_each_other_do_not []
        "Two children that play ping-pong must not stop their siblings."
        "a slot for the task that was woken last, which is served first without limit";
    Must r93_a_hundred_thousand_waiting_tasks []
        "A server has a child for each connection."
        "an index of 16 bits, or a list that is searched at every wake";
    Must r95_busy_tasks_do_not_stop_the_root []
        "The body of a nursery can stop it."
        "the driver empties the queue before it looks at the root";
    Must r96_busy_tasks_do_not_stop_the_timer [RealClock]
        "A deadline is meant for tasks that are busy."
        "the timer is looked at only when there is nothing to run";
    Must r97_busy_tasks_do_not_stop_foreign_spawns []
        "New work comes from outside: connections, signals."
        "a worker looks into the queue of foreign threads only when its own is empty";
    Must r94_a_blocked_thread_keeps_no_task [TwoThreads]
        "A child that blocks its thread must not stop those that another thread could poll."
        "a thread takes several tasks at once, and no other can take them from it";
    Must r99_chains_of_spawns_do_not_stop_others []
        "A child that ends and starts the next must not stop its siblings."
        "what a task spawns is put at the front of the queue, or in a slot that is served first";
    Must r98_busy_root_does_not_stop_tasks []
        "A body that polls for something waits for its children."
        "a root that woke itself is polled again at once";
}

/// For how long at least a root must keep on before it can be said to stop a task.
const PATIENCE: Duration = Duration::from_secs(2);

/// Keeps every thread busy with tasks that wake themselves, until the flag is up.
fn busy(runtime: &OnRuntime, stop: &Flag, counts: &Counts) {
    for _ in 0..=runtime.threads().min(8) {
        let (stop, guard) = (stop.clone(), counts.guard());
        runtime.run(async move {
            while !stop.is_up() {
                turn().await;
            }
            drop(guard);
        });
    }
}

/// Raises the flag also if the rule fails, so that the runtime can end.
struct Stops(Flag);

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.raise();
    }
}

async fn all_stop(runtime: &OnRuntime, stop: &Flag, counts: &Counts) {
    stop.raise();
    let number = runtime.threads().min(8) + 1;
    until("the busy tasks stop", || counts.drops() == number).await;
}

fn r91_self_wakers_do_not_stop_others(fixture: &mut Fixture) {
    let (runtime, stop, counts) = (fixture.runtime(), Flag::default(), Counts::new());
    let _stops = Stops(stop.clone());
    let gates = [Gate::new(), Gate::new()];
    let progress = Progress::current();
    let other = |gate: &Gate| {
        let (opens, progress) = (gate.clone(), progress.clone());
        runtime.run(async move {
            for _ in 0..10 {
                turn().await;
            }
            progress.before(&["R95"], "the root is polled beside busy tasks");
            opens.open();
        });
    };
    fixture.drive(async {
        other(&gates[0]);
        busy(&runtime, &stop, &counts);
        other(&gates[1]);
        for (gate, which) in gates.iter().zip(["before", "after"]) {
            step(&format!("a task that was spawned {which} some that wake themselves for ever"));
            gate.wait().await;
        }
        all_stop(&runtime, &stop, &counts).await;
    });
}

fn r92_pairs_that_wake_each_other_do_not(fixture: &mut Fixture) {
    let (runtime, stop, counts) = (fixture.runtime(), Flag::default(), Counts::new());
    let _stops = Stops(stop.clone());
    let pairs = runtime.threads().min(8) + 1;
    fixture.drive(async {
        for _ in 0..pairs {
            let (one, other) = (Probe::new(), Probe::new());
            for (own, peer) in [(&one, &other), (&other, &one)] {
                let (future, peer) = (own.future(), peer.clone());
                let (stop, guard) = (stop.clone(), counts.guard());
                let mut future = Box::pin(future);
                runtime.run(std::future::poll_fn(move |cx| {
                    let _ = &guard;
                    // Asked once, before the wake: the other may be polled, and wait again, before
                    // this poll ends.
                    let stops = stop.is_up();
                    let _ = std::future::Future::poll(future.as_mut(), cx);
                    if peer.polls() > 0 {
                        peer.waker().wake();
                    }
                    if stops { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                }));
            }
        }
        for _ in 0..4 {
            let gate = Gate::new();
            let opens = gate.clone();
            runtime.run(async move {
                turn().await;
                opens.open();
            });
            step("a task beside pairs that wake each other for ever");
            gate.wait().await;
        }
        stop.raise();
        // What this rule is about is over: a worker that goes to sleep may miss one (`taken_until`).
        taken_until(&runtime, "the pairs stop", || counts.drops() == 2 * pairs).await;
    });
}

fn r93_a_hundred_thousand_waiting_tasks(fixture: &mut Fixture) {
    let (runtime, number) = (fixture.runtime(), many(100_000));
    let (gate, waiting, over) = (Gate::new(), Counts::new(), Counts::new());
    fixture.drive(async {
        for _ in 0..number {
            let (gate, waiting, guard) = (gate.clone(), waiting.clone(), over.guard());
            runtime.run(async move {
                waiting.polled();
                gate.wait().await;
                drop(guard);
            });
        }
        until("all wait", || waiting.polls() == number).await;
        gate.open();
        until("all are dropped", || over.drops() == number).await;
    });
}

fn r95_busy_tasks_do_not_stop_the_root(fixture: &mut Fixture) {
    let (runtime, stop, counts) = (fixture.runtime(), Flag::default(), Counts::new());
    let _stops = Stops(stop.clone());
    fixture.drive(async {
        busy(&runtime, &stop, &counts);
        step("the root beside tasks that wake themselves for ever");
        for _ in 0..10 {
            turn().await;
        }
        all_stop(&runtime, &stop, &counts).await;
    });
}

fn r96_busy_tasks_do_not_stop_the_timer(fixture: &mut Fixture) {
    let (runtime, timer) = (fixture.runtime(), fixture.timer());
    let (stop, counts) = (Flag::default(), Counts::new());
    let _stops = Stops(stop.clone());
    fixture.drive(async {
        busy(&runtime, &stop, &counts);
        step("a sleep beside tasks that wake themselves for ever");
        long_enough(async |ahead| had_to_wait(timer.sleep_until(timer.now() + ahead)).await).await;
        all_stop(&runtime, &stop, &counts).await;
    });
}

/// Spawns the next of its kind and ends.
fn chain(runtime: OnRuntime, stop: Flag, counts: &Counts) {
    let (guard, counts) = (counts.guard(), counts.clone());
    let spawner = runtime.clone();
    let next = async move {
        // Polled inside of the spawn, which is legal, it gives back its turn: no stack would do.
        while is_inside() {
            turn().await;
        }
        if !stop.is_up() {
            chain(runtime, stop, &counts);
            counts.polled();
        }
        drop(guard);
    };
    inside(|| spawner.run(next));
}

fn r99_chains_of_spawns_do_not_stop_others(fixture: &mut Fixture) {
    let (runtime, stop, counts) = (fixture.runtime(), Flag::default(), Counts::new());
    let _stops = Stops(stop.clone());
    fixture.drive(async {
        let waits = Probe::new();
        runtime.run(waits.future());
        first("a task waits", || waits.polls() > 0).await;
        step("the root beside tasks that spawn the next of their kind for ever");
        for _ in 0..=runtime.threads().min(8) {
            chain(runtime.clone(), stop.clone(), &counts);
        }
        while counts.polls() < 10 {
            turn().await;
        }
        for _ in 0..4 {
            let polls = waits.polls();
            waits.waker().wake();
            let what = "a task that was woken, beside tasks that spawn the next for ever";
            until(what, || waits.polls() > polls).await;
            let other = Counts::new();
            let count = other.clone();
            runtime.run(async move {
                turn().await;
                count.polled();
            });
            let what = "a task that was spawned, beside tasks that spawn the next for ever";
            until(what, || other.polls() > 0).await;
        }
    });
}

fn r94_a_blocked_thread_keeps_no_task(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    fixture.drive(async {
        for round in 0..20 {
            let (gate, begun, over) = (Gate::new(), Counts::new(), Counts::new());
            let blocks = Arc::new(AtomicBool::new(true));
            for _ in 0..10 {
                let (gate, begun, over) = (gate.clone(), begun.clone(), over.clone());
                let blocks = blocks.clone();
                runtime.run(async move {
                    begun.polled();
                    if round % 2 == 1 {
                        gate.wait().await;
                    }
                    // The first blocks its thread, until all but one of the others are over: a
                    // runtime may keep one for that thread.
                    if blocks.swap(false, SeqCst) {
                        settles("others end beside a task that blocks its thread", || {
                            over.polls() >= 8
                        });
                    }
                    over.polled();
                });
            }
            if round % 2 == 1 {
                first("all wait", || begun.polls() == 10).await;
                gate.open();
            }
            let what = "tasks in the queue are polled while one blocks its thread";
            taken_until(&runtime, what, || over.polls() == 10).await;
        }
    });
}

fn r97_busy_tasks_do_not_stop_foreign_spawns(fixture: &mut Fixture) {
    let (runtime, stop, counts, gate) =
        (fixture.runtime(), Flag::default(), Counts::new(), Gate::new());
    let _stops = Stops(stop.clone());
    fixture.drive(async {
        busy(&runtime, &stop, &counts);
        let (spawner, opens) = (runtime.clone(), gate.clone());
        let thread = outside_later(move || spawner.run(async move { opens.open() }));
        step("a task of a foreign thread beside some that wake themselves for ever");
        gate.wait().await;
        thread.join().expect("spawn does not panic");
        all_stop(&runtime, &stop, &counts).await;
    });
}

fn r98_busy_root_does_not_stop_tasks(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    fixture.drive(async {
        for _ in 0..20 {
            let (counts, begun, mut turns) = (Counts::new(), Instant::now(), 0);
            let count = counts.clone();
            runtime.run(async move { count.polled() });
            step("a task beside a root that wakes itself");
            while counts.polls() == 0 && (turns < 20_000 || begun.elapsed() < PATIENCE) {
                turns += 1;
                turn().await;
            }
            if counts.polls() == 0 {
                // If it is not polled beside a root that sleeps either, something else is broken.
                before(&["R18", "R13"], "a task beside a root that sleeps");
                for _ in 0..300 {
                    moment().await;
                }
                assert!(counts.polls() > 0, "a task is not polled, whatever the root does");
                step("a task beside a root that wakes itself");
                panic!("a task was polled only when the root had ceased to wake itself");
            }
        }
    });
}
