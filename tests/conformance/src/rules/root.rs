//! W3: the root: the future that drives the runtime. A nursery's body runs in it.

use super::probe::{Flag, Kept, Probe};
use crate::fixture::{
    Fixture, WAYS, before, first, outside, outside_later, pump, step, turn, turn_by, until,
};
use crate::probe::{Counts, Gate};
use crate::rule::rules;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

rules! { "root":
    Must w30_woken_by_a_task []
        "The body waits for its children."
        "a wake of the root counts only while the driver sleeps, or the wake of a task takes its place";
    Must w40_waker_of_a_root_that_is_over []
        "A channel that the body has waited on keeps its waker."
        "the waker points into the drive that is over";
    Must w31_polled_on_the_callers_thread []
        "The root need not be `Send`, nor `'static`."
        "the root is spawned on a worker, and the caller waits for it";
    Must w32_woken_from_a_foreign_thread []
        "An event that the body waits for may come from any thread."
        "a wake of the root does not end the driver's sleep";
    Must w33_panic_reaches_the_caller []
        "The body's panic goes on in the task that opened the nursery."
        "the driver catches all panics alike, or is left in a state in which it cannot be used";
    Must w34_survives_a_thread_token_that_is_eaten []
        "User code parks its thread as well."
        "the driver parks on the thread's own token, and takes the return of a park for a wake";
    Should w35_not_polled_without_a_wake []
        "A root that is polled at every turn costs every child a look at the body."
        "the driver polls the root whenever it has run a task";
    Must w36_tasks_outlive_a_drive []
        "A runtime is driven again and again."
        "what is left in the queue is thrown away, or a wake between two drives is lost";
    Must w37_dropped_before_the_drive_returns []
        "The caller uses what the root has borrowed again after the drive."
        "the root is kept where it lives on: in a task, in a list";
    Must w38_wakes_itself []
        "A body gives its children a turn in this way."
        "a wake that arrives while the root is polled is cleared before the driver sleeps";
    Must w39_returns_although_tasks_are_left []
        "A drive ends with its root; a nursery waits for its children itself."
        "the driver empties the queue before it returns";
}

