//! Handles that lead to no value, cancels by id, and guards.

use crate::{Calm, Fallible, gated, kind, parked, ready};
use allhome::cancel::ReasonKind;
use allhome::task::{TaskHandle, TaskState};
use allhome::{Policy, Reason, cancelled, nursery, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Log, Stepped, Wakes, in_all_schedules, poll_once};
use std::future::pending;
use std::time::Duration;

#[test]
fn p14_a_handle_of_a_child_without_one() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let (counts, log) = (Counts::new(), Log::default());
    let (guard, note) = (counts.guard(), log.clone());
    let spawned = opened.n.task("watcher").go(async move {
        let _guard = guard;
        note.note(cancelled().await.message());
    });
    let id = spawned.id().expect("it was admitted");
    let handle = opened.n.task_handle(id).expect("it has not ended");
    let clone = handle.clone();
    assert_eq!((clone.id(), clone.name()), (id, Some("watcher")));
    assert_eq!(clone.location().file(), file!());
    assert_eq!(handle.state(), TaskState::Queued);
    stepped.run_until_stalled();
    assert_eq!(handle.state(), TaskState::Waiting);
    assert!(clone.cancel_with(Reason::new("enough")));
    assert_eq!(counts.drops(), 0, "it has its last poll");
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), log.take()), (1, vec!["enough".to_string()]));
    assert!(handle.is_ended() && !handle.cancel() && !handle.abort());
    assert!(opened.n.task_handle(id).is_none());
    assert!(ready(opened.finish()).is_ok());
    drop(opened);
    assert_eq!((handle.state(), handle.name()), (TaskState::Ended, Some("watcher")));
    assert!(!clone.cancel());
}

#[test]
fn p14_beside_a_child_it_has_no_part_in_the_value() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let (counts, gate) = (Counts::new(), Gate::new());
    let child = gated(&opened.n, &gate, Ok(counts.guard()));
    let handles: Vec<TaskHandle> = (0..3).filter_map(|_| child.task_handle()).collect();
    assert_eq!(handles.len(), 3);
    drop(child);
    gate.open();
    stepped.run_until_stalled();
    assert_eq!(counts.drops(), 1, "no handle keeps the value");
    let mut taken = opened.n.fork(async { Ok(7) });
    stepped.run_until_stalled();
    let handle = taken.task_handle().expect("its outcome was not taken");
    assert_eq!(taken.try_join().and_then(Result::ok), Some(7));
    assert!(taken.task_handle().is_none() && handle.is_ended());
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p14_abort_drops_it_where_it_waits() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let counts = Counts::new();
    let child = parked(&opened.n, &counts);
    let handle = child.task_handle().expect("it runs");
    stepped.run_until_stalled();
    assert!(handle.abort());
    assert_eq!((counts.drops(), handle.state()), (1, TaskState::Ended));
    let error = ready(poll_once(&mut Box::pin(child), &Wakes::new())).expect_err("it was aborted");
    assert_eq!(kind(&error), Some(ReasonKind::Aborted));
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p15_by_its_id_that_child_alone() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let mut other = Calm::new(nursery().on(stepped.runtime()));
    let counts = Counts::new();
    let children: Vec<_> = (0..5).map(|_| parked(&opened.n, &counts)).collect();
    stepped.run_until_stalled();
    let queued = opened.n.go(pending()).id().expect("it was admitted");
    let id = children[2].id().expect("it runs");
    assert!(!other.n.cancel_task(id), "it is no child of that nursery");
    assert!(opened.n.cancel_task(id) && opened.n.cancel_task(queued));
    stepped.run_until_stalled();
    assert!(!opened.n.cancel_task(id) && !opened.n.cancel_task(queued));
    assert!(children.iter().map(|child| child.is_ended()).eq([false, false, true, false, false]));
    assert_eq!(counts.drops(), 1);
    // Cancelled, and not ended: it is found in that list, too.
    opened.n.cancel();
    assert!(opened.n.task_handle(children[0].id().expect("it waits")).is_some());
    opened.n.abort();
    assert!(ready(opened.finish()).is_ok() && ready(other.finish()).is_ok());
}

