//! What becomes of the children that are not needed.

use crate::{Calm, Fallible, after, gated, parked, ready, waits};
use allhome::cancel::{ReasonKind, cancel_reason};
use allhome::error::PanicPolicy;
use allhome::join::{Children, first_ok, hedge, quorum, race};
use allhome::time::now;
use allhome::{Nursery, Policy, cancelled, move_on_after, nursery, shield, sim, sleep, yield_now};
use allhome_conformance::{Counts, DropPanics, Gate};
use allhome_runs::place::{Forks, Place, settle};
use allhome_runs::{Boxed, Log, SECOND, Stepped, Wakes, in_all_schedules, poll_once};
use std::future::pending;
use std::time::Duration;

in_each_place! {
    p05_losers_are_gone_whatever_they_do
    p05_a_loser_s_destructor_spawns
    p06_a_lost_race_is_no_failure_under_any_policy
    p06_a_loser_s_destructor_panics
    p10_dropped_in_the_middle
}

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
fn p06_a_lost_race_is_no_failure_under_any_policy<P: Place>() {
    for policy in POLICIES {
        let ended = P::run(policy, async |n: P::Handle| {
            let (counts, start) = (Counts::new(), now());
            let errs = n.fork(async {
                cancelled().await;
                Err("because of the cancel")
            });
            let guard = counts.guard();
            let gives = n.fork(async move {
                cancelled().await;
                Ok((0, Some(guard)))
            });
            let wins = after(&n, 1, Ok((7, None)));
            let winner = race([errs, gives, wins, waits(&n, &counts)]).await;
            let winner = winner.expect("a value was first");
            assert_eq!((winner.0, now() - start), (7, SECOND));
            assert_eq!((counts.drops(), n.len()), (2, 0), "the loser's value is dropped");
        });
        assert!(ended.is_ok(), "{policy:?}");
    }
}

/// Losers that wait, that were not polled, and that take their time.
fn p05_losers_are_gone_whatever_they_do<P: Place>() {
    let ended = P::run(Policy::FailFast, async |n: P::Handle| {
        let (counts, start) = (Counts::new(), now());
        let guard = counts.guard();
        let tidies = n.fork(async move {
            let _guard = guard;
            assert_eq!(cancelled().await.kind(), ReasonKind::RaceLost);
            shield(Duration::MAX, sleep(SECOND * 2)).await;
            Ok(0)
        });
        let children = [after(&n, 1, Ok(7)), waits(&n, &counts), tidies];
        settle().await;
        let unpolled = waits(&n, &counts);
        let winner = race(children.into_iter().chain([unpolled])).await;
        assert_eq!((winner.ok(), now() - start), (Some(7), SECOND * 3));
        assert_eq!((counts.drops(), n.len()), (3, 0));
        // One that has won already, and a loser that was never polled.
        let won = after(&n, 0, Ok(8));
        settle().await;
        assert_eq!(race([won, waits(&n, &counts)]).await.ok(), Some(8));
        assert_eq!((counts.drops(), n.len()), (4, 0));
    });
    ended.expect("no failure is the nursery's");
}

/// Spawns a child when it is dropped.
struct SpawnsAtDrop<N: Forks>(N, Counts);

impl<N: Forks> Drop for SpawnsAtDrop<N> {
    fn drop(&mut self) {
        assert!(self.0.len() < 100);
        let guard = self.1.guard();
        drop(self.0.fork(async move {
            let _guard = guard;
            sleep(SECOND * 5).await;
            Ok(())
        }));
    }
}

