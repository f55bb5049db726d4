//! First, some, and one that matches; and fewer than asked for.

use crate::{Calm, Fallible, gated, parked, ready};
use allhome::join::{JoinWith, Joiner, NotEnough, first_ok, quorum, race, until_match};
use allhome::{Child, Policy, nursery};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Stepped, Wakes, poll_once};
use std::convert::Infallible;
use std::error::Error;

fn isolating(stepped: &Stepped) -> Fallible {
    Fallible::fallible(nursery().on(stepped.runtime()).policy(Policy::Isolate))
}

/// Gives the children these results, one after the other, and returns what the joiner makes of them.
fn after<J, const N: usize>(
    results: [Result<u32, &'static str>; N],
    join: impl FnOnce([Child<u32, &'static str>; N]) -> JoinWith<Child<u32, &'static str>, J>,
) -> J::Output
where
    J: Joiner<u32, &'static str>,
{
    let stepped = Stepped::new(1);
    let mut opened = isolating(&stepped);
    let gates = results.each_ref().map(|_| Gate::new());
    let mut at = gates.iter();
    let mut joined = Box::pin(join(
        results.map(|result| gated(&opened.n, at.next().expect("a gate for each"), result)),
    ));
    let wakes = Wakes::new();
    stepped.run_until_stalled();
    let mut output = None;
    for gate in &gates {
        if let std::task::Poll::Ready(ready) = poll_once(&mut joined, &wakes) {
            output = Some(ready);
            break;
        }
        gate.open();
        stepped.run_until_stalled();
    }
    for _ in 0..2 {
        if output.is_none() {
            if let std::task::Poll::Ready(ready) = poll_once(&mut joined, &wakes) {
                output = Some(ready);
            }
            stepped.run_until_stalled();
        }
    }
    assert!(opened.n.is_empty(), "the losers are gone");
    assert!(ready(opened.finish()).is_ok(), "no failure is the nursery's");
    output.expect("it is ready")
}

fn parts(error: NotEnough<u32, &'static str>) -> (Vec<u32>, Vec<&'static str>) {
    let (values, failures) = error.into_parts();
    (values, failures.iter().map(|failure| failure.error().copied().unwrap_or("none")).collect())
}

#[test]
fn p04_the_first_outcome_wins_a_race() {
    assert_eq!(after([Ok(1), Ok(2), Err("bad")], race).ok(), Some(1));
    let error = after([Err("bad"), Ok(2)], race).expect_err("a failure came first");
    assert_eq!(parts(error), (vec![], vec!["bad"]));
}

#[test]
fn p04_the_first_value() {
    assert_eq!(after([Err("a"), Err("b"), Ok(3), Ok(4)], first_ok).ok(), Some(3));
}

#[test]
fn p04_the_first_that_matches() {
    let even = |value: &u32| value % 2 == 0;
    let found = after([Ok(1), Err("a"), Ok(4), Ok(6)], |children| until_match(children, even));
    assert_eq!(found.ok(), Some(4));
    let found = after([Ok(1), Err("a"), Ok(3)], |children| until_match(children, even));
    let error = found.expect_err("none is even");
    assert!(error.to_string().starts_with(
        "a value was needed, and of 3 children none has given one that matches: task "
    ));
    assert_eq!(parts(error), (vec![1, 3], vec!["a"]));
}

#[test]
fn p04_as_many_values_as_asked_for() {
    let two = |children| quorum(2, children);
    assert_eq!(after([Ok(1), Err("a"), Ok(3), Ok(4)], two).ok(), Some(vec![1, 3]));
    assert_eq!(after([Ok(1), Ok(2)], |children| quorum(0, children)).ok(), Some(vec![]));
}

#[test]
fn p07_all_failures_where_there_is_no_value() {
    let error = after([Err("a"), Err("b")], first_ok).expect_err("both failed");
    assert_eq!(error.needed(), 1);
    let text = error.to_string();
    assert!(text.starts_with("a value was needed, and of 2 children none has given one: task "));
    assert!(text.ends_with("failed: a (and 1 more)"), "{text}");
    assert_eq!(format!("{error:?}").lines().count(), 3);
    assert!(error.source().is_none(), "there is nothing behind a text");
    assert_eq!(parts(error), (vec![], vec!["a", "b"]));
}

#[test]
fn p07_a_quorum_that_cannot_be_reached_ends_at_once() {
    let stepped = Stepped::new(1);
    let mut opened = isolating(&stepped);
    let (gate, counts) = (Gate::new(), Counts::new());
    let children = [
        gated(&opened.n, &gate, Ok(1)),
        gated(&opened.n, &gate, Err("a")),
        gated(&opened.n, &gate, Err("b")),
        parked(&opened.n, &counts),
    ];
    let (mut joined, wakes) = (Box::pin(quorum(3, children)), Wakes::new());
    stepped.run_until_stalled();
    assert!(poll_once(&mut joined, &wakes).is_pending());
    gate.open();
    stepped.run_until_stalled();
    assert!(poll_once(&mut joined, &wakes).is_pending(), "it waits for the last poll");
    stepped.run_until_stalled();
    assert_eq!(counts.drops(), 1);
    let error = ready(poll_once(&mut joined, &wakes)).expect_err("two have failed");
    let text = error.to_string();
    assert!(
        text.starts_with("3 values were needed, and of 4 children one has given one"),
        "{text}"
    );
    assert_eq!(parts(error), (vec![1], vec!["a", "b"]));
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p07_more_than_there_are_and_nothing_is_lost() {
    let error = after([Ok(1), Err("a"), Ok(3)], |children| quorum(5, children));
    let error = error.expect_err("there are three");
    let text = error.to_string();
    assert!(
        text.starts_with("5 values were needed, and of 3 children 2 have given one: "),
        "{text}"
    );
    assert_eq!(parts(error), (vec![1, 3], vec!["a"]));
}

#[test]
fn p07_of_no_children() {
    let none = || Vec::<Child<u8, Infallible>>::new();
    let wakes = Wakes::new();
    for error in [
        ready(poll_once(&mut Box::pin(race(none())), &wakes)).expect_err("no child"),
        ready(poll_once(&mut Box::pin(first_ok(none())), &wakes)).expect_err("no child"),
        ready(poll_once(&mut Box::pin(until_match(none(), |_| true)), &wakes))
            .expect_err("no child"),
        ready(poll_once(&mut Box::pin(quorum(1, none())), &wakes)).expect_err("no child"),
    ] {
        assert_eq!(error.to_string(), "a value was needed, and there was no child");
    }
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn p04_again_after_it_was_ready_panics() {
    let stepped = Stepped::new(1);
    let opened = Calm::new(nursery().on(stepped.runtime()));
    let mut joined = Box::pin(race([opened.n.fork(async { Ok(1) })]));
    stepped.run_until_stalled();
    assert!(poll_once(&mut joined, &Wakes::new()).is_ready());
    let _ = poll_once(&mut joined, &Wakes::new());
}
