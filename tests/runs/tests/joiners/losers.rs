//! What becomes of the children that are not needed.

use crate::{Calm, Fallible, gated, parked, ready};
use allhome::cancel::{ReasonKind, cancel_reason};
use allhome::error::PanicPolicy;
use allhome::join::{first_ok, quorum, race};
use allhome::{Policy, cancelled, nursery, shield, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Boxed, Log, Stepped, Wakes, in_all_schedules, poll_once};
use std::time::Duration;

const POLICIES: [Policy; 4] =
    [Policy::FailFast, Policy::WaitAll, Policy::Isolate, Policy::Supervise];

#[test]
fn p05_losers_are_gone_when_the_result_is_given() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let (gate, counts, log) = (Gate::new(), Counts::new(), Log::default());
    let note = log.clone();
    let hears = opened.n.fork(async move {
        let reason = cancelled().await;
        note.note(format!("{:?} {}", reason.kind(), reason.by().is_none()));
        // The cancel gives one poll, and a shield more.
        shield(Duration::MAX, async {
            yield_now().await;
            yield_now().await;
        })
        .await;
        note.note("tidied up");
        Ok(0)
    });
    let unpolled = parked(&opened.n, &counts);
    let children = [gated(&opened.n, &gate, Ok(7)), hears, parked(&opened.n, &counts)];
    stepped.run_until_stalled();
    let late = parked(&opened.n, &counts);
    let (mut race, wakes) =
        (Box::pin(race(children.into_iter().chain([unpolled, late]))), Wakes::new());
    assert!(poll_once(&mut race, &wakes).is_pending());
    gate.open();
    assert_eq!(counts.drops(), 0);
    let mut polls = 0;
    let winner = loop {
        match poll_once(&mut race, &wakes) {
            std::task::Poll::Ready(winner) => break winner,
            std::task::Poll::Pending => assert!(stepped.step() && polls < 100),
        }
        polls += 1;
    };
    assert_eq!(winner.ok(), Some(7));
    assert_eq!((counts.drops(), opened.n.len()), (3, 0));
    assert_eq!(log.take(), ["RaceLost true", "tidied up"]);
    assert!(ready(opened.finish()).is_ok());
}

#[test]
fn p05_in_all_schedules_no_loser_is_left() {
    in_all_schedules(async |n| {
        let counts = Counts::new();
        let racers = (0..3).map(|i| {
            let guard = counts.guard();
            n.fork(async move {
                let _guard = guard;
                yield_now().await;
                Ok(i)
            })
        });
        let racers: Vec<_> = racers.chain([parked(&n, &counts)]).collect();
        let winner = race(racers).await?;
        assert!(winner < 3);
        assert_eq!((counts.drops(), n.len()), (4, 0));
        Ok(())
    });
}

/// A loser that is cancelled, one that answers with an error, and one with a value.
#[test]
fn p06_a_lost_race_is_no_failure_under_any_policy() {
    for policy in POLICIES {
        let stepped = Stepped::new(1);
        let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(policy));
        let (gate, counts) = (Gate::new(), Counts::new());
        let errs = opened.n.fork(async {
            cancelled().await;
            Err("because of the cancel")
        });
        let guard = counts.guard();
        let gives = opened.n.fork(async move {
            cancelled().await;
            Ok((0, Some(guard)))
        });
        let wins = opened.n.fork({
            let gate = gate.clone();
            async move {
                gate.wait().await;
                Ok((7, None))
            }
        });
        let mut race = Box::pin(race([errs, gives, wins]));
        stepped.run_until_stalled();
        assert!(poll_once(&mut race, &Wakes::new()).is_pending());
        gate.open();
        stepped.run_until_stalled();
        assert!(poll_once(&mut race, &Wakes::new()).is_pending());
        stepped.run_until_stalled();
        let winner = ready(poll_once(&mut race, &Wakes::new())).expect("a value was first");
        assert_eq!((winner.0, counts.drops()), (7, 1), "the loser's value is dropped");
        assert!(ready(opened.finish()).is_ok(), "{policy:?}");
    }
}

