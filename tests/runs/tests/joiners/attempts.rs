//! One attempt after the other.

use crate::{Fallible, kind, ready};
use allhome::cancel::ReasonKind;
use allhome::join::hedge;
use allhome::time::now;
use allhome::{Child, Nursery, Policy, nursery, sleep};
use allhome_conformance::Counts;
use allhome_runs::{Log, SECOND, Stepped, Wakes, poll_once, world};
use std::cell::Cell;
use std::time::Duration;

type N = Nursery<&'static str>;

/// What an attempt does: ends after so many seconds.
type Attempt = (u32, Result<u32, &'static str>);

/// Runs such attempts, five seconds apart. Returns the result, how many were started, and after how
/// many seconds it was there.
fn run<const K: usize>(
    attempts: [Attempt; K],
    deadline: Option<u32>,
) -> (Result<u32, Vec<Option<ReasonKind>>>, usize, u64) {
    run_late(attempts, deadline, None)
}

/// As [`run`]; between the first poll and the second one so many seconds pass.
fn run_late<const K: usize>(
    attempts: [Attempt; K],
    deadline: Option<u32>,
    late: Option<u32>,
) -> (Result<u32, Vec<Option<ReasonKind>>>, usize, u64) {
    let (stepped, clock, runtime) = world();
    let (counts, started) = (Counts::new(), Cell::new(0));
    let builder = nursery().policy(Policy::Isolate).on(runtime);
    let body = builder.run(async |n: N| {
        let start = now();
        let spawned = attempts.into_iter().map(|(seconds, result)| {
            started.set(started.get() + 1);
            let guard = counts.guard();
            n.fork(async move {
                let _guard = guard;
                sleep(SECOND * seconds).await;
                result
            })
        });
        let mut hedged = hedge(SECOND * 5, spawned);
        if let Some(seconds) = deadline {
            hedged = hedged.deadline(SECOND * seconds);
        }
        let mut hedged = Box::pin(hedged);
        if let Some(seconds) = late {
            assert!(poll_once(&mut hedged, &Wakes::new()).is_pending());
            sleep(SECOND * seconds).await;
        }
        let result = hedged.await;
        assert_eq!((counts.drops(), n.len()), (started.get(), 0), "all are gone");
        let result = result.map_err(|error| error.failures().iter().map(kind).collect());
        Ok((result, started.get(), (now() - start).as_secs()))
    });
    let result = clock.drive(&stepped, body).expect("no failure is the nursery's");
    assert_eq!(clock.sleeps(), 0, "a timer was not released");
    result
}

#[test]
fn p09_the_first_alone_if_it_is_fast() {
    assert_eq!(run([(1, Ok(1)), (1, Ok(2))], None), (Ok(1), 1, 1));
}

#[test]
fn p09_the_next_after_the_delay() {
    assert_eq!(run([(60, Ok(1)), (1, Ok(2)), (1, Ok(3))], None), (Ok(2), 2, 6));
    assert_eq!(
        run([(7, Ok(1)), (60, Ok(2)), (60, Ok(3))], None),
        (Ok(1), 2, 7),
        "the first goes on"
    );
    assert_eq!(run([(60, Ok(1)), (60, Ok(2)), (1, Ok(3))], None), (Ok(3), 3, 11));
}

#[test]
fn p09_the_next_at_once_when_one_failed() {
    assert_eq!(run([(1, Err("a")), (1, Err("b")), (1, Ok(3))], None), (Ok(3), 3, 3));
    assert_eq!(
        run([(1, Err("a")), (60, Ok(2)), (1, Ok(3))], None),
        (Ok(3), 3, 7),
        "and a delay anew"
    );
}

#[test]
fn p09_no_more_attempts() {
    assert_eq!(run([(1, Err("a")), (1, Err("b"))], None), (Err(vec![None, None]), 2, 2));
    assert_eq!(run([], None), (Err(vec![]), 0, 0));
}

#[test]
fn p09_none_after_the_deadline() {
    let cut = Some(ReasonKind::Deadline);
    assert_eq!(run([(60, Ok(1)), (60, Ok(2)), (1, Ok(3))], Some(7)), (Err(vec![cut, cut]), 2, 7));
}

/// One poll finds what ends the wait, and the time of the next attempt.
#[test]
fn p09_none_in_the_poll_in_which_it_is_over() {
    let (cut, late) = (Some(ReasonKind::Deadline), Some(6));
    assert_eq!(run_late([(5, Ok(1)), (1, Ok(2))], None, late), (Ok(1), 1, 6), "a value");
    let at_deadline = run_late([(60, Ok(1)), (1, Ok(2))], Some(5), late);
    assert_eq!(at_deadline, (Err(vec![cut]), 1, 6), "the deadline");
    let none_left = run_late([(5, Err("a")), (1, Ok(2))], Some(5), late);
    assert_eq!(none_left, (Err(vec![None]), 1, 6), "the deadline, and no attempt runs");
    let failed = run_late([(5, Err("a")), (1, Ok(2)), (1, Ok(3))], None, late);
    assert_eq!(failed, (Ok(2), 2, 7), "one, and not two");
}

#[test]
fn p09_without_delay_all_at_once() {
    let stepped = Stepped::new(1);
    let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(Policy::Isolate));
    let n = opened.n.clone();
    let attempts = (0..3).map(move |_| n.fork(std::future::pending::<Result<u8, _>>()));
    let mut hedged = Box::pin(hedge(Duration::ZERO, attempts));
    assert!(opened.n.is_empty(), "nothing is started before the first poll");
    assert!(poll_once(&mut hedged, &Wakes::new()).is_pending());
    assert_eq!(opened.n.len(), 3);
    drop(hedged);
    stepped.run_until_stalled();
    assert!(opened.n.is_empty());
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p09_without_delay_and_end_the_others_have_their_turns() {
    let stepped = Stepped::new(1);
    let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(Policy::Isolate));
    let n = opened.n.clone();
    let attempts = std::iter::repeat_with(move || n.fork(std::future::pending::<Result<u8, _>>()));
    let (mut hedged, wakes) = (Box::pin(hedge(Duration::ZERO, attempts)), Wakes::new());
    assert!(poll_once(&mut hedged, &wakes).is_pending());
    assert_eq!(wakes.count(), 1, "it goes on after the others' turns");
    assert!((1..100).contains(&opened.n.len()));
    drop(hedged);
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p09_refused_without_end_the_others_have_their_turns() {
    let stepped = Stepped::new(1);
    let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(Policy::Isolate));
    opened.n.close();
    let (n, log) = (opened.n.clone(), Log::default());
    let note = log.clone();
    let attempts = std::iter::repeat_with(move || -> Child<u8, _> {
        note.note("refused");
        n.fork(async { Ok(7) })
    });
    let (mut hedged, wakes) = (Box::pin(hedge(SECOND, attempts)), Wakes::new());
    assert!(poll_once(&mut hedged, &wakes).is_pending());
    assert_eq!(wakes.count(), 1, "it goes on after the others' turns");
    assert!(log.take().len() < 100);
    drop(hedged);
    assert!(ready(opened.finish()).is_ok());
}
