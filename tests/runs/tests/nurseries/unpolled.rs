//! A nursery's times while its future is not polled: another arm of a `select!` runs.

use allhome::cancel::Level;
use allhome::{Builder, Nursery, cancelled, nursery, shield, sleep, yield_now};
use allhome_conformance::Counts;
use allhome_rt::Runtime;
use allhome_runs::{
    AtSpawn, Clock, Hold, Jobs, Manner, Opened, SECOND, Stepped, Wakes, poll_once, within, world,
};
use std::convert::Infallible;
use std::future::pending;
use std::task::Poll;
use std::thread;
use std::time::Duration;

/// Lets time pass, and the runtime do what it has, but not the nursery's future.
fn pass(stepped: &Stepped, clock: &Clock, by: Duration) {
    stepped.run_until_stalled();
    clock.advance(by);
    stepped.run_until_stalled();
}

fn worlds() -> impl Iterator<Item = (Stepped, Clock, Runtime)> {
    [1, 2, 4].into_iter().map(|threads| {
        let (stepped, clock) = (Stepped::new(threads), Clock::new());
        let runtime = clock.runtime(&stepped);
        (stepped, clock, runtime)
    })
}

/// Spawns one that waits in the nursery's queue, one that has a task of its own, and one that is
/// not polled before the time is over.
fn spawn_all(n: &Nursery<Infallible>, counts: &Counts) {
    for polls in [1, 100] {
        let guard = counts.guard();
        n.spawn(async move {
            let _guard = guard;
            for _ in 1..polls {
                yield_now().await;
            }
            pending().await
        });
    }
}

fn ends(stepped: &Stepped, clock: &Clock, mut opened: Opened<Infallible>) {
    let Poll::Ready(result) = opened.poll() else { panic!("all are home") };
    assert!(result.unwrap_err().is_timeout());
    assert_eq!(clock.sleeps(), 0, "a timer was not released");
    stepped.run_until_stalled();
    assert_eq!(stepped.tasks(), 0);
}

#[test]
fn t17_deadline_holds_for_the_children() {
    for (stepped, clock, runtime) in worlds() {
        let counts = Counts::new();
        let opened = Opened::new(nursery().on(runtime).deadline(SECOND));
        spawn_all(&opened.n, &counts);
        pass(&stepped, &clock, SECOND / 2);
        assert_eq!((counts.drops(), opened.n.is_cancelled()), (0, false));
        let wakes = opened.wakes.count();
        pass(&stepped, &clock, SECOND / 2);
        assert_eq!((counts.drops(), opened.n.level()), (2, Level::Cancelled));
        assert!(opened.wakes.count() > wakes, "the body is told when it is polled");
        ends(&stepped, &clock, opened);
    }
}

/// A child that computes in the only carrier's turn does not keep the others.
#[test]
fn t17_deadline_that_passes_during_a_poll() {
    for (stepped, clock, runtime) in worlds() {
        let counts = Counts::new();
        let opened = Opened::new(nursery().on(runtime).deadline(SECOND));
        spawn_all(&opened.n, &counts);
        let (computes, guard) = (clock.clone(), counts.guard());
        opened.n.spawn(async move {
            let _guard = guard;
            computes.advance(2 * SECOND);
            pending().await
        });
        stepped.run_until_stalled();
        assert_eq!(counts.drops(), 3);
        ends(&stepped, &clock, opened);
    }
}

/// The grace begins with the cancel, whatever cancels, and ends by the clock.
#[test]
fn t17_grace_ends() {
    for by_hand in [false, true] {
        for (stepped, clock, runtime) in worlds() {
            let counts = Counts::new();
            let builder = nursery().on(runtime).grace(SECOND);
            let builder = if by_hand { builder } else { builder.deadline(SECOND) };
            let mut opened = Opened::new(builder);
            spawn_all(&opened.n, &counts);
            stepped.run_until_stalled();
            if by_hand {
                opened.n.cancel();
            } else {
                pass(&stepped, &clock, SECOND);
            }
            pass(&stepped, &clock, SECOND / 2);
            assert_eq!((counts.drops(), opened.n.level()), (0, Level::Cancelled));
            pass(&stepped, &clock, SECOND / 2);
            assert_eq!((counts.drops(), opened.n.level()), (2, Level::Aborted));
            assert!(opened.poll().is_ready());
            assert_eq!(clock.sleeps(), 0);
        }
    }
}