/// The new children are the nursery's, and no losers: they are not waited for.
fn p05_a_loser_s_destructor_spawns<P: Place>() {
    let counts = Counts::new();
    let ended = P::run(Policy::FailFast, async |n: P::Handle| {
        let start = now();
        let loser = || {
            let spawns = SpawnsAtDrop(n.clone(), counts.clone());
            n.fork(async move {
                let _spawns = spawns;
                pending().await
            })
        };
        let children = [after(&n, 1, Ok(7)), loser(), loser()];
        settle().await;
        let unpolled = loser();
        let winner = race(children.into_iter().chain([unpolled])).await;
        assert_eq!((winner.ok(), now() - start), (Some(7), SECOND));
        assert_eq!((n.len(), counts.drops()), (3, 0), "they are what the losers have left");
    });
    ended.expect("no failure is the nursery's");
    assert_eq!(counts.drops(), 3, "the nursery waits for them");
}

fn p06_a_loser_s_destructor_panics<P: Place>() {
    for policy in [Policy::WaitAll, Policy::Isolate, Policy::Supervise] {
        let ended = P::run(policy, async |n: P::Handle| {
            let counts = Counts::new();
            let panics = n.fork(async {
                let _panics = DropPanics("in the destructor");
                pending().await
            });
            let children = [after(&n, 1, Ok(7)), panics, waits(&n, &counts)];
            assert_eq!(race(children).await.ok(), Some(7));
            assert_eq!((counts.drops(), n.len()), (1, 0), "the others are gone");
        });
        let failures = ended.map_or_else(|error| error.failures().len(), |()| 0);
        assert_eq!(failures, usize::from(policy != Policy::Supervise), "{policy:?}");
    }
}

fn p10_dropped_in_the_middle<P: Place>() {
    let ended = P::run(Policy::FailFast, async |n: P::Handle| {
        let counts = Counts::new();
        let children = [waits::<_, u8>(&n, &counts), waits(&n, &counts)];
        let others = [waits::<_, u8>(&n, &counts), waits(&n, &counts)];
        assert!(move_on_after(SECOND, race(children)).await.is_none());
        drop(quorum(2, others));
        settle().await;
        assert_eq!((counts.drops(), n.len()), (4, 0));
        // And one that is decided, and waits for its losers.
        let slow = n.fork(async {
            cancelled().await;
            shield(Duration::MAX, sleep(SECOND * 5)).await;
            Ok(0)
        });
        let (children, start) = ([after(&n, 1, Ok(1)), slow], now());
        assert!(move_on_after(SECOND * 2, race(children)).await.is_none());
        assert_eq!((n.len(), now() - start), (1, SECOND * 2), "the nursery waits for it");
    });
    ended.expect("no failure is the nursery's");
}

/// Ended at each of its await points, by a cancel, a drop, a panic and a loss, a joiner leaves no
/// child, and gives no result before its losers are gone.
#[test]
fn p05_struck_at_each_await_point_no_loser_is_left() {
    let report = sim::inject(|| {
        let (made, gone) = (Log::default(), Log::default());
        let (makes, goes) = (made.clone(), gone.clone());
        let body = async move |_: Nursery<Boxed>| {
            let inner = nursery().policy(Policy::Isolate);
            let run = inner.run(async move |n: Nursery<Boxed>| {
                let child = |seconds| {
                    makes.note("child");
                    let guard = goes.on_drop("child");
                    n.fork(async move {
                        let _guard = guard;
                        sleep(SECOND * seconds).await;
                        Ok(seconds)
                    })
                };
                let _ = quorum(2, [child(1), child(2), child(9)]).await;
                assert!(n.is_empty());
                let _ = race([child(8), child(9)]).deadline(SECOND).await;
                assert!(n.is_empty());
                let _ = hedge(SECOND, [9, 1].into_iter().map(child)).await;
                assert!(n.is_empty());
                let mut children = Children::from_iter([child(1), child(2)]);
                while let Some(child) = children.join_next().await {
                    let _ = child.into_result();
                }
                Ok(())
            });
            Ok(run.await?)
        };
        (body, move || assert_eq!(made.take().len(), gone.take().len(), "each is gone"))
    });
    let report = report.unwrap();
    assert!(report.points() >= 10, "{report:?}");
    assert!(report.cancels() >= 10 && report.drops() >= 10 && report.panics() >= 10);
    assert!(report.losses() >= 5);
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
