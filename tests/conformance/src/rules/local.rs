//! W2: tasks that stay on their thread.

use super::probe::{Flag, Kept, Probe};
use super::wake::woken_from_outside;
use crate::fixture::{Fixture, WAYS, inside, is_inside, many, outside, pump, step, turn, until};
use crate::probe::{Counts, Gate};
use crate::rule::rules;
use allhome_rt::{LocalTask, SpawnLocal};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};

rules! { "local":
    Must w21_polled_at_home_only [Local]
        "To poll a future that is not `Send` on another thread is undefined behaviour."
        "a wake from another thread polls there, or a worker takes the task";
    Must w22_dropped_at_home_only [Local]
        "A destructor may need its thread as much as a poll does."
        "the last waker, dropped elsewhere, drops the task";
    Must w23_wakes_lead_to_polls [Local]
        "A local task waits like any other."
        "local wakes go to a queue that the driver looks into only once";
    Must w24_spawn_in_poll_and_in_drop [Local]
        "Children spawn siblings; destructors do too."
        "the queue is borrowed while a task is polled or dropped";
    Must w25_dropped_at_the_end [Local, Shutdown]
        "A nursery waits for a local child as for any other."
        "local tasks and their queue point to each other";
    Must w26_wake_from_a_foreign_thread [Local]
        "Timers wake from threads of their own."
        "the local queue is not guarded, or its driver is not woken";
    Should w27_spawn_does_not_poll_inline [Local]
        "The caller of `spawn_local` may have borrowed what the task borrows."
        "`spawn_local` polls the task once";
    Must w20_local_self_wakers_do_not_stop_others [Local]
        "A local child that polls for something must not stop its siblings, nor the body."
        "a local task that woke itself is polled again at once, or the local queue is emptied first";
    Must w29_busy_tasks_do_not_stop_local_ones [Local]
        "Local children take turns with all others."
        "the local queue is looked at when the other is empty";
    Must w28_none_is_lost [Local]
        "A child that its runtime forgets is never home."
        "a queue of fixed size";
}

/// Where a value is dropped.
struct DropsAt(Kept<ThreadId>);

impl Drop for DropsAt {
    fn drop(&mut self) {
        self.0.put(thread::current().id());
    }
}

fn run(local: &Rc<dyn SpawnLocal>, future: impl Future<Output = ()> + 'static) {
    local.spawn_local(LocalTask::from_future(future));
}

fn w21_polled_at_home_only(fixture: &mut Fixture) {
    let local = fixture.local();
    let (home, left) = (thread::current().id(), Rc::new(Cell::new(20)));
    fixture.drive(async {
        let (own, strayed) = (left.clone(), Flag::default());
        let away = strayed.clone();
        run(
            &local,
            poll_fn(move |cx| {
                if thread::current().id() != home {
                    away.raise();
                }
                let waker = cx.waker().clone();
                drop(outside(move || waker.wake()));
                own.set(own.get() - 1);
                if own.get() == 0 { Poll::Ready(()) } else { Poll::Pending }
            }),
        );
        until("a local task that others wake ends", || left.get() == 0 || strayed.is_up()).await;
        assert!(!strayed.is_up(), "the task was polled on another thread");
    });
}

fn w22_dropped_at_home_only(fixture: &mut Fixture) {
    let (runtime, local) = (fixture.runtime(), fixture.local());
    let (home, place) = (thread::current().id(), Kept::default());
    fixture.drive(async {
        for round in 0..10 {
            let (drops, probe) = (DropsAt(place.clone()), Probe::new());
            let future = probe.future();
            run(&local, async move {
                let _drops = drops;
                future.await;
            });
            until("a local task waits", || probe.polls() > 0).await;
            let waker = probe.waker();
            probe.forget_waker();
            probe.ends();
            if round % 2 == 0 {
                // The last waker there is, dropped elsewhere: whether the task lives on is not
                // asked.
                outside(move || drop(waker)).join().expect("dropping a waker does not panic");
                pump(&runtime).await;
                let dropped = place.take();
                assert!(
                    dropped.is_none_or(|at| at == home),
                    "the task was dropped on another thread"
                );
                continue;
            }
            outside(move || waker.wake()).join().expect("wake does not panic");
            until("the local task is dropped", || probe.drops() == 1).await;
            assert_eq!(place.take(), Some(home), "the task was dropped on another thread");
        }
    });
}

fn w23_wakes_lead_to_polls(fixture: &mut Fixture) {
    let (local, probe, counts) = (fixture.local(), Probe::new(), Counts::new());
    fixture.drive(async {
        let guard = counts.guard();
        run(&local, async move {
            for _ in 0..100 {
                turn().await;
            }
            drop(guard);
        });
        until("a local task that wakes itself ends", || counts.drops() == 1).await;
        run(&local, probe.future());
        for polls in 1..20 {
            until("a local task is polled", || probe.polls() >= polls).await;
            probe.waker().wake();
        }
        until("the last of its polls", || probe.polls() >= 20).await;
        probe.finish();
        until("the local task is dropped", || probe.drops() == 1).await;
    });
}

