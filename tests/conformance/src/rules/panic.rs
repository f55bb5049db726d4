//! R5: what a panic does to others. A nursery's tasks never panic, so these are quality: other
//! tasks of the same runtime may.

use super::probe::Probe;
use crate::fixture::{Fixture, first, pump, until};
use crate::probe::{Counts, DropPanics};
use crate::rule::rules;
use std::future::poll_fn;
use std::task::Poll;

rules! { "panic":
    Should r51_panic_in_a_poll_harms_nobody_else []
        "One task's fault is not the end of the others."
        "the panic ends the worker thread, or the driver's loop, or poisons the queue's lock";
    Should r52_panic_in_a_destructor_harms_nobody_else []
        "A destructor that panics is a fault of one task as well."
        "the future is dropped outside of `catch_unwind`, or where unwinding aborts the process";
    Should r53_waiting_tasks_outlive_a_panic []
        "Another task's fault does not concern a task that waits."
        "a worker that panics takes its own queue, or the tasks that were spawned on it, along";
}

fn r51_panic_in_a_poll_harms_nobody_else(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {
        for _ in 0..200 {
            let guard = counts.guard();
            runtime.run(async move {
                let _guard = guard;
                panic!("on purpose");
            });
        }
        until("200 tasks have panicked", || counts.drops() == 200).await;
        pump(&runtime).await;
    });
}

fn r52_panic_in_a_destructor_harms_nobody_else(fixture: &mut Fixture) {
    let (runtime, counts) = (fixture.runtime(), Counts::new());
    fixture.drive(async {
        for _ in 0..8 {
            let owned = (counts.guard(), DropPanics("on purpose"));
            runtime.run(poll_fn(move |_| {
                let _ = &owned;
                Poll::Ready(())
            }));
        }
        until("8 destructors have panicked", || counts.drops() == 8).await;
        pump(&runtime).await;
    });
}

fn r53_waiting_tasks_outlive_a_panic(fixture: &mut Fixture) {
    let (runtime, probes) = (fixture.runtime(), [(); 8].map(|()| Probe::new()));
    fixture.drive(async {
        probes.iter().for_each(|probe| runtime.run(probe.future()));
        first("all wait", || probes.iter().all(|probe| probe.polls() > 0)).await;
        runtime.run(async { panic!("on purpose") });
        pump(&runtime).await;
        assert!(probes.iter().all(|probe| probe.drops() == 0), "a panic dropped another task");
        probes.iter().for_each(Probe::finish);
        until("all are dropped", || probes.iter().all(|probe| probe.drops() == 1)).await;
    });
}