#[test]
fn t17_grace_of_one_child_ends() {
    for (stepped, clock, runtime) in worlds() {
        let (counts, others) = (Counts::new(), Counts::new());
        let mut opened = Opened::new(nursery().on(runtime).grace(SECOND));
        spawn_all(&opened.n, &others);
        let guard = counts.guard();
        let child = opened.n.fork(async move {
            let _guard = guard;
            pending::<Result<(), _>>().await
        });
        stepped.run_until_stalled();
        child.cancel();
        pass(&stepped, &clock, SECOND / 2);
        assert_eq!(counts.drops(), 0);
        pass(&stepped, &clock, SECOND / 2);
        assert_eq!((counts.drops(), others.drops()), (1, 0));
        assert_eq!(clock.sleeps(), 0);
        opened.n.abort();
        assert!(opened.poll().is_ready());
    }
}

#[test]
fn t17_stuck_work_is_given_up() {
    within(|| {
        let (stepped, clock, jobs) = (Stepped::new(1), Clock::new(), Jobs::new());
        let builder = Runtime::builder("stepped", stepped.spawner());
        let runtime = builder.timer(clock.clone()).blocking(jobs.clone()).build();
        let mut opened = Opened::new(nursery().on(runtime).stuck_after(SECOND));
        let hold = Hold::new();
        let stay = hold.clone();
        let work = opened.n.blocking(move |_| {
            stay.stay();
            Ok(())
        });
        drop(work);
        let thread = thread::spawn(jobs.take().unwrap());
        hold.wait_entered();
        opened.n.cancel();
        assert_eq!(clock.sleeps(), 1, "it is counted without a poll");
        // The cancel has woken it, so it waits for a poll.
        assert!(opened.wakes.count() > 0);
        clock.advance(SECOND);
        let Poll::Ready(result) = opened.poll() else { panic!("the work is given up") };
        assert!(result.unwrap_err().to_string().contains("blocks its thread"));
        assert_eq!(clock.sleeps(), 0);
        hold.release();
        thread.join().unwrap();
        stepped.shutdown();
    });
}

/// A deadline that is moved counts from then on; one that is taken away does not.
#[test]
fn t17_deadline_that_is_moved() {
    for (stepped, clock, runtime) in worlds() {
        let counts = Counts::new();
        let opened = Opened::new(nursery().on(runtime).deadline(SECOND));
        spawn_all(&opened.n, &counts);
        let at = |seconds| Some(allhome_rt::Timer::now(&clock) + seconds * SECOND);
        opened.n.set_deadline(None);
        pass(&stepped, &clock, 2 * SECOND);
        assert_eq!((counts.drops(), clock.sleeps()), (0, 0));
        opened.n.set_deadline(at(2));
        pass(&stepped, &clock, SECOND);
        assert_eq!(counts.drops(), 0);
        opened.n.set_deadline(at(0));
        stepped.run_until_stalled();
        assert_eq!(counts.drops(), 2, "at once");
        ends(&stepped, &clock, opened);
    }
}

