//! R1: spawning.

use super::probe::Probe;
use crate::fixture::{Fixture, OnRuntime, inside, many, outside, outside_later, step, turn, until};
use crate::probe::{Counts, Gate};
use crate::rule::rules;
use std::hint::black_box;

rules! { "spawn":
    Must r11_spawned_is_polled_or_dropped []
        "A child that its runtime forgets is never home: its nursery waits for ever."
        "a queue of fixed size that drops what does not fit, or a task that is not put in it";
    Should r12_spawn_does_not_poll_inline []
        "The caller of `spawn` may hold a lock that the task takes."
        "`spawn` polls the task once, to save the way through the queue";
    Must r13_spawn_from_a_foreign_thread []
        "A nursery's handle is used from any thread."
        "`spawn` queues the task and does not wake the threads that sleep";
    Must r14_spawn_in_poll_and_in_drop []
        "Children spawn siblings; destructors do too."
        "the queue's lock is held while a task is polled or dropped";
    Should r15_polls_have_stack []
        "Children are ordinary code, with ordinary depth."
        "worker threads with small stacks";
    Must r16_spawns_of_several_threads_at_once []
        "Children of several threads spawn at once."
        "the end of the queue is read and written without a lock";
    Must r17_spawn_does_not_wait_for_a_poll []
        "The task that is being polled may wait for the caller of `spawn`."
        "a lock that is held while polling, or a bounded queue that waits for room";
    Must r18_spawn_wakes_the_driver []
        "The body of a nursery spawns and then waits for its children."
        "a spawn on the driver's own thread does not count as something to do";
    Must r19_first_poll_needs_no_wake []
        "Before its first poll, a task has given away no waker."
        "`spawn` queues nothing, or a task begins as not runnable";
}

fn guarded(runtime: &OnRuntime, counts: &Counts) {
    let guard = counts.guard();
    runtime.run(async move { drop(guard) });
}

fn r11_spawned_is_polled_or_dropped(fixture: &mut Fixture) {
    let (runtime, counts, number) = (fixture.runtime(), Counts::new(), many(10_000));
    fixture.drive(async {
        (0..number).for_each(|_| guarded(&runtime, &counts));
        until("all tasks are dropped", || counts.drops() == number).await;
    });
}

fn r12_spawn_does_not_poll_inline(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    fixture.drive(async {
        for _ in 0..20 {
            let probe = Probe::new();
            probe.ends();
            inside(|| runtime.run(probe.future()));
            until("the task is dropped", || probe.drops() == 1).await;
            assert!(!probe.polled_inside(), "spawn polled on the caller's stack");
        }
    });
}

fn r13_spawn_from_a_foreign_thread(fixture: &mut Fixture) {
    let (runtime, gate) = (fixture.runtime(), Gate::new());
    fixture.drive(async {
        let (runtime, opens) = (runtime.clone(), gate.clone());
        let thread = outside_later(move || runtime.run(async move { opens.open() }));
        step("the root waits for a task that a foreign thread spawns");
        gate.wait().await;
        thread.join().expect("spawn does not panic");
    });
}

struct SpawnsInDrop(OnRuntime, Counts);

impl Drop for SpawnsInDrop {
    fn drop(&mut self) {
        guarded(&self.0, &self.1);
    }
}

fn r14_spawn_in_poll_and_in_drop(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {
        for _ in 0..10 {
            let (spawner, counts) = (runtime.clone(), counts.clone());
            runtime.run(async move {
                for _ in 0..10 {
                    let last = SpawnsInDrop(spawner.clone(), counts.clone());
                    spawner.run(async move { drop(last) });
                }
            });
        }
        until("100 tasks, each spawned in a destructor, are dropped", || counts.drops() == 100)
            .await;
    });
}

/// Uses some 4 KiB a level.
fn deep(levels: usize) -> usize {
    let room = black_box([levels; 512]);
    if levels == 0 { 0 } else { deep(levels - 1) + room[levels % 512] - levels + 1 }
}

fn r15_polls_have_stack(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {
        let guard = counts.guard();
        runtime.run(async move {
            assert_eq!(deep(60), 60);
            drop(guard);
        });
        until("a task that uses 256 KiB of stack ends", || counts.drops() == 1).await;
    });
}

fn r16_spawns_of_several_threads_at_once(fixture: &mut Fixture) {
    let (runtime, counts, each) = (fixture.runtime(), Counts::new(), many(1_000));
    fixture.drive(async {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (runtime, counts) = (runtime.clone(), counts.clone());
                outside(move || (0..each).for_each(|_| guarded(&runtime, &counts)))
            })
            .collect();
        until("the tasks of 3 threads are dropped", || counts.drops() == 3 * each).await;
        threads.into_iter().for_each(|thread| thread.join().expect("spawn does not panic"));
    });
}

fn r17_spawn_does_not_wait_for_a_poll(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {
        let (spawner, count) = (runtime.clone(), counts.clone());
        runtime.run(async move {
            let thread = outside(move || (0..500).for_each(|_| guarded(&spawner, &count)));
            thread.join().expect("spawn does not panic");
        });
        until("a poll ends that waits for 500 spawns elsewhere", || counts.drops() == 500).await;
    });
}

fn r18_spawn_wakes_the_driver(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    fixture.drive(async {
        for _ in 0..10 {
            let (gate, inner) = (Gate::new(), Gate::new());
            let (opens, spawner) = (gate.clone(), runtime.clone());
            // The root sleeps, and the one task that could run is spawned by another.
            runtime.run(async move {
                let open = inner.clone();
                spawner.run(async move { open.open() });
                inner.wait().await;
                opens.open();
            });
            step("the root waits for a task that waits for a task");
            gate.wait().await;
        }
    });
}

fn r19_first_poll_needs_no_wake(fixture: &mut Fixture) {
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    fixture.drive(async {
        runtime.run(probe.future());
        until("the first poll", || probe.polls() == 1).await;
        probe.finish();
        until("the task is dropped", || probe.drops() == 1).await;
        turn().await;
    });
}