/// The member that runs the finalizers, whose number follows those of the children.
#[test]
fn p15_the_finalizers_are_no_child() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let (n, gate, log) = (opened.n.clone(), Gate::new(), Log::default());
    let (note, wait) = (log.clone(), gate.clone());
    opened.n.defer(Duration::from_secs(5), async move {
        wait.wait().await;
        note.note("tidied up");
        Ok(())
    });
    assert!(opened.finish().is_pending());
    stepped.run_until_stalled();
    let runner = n.tree().nurseries()[0].tasks[0].id;
    assert!(n.task_handle(runner).is_none() && !n.cancel_task(runner));
    assert_eq!(n.cancel_children(), 0);
    gate.open();
    stepped.run_until_stalled();
    assert!(ready(opened.poll()).is_ok());
    assert_eq!(log.take(), ["tidied up"]);
}

#[test]
fn p16_every_child_and_neither_body_nor_nursery() {
    for policy in [Policy::FailFast, Policy::WaitAll, Policy::Isolate, Policy::Supervise] {
        let stepped = Stepped::new(1);
        let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(policy));
        let (counts, inner) = (Counts::new(), Counts::new());
        let (guard, runtime) = (inner.guard(), stepped.runtime());
        opened.n.spawn(async move {
            let _guard = guard;
            let opened = nursery().on(runtime).run(async |n: allhome::Nursery<&str>| {
                n.go(pending());
                pending().await
            });
            opened.await.map_err(|_| "the nursery inside was cancelled")
        });
        let children: Vec<_> = (0..3).map(|_| parked(&opened.n, &counts)).collect();
        stepped.run_until_stalled();
        let unpolled = parked(&opened.n, &counts);
        assert_eq!(opened.n.cancel_children(), 5);
        let later = opened.n.fork(async { Ok(7) });
        stepped.run_until_stalled();
        assert_eq!((counts.drops(), inner.drops(), opened.n.len()), (4, 1, 0));
        assert!(!opened.n.is_cancelled() && opened.n.cancel_children() == 0);
        assert_eq!(ready(poll_once(&mut Box::pin(later), &Wakes::new())).ok(), Some(7));
        drop((children, unpolled));
        assert!(ready(opened.finish()).is_ok(), "{policy:?}");
    }
}

#[test]
fn p16_in_all_schedules_the_body_goes_on() {
    in_all_schedules(async |n| {
        for _ in 0..3 {
            n.spawn(async {
                yield_now().await;
                pending().await
            });
        }
        yield_now().await;
        assert_eq!(n.cancel_children(), 3);
        n.idle().await;
        assert_eq!(n.fork(async { Ok(7) }).await?, 7);
        Ok(())
    });
}

#[test]
fn p17_drop_then_the_child_is_cancelled() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let (counts, log) = (Counts::new(), Log::default());
    let note = log.clone();
    let hears = opened.n.fork(async move {
        let reason = cancelled().await;
        note.note(format!("{} {}", reason.message(), reason.location().file() == file!()));
        Ok(())
    });
    let guard = hears.cancel_on_drop();
    let kept = parked(&opened.n, &counts).cancel_on_drop();
    stepped.run_until_stalled();
    assert!(!guard.is_ended(), "it is a handle like any other");
    drop(guard);
    let kept = kept.disarm();
    stepped.run_until_stalled();
    assert_eq!(log.take(), ["its handle was dropped true"]);
    drop(kept);
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), opened.n.len()), (0, 1));
    let mut value = Box::pin(opened.n.fork(async { Ok(7) }).cancel_on_drop());
    stepped.run_until_stalled();
    assert_eq!(ready(poll_once(&mut value, &Wakes::new())).ok(), Some(7));
    opened.n.abort();
    assert!(ready(opened.finish()).is_ok());
}