struct SpawnsInDrop(Rc<dyn SpawnLocal>, Rc<Cell<usize>>);

impl Drop for SpawnsInDrop {
    fn drop(&mut self) {
        let done = self.1.clone();
        run(&self.0, async move { done.set(done.get() + 1) });
    }
}

fn w24_spawn_in_poll_and_in_drop(fixture: &mut Fixture) {
    let (local, done) = (fixture.local(), Rc::new(Cell::new(0)));
    fixture.drive(async {
        let (spawner, own) = (local.clone(), done.clone());
        run(&local, async move {
            for _ in 0..10 {
                let last = SpawnsInDrop(spawner.clone(), own.clone());
                run(&spawner, async move { drop(last) });
            }
        });
        until("10 tasks, each spawned in a destructor, end", || done.get() == 10).await;
    });
}

fn w25_dropped_at_the_end(fixture: &mut Fixture) {
    let probes: Vec<_> = (0..10).map(|_| Probe::new()).collect();
    let (home, place) = (thread::current().id(), Kept::default());
    let local = fixture.local();
    fixture.drive(async {
        for probe in &probes {
            let (drops, future) = (DropsAt(place.clone()), probe.future());
            run(&local, async move {
                let _drops = drops;
                future.await;
            });
        }
        until("local tasks wait", || probes.iter().all(|probe| probe.polls() > 0)).await;
    });
    let wakers: Vec<_> = probes.iter().map(Probe::waker).collect();
    drop(local);
    fixture.shut_down();
    assert!(probes.iter().all(|probe| probe.drops() == 1), "not all local tasks were dropped");
    assert_eq!(place.take(), Some(home), "the task was dropped on another thread");
    outside(move || wakers.into_iter().for_each(Waker::wake)).join().expect("no panic");
}

fn w26_wake_from_a_foreign_thread(fixture: &mut Fixture) {
    let (local, gate) = (fixture.local(), Gate::new());
    fixture.drive(async {
        WAYS.into_iter().for_each(|wake| run(&local, woken_from_outside(gate.clone(), wake)));
        step("all tasks wait for a wake from a foreign thread");
        gate.wait().await;
    });
}

fn w27_spawn_does_not_poll_inline(fixture: &mut Fixture) {
    let (local, inline) = (fixture.local(), Flag::default());
    fixture.drive(async {
        for _ in 0..10 {
            let (counts, seen) = (Counts::new(), inline.clone());
            let guard = counts.guard();
            inside(|| {
                run(&local, async move {
                    if is_inside() {
                        seen.raise();
                    }
                    drop(guard);
                });
            });
            until("the local task ends", || counts.drops() == 1).await;
        }
    });
    assert!(!inline.is_up(), "spawn_local polled on the caller's stack");
}

fn w28_none_is_lost(fixture: &mut Fixture) {
    let (local, counts, number) = (fixture.local(), Counts::new(), many(5_000));
    fixture.drive(async {
        for _ in 0..number {
            let guard = counts.guard();
            run(&local, async move { drop(guard) });
        }
        until("all local tasks are dropped", || counts.drops() == number).await;
    });
}

/// Runs local tasks that wake themselves until the flag is up.
fn busy(local: &Rc<dyn SpawnLocal>, stop: &Flag) {
    for _ in 0..2 {
        let stop = stop.clone();
        run(local, async move {
            while !stop.is_up() {
                turn().await;
            }
        });
    }
}

fn w20_local_self_wakers_do_not_stop_others(fixture: &mut Fixture) {
    let (runtime, local, stop) = (fixture.runtime(), fixture.local(), Flag::default());
    let (other, counts) = (Flag::default(), Counts::new());
    fixture.drive(async {
        busy(&local, &stop);
        let raises = other.clone();
        run(&local, async move {
            for _ in 0..10 {
                turn().await;
            }
            raises.raise();
        });
        until("a local task beside some that wake themselves for ever", || other.is_up()).await;
        let guard = counts.guard();
        runtime.run(async move { drop(guard) });
        let what = "a task beside local ones that wake themselves for ever";
        until(what, || counts.drops() == 1).await;
        stop.raise();
    });
}

fn w29_busy_tasks_do_not_stop_local_ones(fixture: &mut Fixture) {
    let (runtime, local, stop) = (fixture.runtime(), fixture.local(), Flag::default());
    let over = Flag::default();
    fixture.drive(async {
        for _ in 0..=runtime.threads().min(8) {
            let stop = stop.clone();
            runtime.run(async move {
                while !stop.is_up() {
                    turn().await;
                }
            });
        }
        let raises = over.clone();
        run(&local, async move {
            turn().await;
            raises.raise();
        });
        until("a local task beside tasks that wake themselves for ever", || over.is_up()).await;
        stop.raise();
    });
}
