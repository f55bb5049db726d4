//! R1: spawning.

use super::probe::{Flag, Kept, Probe};
use crate::fixture::{
    Fixture, OnRuntime, Progress, WAYS, before, first, inside, many, moment, outside,
    outside_later, step, turn, turn_by, until,
};
use crate::probe::{Counts, Gate};
use crate::rule::rules;
use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;

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
        "a spawn by the root or by a task does not wake the threads that sleep, or does not count as something to do";
    Must r10_spawns_of_one_poll_are_all_kept []
        "A child starts thousands of siblings at once."
        "a worker's own queue has a fixed size, and what does not fit is not put in the shared one";
    Must r19_first_poll_needs_no_wake []
        "Before its first poll, a task has given away no waker."
        "`spawn` queues nothing or wakes no thread, or a task begins as not runnable";
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

fn r10_spawns_of_one_poll_are_all_kept(fixture: &mut Fixture) {
    let (runtime, counts, number) = (fixture.runtime(), Counts::new(), many(5_000));
    fixture.drive(async {
        let (spawner, count) = (runtime.clone(), counts.clone());
        before(&["R17", "R14"], "a task spawns 5,000 others in one poll");
        runtime.run(async move {
            (0..number).for_each(|_| guarded(&spawner, &count));
            count.polled();
        });
        while counts.polls() == 0 {
            turn().await;
        }
        until("all that one poll has spawned are dropped", || counts.drops() == number).await;
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
    let (runtime, over) = (fixture.runtime(), Flag::default());
    fixture.drive(async {
        let (spawner, ends) = (runtime.clone(), over.clone());
        runtime.run(async move {
            let thread = outside(move || (0..500).for_each(|_| spawner.run(async {})));
            thread.join().expect("spawn does not panic");
            ends.raise();
        });
        until("a poll ends that waits for 500 spawns elsewhere", || over.is_up()).await;
    });
}

/// Waits asleep until the flag is up; what raises it wakes the root then.
async fn asleep_until(flag: &Flag, root: &Kept) {
    poll_fn(|cx| {
        root.put(cx.waker().clone());
        if flag.is_up() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn r18_spawn_wakes_the_driver(fixture: &mut Fixture) {
    let (runtime, progress) = (fixture.runtime(), Progress::current());
    fixture.drive(async {
        for _ in 0..10 {
            let (polled, root) = (Flag::default(), Kept::default());
            let child = (polled.clone(), root.clone());
            runtime.run(async move { raise(&child) });
            step("the root has spawned a task and sleeps");
            asleep_until(&polled, &root).await;
            let (polled, root, begun) = (Flag::default(), Kept::default(), Flag::default());
            for way in WAYS {
                let (child, begins) = ((polled.clone(), root.clone()), begun.clone());
                let (spawner, progress) = (runtime.clone(), progress.clone());
                runtime.run(async move {
                    begins.raise();
                    // Until the root sleeps, and not for ever.
                    let mut turns = 0;
                    while turns < 10_000 && !child.1.is_there() {
                        turns += 1;
                        turn_by(way).await;
                    }
                    progress.before(&["R14", "R17"], "a task spawns another");
                    spawner.run(async move { raise(&child) });
                    progress.takes("a task has spawned another, and the root sleeps");
                });
            }
            first("a task runs", || begun.is_up()).await;
            asleep_until(&polled, &root).await;
        }
    });
}

/// Notes that a task was polled, and wakes the root.
fn raise((polled, root): &(Flag, Kept)) {
    polled.raise();
    if let Some(root) = root.take() {
        root.wake();
    }
}

fn r19_first_poll_needs_no_wake(fixture: &mut Fixture) {
    let (runtime, counts, mut turns) = (fixture.runtime(), Counts::new(), 0_u64);
    fixture.drive(async {
        step("the first poll of a task");
        // Beside a root that is busy and then sleeps, and more of them: that a spawn ends a sleep,
        // and that a busy root stops no task, is the matter of other rules.
        while counts.polls() == 0 {
            turns += 1;
            if turns.is_power_of_two() {
                let counts = counts.clone();
                runtime.run(async move { counts.polled() });
            }
            if turns % 1_024 == 0 { moment().await } else { turn().await }
        }
    });
}