/// The children are those of a nursery inside, in the body that is not polled either.
#[test]
fn t17_what_is_inside() {
    let inner = |builder: Builder, counts: Counts| {
        builder.run(async move |n: Nursery<Infallible>| {
            spawn_all(&n, &counts);
            pending::<Result<(), Infallible>>().await
        })
    };
    for (stepped, clock, runtime) in worlds() {
        let (counts, wakes) = (Counts::new(), Wakes::new());
        let count = counts.clone();
        let outer = nursery().on(runtime).deadline(SECOND);
        let mut run = Box::pin(
            outer.run(async |_: Nursery<Infallible>| Ok(inner(nursery(), count).await.is_err())),
        );
        assert!(poll_once(&mut run, &wakes).is_pending());
        pass(&stepped, &clock, SECOND);
        assert_eq!(counts.drops(), 2);
        let Poll::Ready(result) = poll_once(&mut run, &wakes) else { panic!("all are home") };
        assert!(result.unwrap());
        stepped.run_until_stalled();
        assert_eq!((clock.sleeps(), stepped.tasks()), (0, 0));
    }
}

#[test]
fn t17_shield_is_up_and_the_timeout_leaves_the_body() {
    for (stepped, clock, runtime) in worlds() {
        let counts = Counts::new();
        let mut opened = Opened::new(nursery().on(runtime).children_deadline(SECOND));
        let guard = counts.guard();
        opened.n.spawn(async move {
            let _guard = guard;
            shield(2 * SECOND, async {
                cancelled().await;
                sleep(SECOND).await;
            })
            .await;
            Ok(())
        });
        pass(&stepped, &clock, 2 * SECOND);
        assert_eq!((counts.drops(), opened.n.level()), (0, Level::Cancelled));
        pass(&stepped, &clock, 2 * SECOND);
        assert_eq!(counts.drops(), 1);
        assert!(opened.poll().is_pending(), "the body stays");
        let Poll::Ready(result) = opened.finish() else { panic!("it has its value") };
        result.unwrap();
        assert_eq!(clock.sleeps(), 0);
    }
}

/// While the body is alone, no task of the runtime is used.
#[test]
fn t17_nobody_is_there_then_no_task_is_spent() {
    let (stepped, clock, runtime) = world();
    let opened = Opened::new(nursery().on(runtime).deadline(SECOND));
    pass(&stepped, &clock, SECOND);
    assert_eq!(stepped.spawns(), 0);
    ends(&stepped, &clock, opened);
}

#[test]
fn t17_dropped_or_on_a_runtime_that_drops_its_tasks() {
    for (stepped, clock, runtime) in worlds() {
        let counts = Counts::new();
        let opened = Opened::new(nursery().on(runtime).deadline(SECOND));
        spawn_all(&opened.n, &counts);
        stepped.run_until_stalled();
        drop(opened.run);
        assert_eq!((clock.sleeps(), counts.drops()), (0, 2));
        pass(&stepped, &clock, 2 * SECOND);
        assert_eq!(stepped.tasks(), 0);
    }
    let manner = Manner { at_spawn: AtSpawn::Drop, ..Manner::default() };
    let (stepped, clock) = (Stepped::with(1, manner), Clock::new());
    let builder = nursery().on(clock.runtime(&stepped)).deadline(SECOND);
    let mut run = Box::pin(builder.run(async |_: Nursery<Infallible>| {
        // A nursery whose children are lost.
        nursery()
            .run(async |_: Nursery<Infallible>| pending::<Result<(), _>>().await)
            .await
            .unwrap_err();
        Ok(())
    }));
    let wakes = Wakes::new();
    assert!(poll_once(&mut run, &wakes).is_pending());
    clock.advance(SECOND);
    assert!(poll_once(&mut run, &wakes).is_ready());
    assert_eq!(clock.sleeps(), 0);
}

/// Its moment comes in the very poll of the body that sets it, when the nursery's future has left
/// no waker yet.
#[test]
fn t17_deadline_that_has_come_when_the_body_sets_it() {
    let (stepped, clock) = (Stepped::new(1), Clock::new());
    let now = clock.clone();
    let run = nursery().on(clock.runtime(&stepped)).run(async move |n: Nursery<Infallible>| {
        n.set_deadline(Some(allhome_rt::Timer::now(&now)));
        std::future::pending::<Result<(), _>>().await
    });
    assert!(clock.drive(&stepped, run).unwrap_err().is_timeout());
}
