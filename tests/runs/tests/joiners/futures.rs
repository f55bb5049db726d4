//! Races of futures that are no children.

use crate::ready;
use allhome::join::RaceExt;
use allhome_runs::{Log, Wakes, poll_once};
use std::future::{Future, poll_fn};
use std::task::Poll;

/// Waits so many polls, and notes each, and its drop.
fn noted(log: &Log, name: &'static str, mut polls: u32) -> impl Future<Output = &'static str> {
    let (note, guard) = (log.clone(), log.on_drop(name));
    async move {
        let _guard = guard;
        poll_fn(|_| {
            note.note(format!("poll {name}"));
            polls -= 1;
            if polls == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        name
    }
}

#[test]
fn p13_the_first_is_polled_first_and_wins() {
    let log = Log::default();
    let mut race = Box::pin(noted(&log, "a", 2).race(noted(&log, "b", 2)));
    assert!(poll_once(&mut race, &Wakes::new()).is_pending());
    assert_eq!(log.take(), ["poll a", "poll b"]);
    assert_eq!(ready(poll_once(&mut race, &Wakes::new())), "a");
    assert_eq!(
        log.take(),
        ["poll a", "a dropped, not cancelled", "b dropped, not cancelled"],
        "the loser is dropped before the output is given"
    );
}

#[test]
fn p13_the_second_wins_when_the_first_waits() {
    let log = Log::default();
    let mut race = Box::pin(noted(&log, "a", 9).race(noted(&log, "b", 1)));
    assert_eq!(ready(poll_once(&mut race, &Wakes::new())), "b");
    assert_eq!(
        log.take(),
        ["poll a", "poll b", "b dropped, not cancelled", "a dropped, not cancelled"]
    );
}

#[test]
fn p13_until_the_other_is_ready() {
    let log = Log::default();
    let mut until = Box::pin(noted(&log, "work", 1).until(noted(&log, "stop", 1)));
    assert_eq!(
        ready(poll_once(&mut until, &Wakes::new())),
        Ok("work"),
        "a value that is ready wins"
    );
    assert_eq!(
        log.take(),
        ["poll work", "work dropped, not cancelled", "stop dropped, not cancelled"]
    );
    let mut until = Box::pin(noted(&log, "work", 9).until(noted(&log, "stop", 1)));
    assert_eq!(ready(poll_once(&mut until, &Wakes::new())), Err("stop"));
    assert_eq!(
        log.take(),
        ["poll work", "poll stop", "stop dropped, not cancelled", "work dropped, not cancelled"]
    );
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn p13_again_after_it_was_ready_panics() {
    let mut race = Box::pin(std::future::ready(1).race(std::future::ready(2)));
    assert_eq!(ready(poll_once(&mut race, &Wakes::new())), 1);
    let _ = poll_once(&mut race, &Wakes::new());
}