fn w30_woken_by_a_task(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    fixture.drive(async {
        for _ in 0..3 {
            let (kept, over, begun) = (Kept::<Waker>::default(), Flag::default(), Flag::default());
            for way in WAYS {
                let (root, ends, begins) = (kept.clone(), over.clone(), begun.clone());
                runtime.run(async move {
                    begins.raise();
                    // It runs when the root goes to sleep, so that no spawn has to end that sleep.
                    let mut turns = 0;
                    while turns < 10_000 && !root.is_there() {
                        turns += 1;
                        turn_by(way).await;
                    }
                    ends.raise();
                    if let Some(waker) = root.take() {
                        waker.wake_by_ref();
                        for _ in 0..100 {
                            turn_by(way).await;
                        }
                        waker.wake();
                    }
                });
            }
            first("a task runs", || begun.is_up()).await;
            step("the root waits for a wake by a task");
            poll_fn(|cx| {
                // It may have ended, and then it wakes no root.
                kept.put(cx.waker().clone());
                if over.is_up() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    });
}

fn w31_polled_on_the_callers_thread(fixture: &mut Fixture) {
    let home = thread::current().id();
    let at_home = || {
        assert_eq!(thread::current().id(), home, "the root was polled on another thread");
    };
    fixture.drive(async {
        for _ in 0..10 {
            at_home();
            turn().await;
        }
        at_home();
        let opens = Gate::new();
        let gate = opens.clone();
        before(&["W32"], "the root is woken from a foreign thread");
        let thread = outside(move || opens.open());
        gate.wait().await;
        step("the root is polled after a wake from a foreign thread");
        at_home();
        thread.join().expect("wake does not panic");
    });
}

fn w32_woken_from_a_foreign_thread(fixture: &mut Fixture) {
    fixture.drive(async {
        for _ in 0..3 {
            let gate = Gate::new();
            let opens = gate.clone();
            let thread = outside_later(move || opens.open());
            step("the root waits for a wake from a foreign thread");
            gate.wait().await;
            thread.join().expect("wake does not panic");
        }
    });
}

fn w33_panic_reaches_the_caller(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    let panics = catch_unwind(AssertUnwindSafe(|| {
        fixture.drive_as_is(async { panic!("on purpose") });
    }));
    assert!(panics.is_err(), "the root panicked, but the drive returned normally");
    step("the runtime is driven again after a panic of its root");
    fixture.drive(async { pump(&runtime).await });
}

fn w34_survives_a_thread_token_that_is_eaten(fixture: &mut Fixture) {
    fixture.drive(async {
        for _ in 0..3 {
            let mut woken = false;
            step("the root is woken, and then its thread parks and returns");
            poll_fn(|cx| {
                if woken {
                    return Poll::Ready(());
                }
                woken = true;
                let waker = cx.waker().clone();
                outside(move || waker.wake()).join().expect("wake does not panic");
                thread::park_timeout(Duration::from_millis(1));
                Poll::Pending
            })
            .await;
        }
    });
}

fn w35_not_polled_without_a_wake(fixture: &mut Fixture) {
    let (runtime, gate) = (fixture.runtime(), Gate::new());
    let mut polls = 0;
    fixture.drive(async {
        let opens = gate.clone();
        runtime.run(async move {
            for _ in 0..500 {
                turn().await;
            }
            opens.open();
        });
        let mut waits = Box::pin(gate.wait());
        poll_fn(|cx| {
            polls += 1;
            std::future::Future::poll(waits.as_mut(), cx)
        })
        .await;
    });
    assert!(polls <= 10, "the root was polled {polls} times for one wake");
}

fn w36_tasks_outlive_a_drive(fixture: &mut Fixture) {
    let (runtime, probe, counts) = (fixture.runtime(), Probe::new(), Counts::new());
    fixture.drive(async {
        runtime.run(probe.future());
        first("a task waits", || probe.polls() > 0).await;
        for _ in 0..10 {
            let counts = counts.clone();
            runtime.run(async move {
                turn().await;
                counts.polled();
            });
        }
    });
    step("the drive has returned, and tasks are left");
    assert_eq!(probe.drops(), 0, "the end of a drive dropped a task");
    let (before, between) = (probe.polls(), counts.clone());
    probe.finish();
    runtime.run(async move { between.polled() });
    fixture.drive(async {
        until("what was woken between two drives ends", || probe.drops() == 1).await;
        until("what was in the queue, or spawned between two drives, ends", || {
            counts.polls() == 11
        })
        .await;
    });
    assert!(probe.polls() > before, "the task was dropped, not polled");
}

fn w40_waker_of_a_root_that_is_over(fixture: &mut Fixture) {
    let kept = Kept::default();
    for _ in 0..3 {
        fixture.drive(async {
            let before = kept.take();
            poll_fn(|cx| {
                kept.put(cx.waker().clone());
                Poll::Ready(())
            })
            .await;
            turn().await;
            step("the waker of a root that is over is used in a later drive");
            before.into_iter().for_each(Waker::wake);
            turn().await;
        });
        step("the waker of a root that is over is used between two drives");
        kept.waker().wake_by_ref();
        let waker = kept.waker();
        outside(move || waker.wake()).join().expect("wake does not panic");
    }
}

fn w37_dropped_before_the_drive_returns(fixture: &mut Fixture) {
    let counts = Counts::new();
    for drives in 1..4 {
        let guard = counts.guard();
        // A future that does not drop what it owns when it is ready, only when it is dropped.
        fixture.drive_as_is(poll_fn(move |_| {
            let _ = &guard;
            Poll::Ready(())
        }));
        assert_eq!(counts.drops(), drives, "the root is still there");
    }
}

fn w38_wakes_itself(fixture: &mut Fixture) {
    for (wake, way) in WAYS.into_iter().zip(["by reference", "by value"]) {
        fixture.drive_as_is(async {
            step(&format!("a root is polled again that has woken itself {way}"));
            for _ in 0..100 {
                let mut woken = false;
                poll_fn(|cx| {
                    if woken {
                        return Poll::Ready(());
                    }
                    woken = true;
                    wake(cx.waker());
                    Poll::Pending
                })
                .await;
            }
        });
        before(&["W42"], "the drive has returned");
    }
}

fn w39_returns_although_tasks_are_left(fixture: &mut Fixture) {
    let (runtime, probe, stop) = (fixture.runtime(), Probe::new(), Flag::default());
    fixture.drive(async {
        runtime.run(probe.future());
        first("a task waits", || probe.polls() > 0).await;
        let stop = stop.clone();
        runtime.run(async move {
            while !stop.is_up() {
                turn().await;
            }
        });
        step("the root is ready, and tasks are left");
    });
    stop.raise();
    assert_eq!(probe.drops(), 0, "the drive dropped the tasks that were left");
}