/// Two have ended before the joiner looks: the second is a loser that was not cancelled.
#[test]
fn p06_a_failure_that_came_before_the_cancel_is_the_joiner_s() {
    for policy in [Policy::Isolate, Policy::Supervise] {
        let stepped = Stepped::new(1);
        let mut opened = Fallible::fallible(nursery().on(stepped.runtime()).policy(policy));
        let (first, second) = (Gate::new(), Gate::new());
        let children =
            [gated(&opened.n, &first, Ok(7)), gated(&opened.n, &second, Err("too late"))];
        let mut race = Box::pin(race(children));
        stepped.run_until_stalled();
        assert!(poll_once(&mut race, &Wakes::new()).is_pending());
        first.open();
        stepped.run_until_stalled();
        second.open();
        stepped.run_until_stalled();
        assert_eq!(ready(poll_once(&mut race, &Wakes::new())).ok(), Some(7));
        assert!(ready(opened.finish()).is_ok(), "{policy:?}");
    }
}

/// A loser that panics: before the winner, with it, and after the cancel.
#[test]
fn p06_a_panic_of_a_loser_is_a_failure() {
    for (policy, when) in POLICIES.into_iter().flat_map(|policy| [0, 1, 2].map(|at| (policy, at))) {
        if policy == Policy::FailFast && when < 2 {
            // The panic cancels the others.
            continue;
        }
        let stepped = Stepped::new(1);
        let builder = nursery().policy(policy).panics(PanicPolicy::Report);
        let told = Log::default();
        let note = told.clone();
        let builder = builder.on_failure(move |failure| note.note(failure.to_string()));
        let mut opened = Fallible::fallible(builder.on(stepped.runtime()));
        let (gate, bad) = (Gate::new(), Gate::new());
        let wait = bad.clone();
        let panics = opened.n.task("bad").fork(async move {
            if when == 2 {
                cancelled().await;
            } else {
                wait.wait().await;
            }
            panic!("oh")
        });
        let mut joined = Box::pin(first_ok([panics, gated(&opened.n, &gate, Ok(7))]));
        stepped.run_until_stalled();
        assert!(poll_once(&mut joined, &Wakes::new()).is_pending());
        let order = if when == 0 { [&bad, &gate] } else { [&gate, &bad] };
        for gate in order {
            gate.open();
            stepped.run_until_stalled();
        }
        let polled = poll_once(&mut joined, &Wakes::new());
        stepped.run_until_stalled();
        let polled = if polled.is_ready() { polled } else { poll_once(&mut joined, &Wakes::new()) };
        assert_eq!(ready(polled).ok(), Some(7));
        let ended = ready(opened.finish());
        assert_eq!(ended.is_err(), policy != Policy::Supervise, "{policy:?} {when}");
        let told = told.take();
        assert!(told.len() == 1 && told[0].contains("`bad`"), "{policy:?} {when}: {told:?}");
    }
}

/// The losers of a race that a child runs do not make that child one that has cancelled itself.
#[test]
fn p06_in_all_schedules_a_race_in_a_child_ends_well() {
    in_all_schedules(async |n| {
        let inner = n.clone();
        let racer = n.fork(async move {
            let racers = [0, 1, 2].map(|i| {
                inner.fork(async move {
                    yield_now().await;
                    if cancel_reason().is_some() {
                        return Err(Boxed::from("I was cancelled"));
                    }
                    Ok(i)
                })
            });
            Ok(quorum(2, racers).await?)
        });
        assert_eq!(racer.await?.len(), 2);
        Ok(())
    });
}

#[test]
fn p10_drop_then_the_losers_are_cancelled() {
    let stepped = Stepped::new(1);
    let mut opened = Calm::new(nursery().on(stepped.runtime()));
    let (counts, log) = (Counts::new(), Log::default());
    let note = log.clone();
    let hears = opened.n.fork(async move {
        note.note(format!("{:?}", cancelled().await.kind()));
        Ok(0)
    });
    stepped.run_until_stalled();
    // Before its first poll, and after it.
    drop(race([parked(&opened.n, &counts)]));
    assert_eq!(counts.drops(), 1);
    let mut joined = Box::pin(quorum(2, [parked(&opened.n, &counts), hears]));
    assert!(poll_once(&mut joined, &Wakes::new()).is_pending());
    stepped.run_until_stalled();
    drop(joined);
    stepped.run_until_stalled();
    assert_eq!((counts.drops(), opened.n.len()), (2, 0));
    assert_eq!(log.take(), [format!("{:?}", ReasonKind::RaceLost)]);
    assert!(ready(opened.finish()).is_ok());
}
