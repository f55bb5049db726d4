//! First, some, and one that matches; and fewer than asked for.

use crate::{Calm, ChildOf, after, waits};
use allhome::join::{
    Children, JoinWith, Joiner, NotEnough, first_ok, hedge, join_outcomes, quorum, race,
    until_match,
};
use allhome::time::now;
use allhome::{Policy, nursery};
use allhome_conformance::Counts;
use allhome_runs::place::{Forks, Place};
use allhome_runs::{SECOND, Stepped, Wakes, poll_once};
use std::error::Error;

in_each_place! {
    p04_the_first_outcome_wins_a_race
    p04_the_first_value
    p04_the_first_that_matches
    p04_as_many_values_as_asked_for
    p07_all_failures_where_there_is_no_value
    p07_a_quorum_that_cannot_be_reached_ends_at_once
    p07_more_than_there_are_and_nothing_is_lost
    p07_of_no_children
}

/// Children that end so, one each second. Returns what the joiner makes of them, and when.
fn in_turn<P: Place, J, const N: usize>(
    results: [Result<u32, &'static str>; N],
    join: impl FnOnce([ChildOf<P, u32>; N]) -> JoinWith<ChildOf<P, u32>, J>,
) -> (J::Output, u64)
where
    J: Joiner<u32, &'static str>,
{
    let ended = P::run(Policy::Isolate, async |n: P::Handle| {
        let (start, mut at) = (now(), 0);
        let output = join(results.map(|result| {
            at += 1;
            after(&n, at, result)
        }))
        .await;
        assert!(n.is_empty(), "the losers are gone");
        (output, (now() - start).as_secs())
    });
    ended.expect("no failure is the nursery's")
}

fn parts(error: NotEnough<u32, &'static str>) -> (Vec<u32>, Vec<&'static str>) {
    let (values, failures) = error.into_parts();
    (values, failures.iter().map(|failure| failure.error().copied().unwrap_or("none")).collect())
}

fn p04_the_first_outcome_wins_a_race<P: Place>() {
    let (won, at) = in_turn::<P, _, 3>([Ok(1), Ok(2), Err("bad")], race);
    assert_eq!((won.ok(), at), (Some(1), 1));
    let error = in_turn::<P, _, 2>([Err("bad"), Ok(2)], race).0;
    let error = error.expect_err("a failure came first");
    assert_eq!(parts(error), (vec![], vec!["bad"]));
}

fn p04_the_first_value<P: Place>() {
    let (found, at) = in_turn::<P, _, 4>([Err("a"), Err("b"), Ok(3), Ok(4)], first_ok);
    assert_eq!((found.ok(), at), (Some(3), 3));
}

fn p04_the_first_that_matches<P: Place>() {
    let even = |value: &u32| value % 2 == 0;
    let all = [Ok(1), Err("a"), Ok(4), Ok(6)];
    let (found, at) = in_turn::<P, _, 4>(all, |children| until_match(children, even));
    assert_eq!((found.ok(), at), (Some(4), 3));
    let odd = [Ok(1), Err("a"), Ok(3)];
    let (found, _) = in_turn::<P, _, 3>(odd, |children| until_match(children, even));
    let error = found.expect_err("none is even");
    assert!(error.to_string().starts_with(
        "a value was needed, and of 3 children none has given one that matches: task "
    ));
    assert_eq!(parts(error), (vec![1, 3], vec!["a"]));
}

fn p04_as_many_values_as_asked_for<P: Place>() {
    let all = [Ok(1), Err("a"), Ok(3), Ok(4)];
    let (two, at) = in_turn::<P, _, 4>(all, |children| quorum(2, children));
    assert_eq!((two.ok(), at), (Some(vec![1, 3]), 3));
    let (none, at) = in_turn::<P, _, 2>([Ok(1), Ok(2)], |children| quorum(0, children));
    assert_eq!((none.ok(), at), (Some(vec![]), 0));
}

fn p07_all_failures_where_there_is_no_value<P: Place>() {
    let error = in_turn::<P, _, 2>([Err("a"), Err("b")], first_ok).0.expect_err("both failed");
    assert_eq!(error.needed(), 1);
    let text = error.to_string();
    assert!(text.starts_with("a value was needed, and of 2 children none has given one: task "));
    assert!(text.ends_with("failed: a (and 1 more)"), "{text}");
    assert_eq!(format!("{error:?}").lines().count(), 3);
    assert!(error.source().is_none(), "there is nothing behind a text");
    assert_eq!(parts(error), (vec![], vec!["a", "b"]));
}

fn p07_a_quorum_that_cannot_be_reached_ends_at_once<P: Place>() {
    let ended = P::run(Policy::Isolate, async |n: P::Handle| {
        let (start, counts) = (now(), Counts::new());
        let children = [
            after(&n, 1, Ok(1)),
            after(&n, 2, Err("a")),
            after(&n, 3, Err("b")),
            waits(&n, &counts),
        ];
        let error = quorum(3, children).await.expect_err("two have failed");
        assert_eq!((now() - start, counts.drops(), n.len()), (SECOND * 3, 1, 0));
        error
    });
    let error = ended.expect("no failure is the nursery's");
    let text = error.to_string();
    assert!(
        text.starts_with("3 values were needed, and of 4 children one has given one"),
        "{text}"
    );
    assert_eq!(parts(error), (vec![1], vec!["a", "b"]));
}

fn p07_more_than_there_are_and_nothing_is_lost<P: Place>() {
    let all = [Ok(1), Err("a"), Ok(3)];
    let (error, at) = in_turn::<P, _, 3>(all, |children| quorum(5, children));
    let error = error.expect_err("there are three");
    assert_eq!(at, 3, "all are waited for");
    let text = error.to_string();
    assert!(
        text.starts_with("5 values were needed, and of 3 children 2 have given one: "),
        "{text}"
    );
    assert_eq!(parts(error), (vec![1, 3], vec!["a"]));
}

fn p07_of_no_children<P: Place>() {
    let ended = P::run(Policy::FailFast, async |_: P::Handle| {
        let none = Vec::<ChildOf<P, u32>>::new;
        for error in [
            race(none()).await.expect_err("no child"),
            first_ok(none()).await.expect_err("no child"),
            until_match(none(), |_| true).await.expect_err("no child"),
            quorum(1, none()).await.expect_err("no child"),
            hedge(SECOND, none()).await.expect_err("no child"),
        ] {
            assert_eq!(error.to_string(), "a value was needed, and there was no child");
        }
        assert_eq!(quorum(0, none()).await.ok(), Some(vec![]));
        assert!(join_outcomes(none()).await.is_empty());
        assert!(Children::from_iter(none()).join_next().await.is_none());
    });
    ended.expect("no failure is the nursery's");
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
