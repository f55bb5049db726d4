//! Joiners of many children: values, failures, destructors, predicates, attempts and wakers.

use super::alone;
use super::nosy::{Nosy, Watch, at_each_call, sequences};
use super::nurseries::look;
use allhome::error::PanicPolicy;
use allhome::join::{Children, first_ok, hedge, quorum, race, until_match};
use allhome::task::orphans;
use allhome::{Child, Nursery, Policy, nursery};
use allhome_runs::Stepped;
use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The joiner is polled, with a waker of its own each time.
    Poll,
    /// The runtime does what it can.
    Run,
    Turn,
    Leave,
    Cancel,
    CancelChildren,
    Abort,
    Down,
}

const STEPS: [Step; 8] = [
    Step::Poll,
    Step::Run,
    Step::Turn,
    Step::Leave,
    Step::Cancel,
    Step::CancelChildren,
    Step::Abort,
    Step::Down,
];

#[derive(Clone, Copy, Debug)]
enum By {
    Next,
    Race,
    FirstOk,
    Quorum,
    Match,
    Hedge,
}

type Joined = Pin<Box<dyn Future<Output = ()>>>;

struct Played {
    stepped: Stepped,
    n: Nursery<Nosy>,
    run: Joined,
    joined: Option<Joined>,
}

/// One that gives a value, one that fails, and one that waits.
fn children(n: &Nursery<Nosy>, watch: &Arc<Watch>) -> [Child<Nosy, Nosy>; 3] {
    let (value, error, kept) = (watch.nosy(), watch.nosy(), watch.nosy());
    let (one, two) = (watch.nosy(), watch.nosy());
    [
        n.fork(async move {
            let _kept = kept;
            pending().await
        }),
        n.fork(async move {
            one.future(0).await;
            Err(error)
        }),
        n.fork(async move {
            two.future(1).await;
            Ok(value)
        }),
    ]
}

fn joined(by: By, n: &Nursery<Nosy>, watch: &Arc<Watch>) -> Joined {
    let children = children(n, watch);
    // Moved into the future, or not made: if it were left, and its destructor panicked here, what is
    // returned would be leaked (rust-lang/rust#47949).
    let nosy = matches!(by, By::Next | By::Match | By::Hedge).then(|| watch.nosy());
    let called = move |call| nosy.iter().for_each(|nosy| nosy.called(call));
    match by {
        By::Next => Box::pin(async move {
            let mut children = Children::from_iter(children);
            while let Some(child) = children.join_next().await {
                called("joined");
                drop(child.into_result());
            }
        }),
        By::Race => Box::pin(async move { drop(race(children).await) }),
        By::FirstOk => Box::pin(async move { drop(first_ok(children).await) }),
        By::Quorum => Box::pin(async move { drop(quorum(2, children).await) }),
        By::Match => Box::pin(async move {
            let matches = |_: &Nosy| {
                called("predicate");
                true
            };
            drop(until_match(children, matches).await);
        }),
        By::Hedge => Box::pin(async move {
            let attempts = children.into_iter().inspect(|_| called("attempt"));
            drop(hedge(Duration::ZERO, attempts).await);
        }),
    }
}

impl Played {
    fn open(by: By, policy: Policy, watch: &Arc<Watch>) -> Played {
        let stepped = Stepped::new(1);
        let handle = Arc::new(Mutex::new(None));
        let out = handle.clone();
        let nursery = nursery().on(stepped.runtime()).policy(policy).panics(PanicPolicy::Report);
        let run = nursery.run(move |n: Nursery<Nosy>| {
            *out.lock().unwrap() = Some(n);
            pending::<Result<(), Nosy>>()
        });
        let mut run: Joined = Box::pin(async { drop(run.await) });
        let _ = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let n = handle.lock().unwrap().take().expect("the body was called");
        let joined = Some(joined(by, &n, watch));
        Played { stepped, n, run, joined }
    }

    fn play(&mut self, step: Step, watch: &Arc<Watch>) {
        match step {
            Step::Poll => {
                // One that panics is dropped, as a runtime does.
                if let Some(mut joined) = self.joined.take() {
                    let waker = watch.waker();
                    if joined.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                        self.joined = Some(joined);
                    }
                }
            }
            Step::Run => drop(self.stepped.run_until_stalled()),
            Step::Turn => drop(self.stepped.step()),
            Step::Leave => self.joined = None,
            Step::Cancel => drop(self.n.cancel()),
            Step::CancelChildren => drop(self.n.cancel_children()),
            Step::Abort => drop(self.n.abort()),
            Step::Down => self.stepped.shutdown(),
        }
    }
}

fn go_through(by: By, policy: Policy, length: usize, seen: &mut BTreeSet<&'static str>) {
    let _alone = alone();
    for steps in sequences(&STEPS, length) {
        let name = format!("{by:?} {policy:?} {steps:?}");
        seen.extend(at_each_call(&name, |watch| {
            let Some(mut played) = watch.step(|| Played::open(by, policy, watch)) else { return };
            let looked = played.n.clone();
            watch.looks(move || look(&looked));
            for step in [Step::Poll].iter().chain(&steps) {
                watch.step(|| played.play(*step, watch));
            }
            // Whatever panicked, everything comes to an end, and no user's value is left.
            watch.step(|| played.joined = None);
            watch.step(|| played.run = Box::pin(async {}));
            watch.step(|| played.play(Step::Run, watch));
            watch.step(|| played.stepped.shutdown());
            assert!(played.n.is_empty() && orphans().is_empty());
            watch.looks(|| ());
            drop(played);
            assert_eq!(Arc::strong_count(watch), 1, "a user's value is left");
        }));
    }
}

#[test]
fn o23_joiners_hold_no_lock_and_stay_whole() {
    let mut seen = BTreeSet::new();
    for by in [By::Next, By::Race, By::FirstOk, By::Quorum, By::Match, By::Hedge] {
        go_through(by, Policy::Isolate, 2, &mut seen);
        go_through(by, Policy::FailFast, 1, &mut seen);
    }
    let all = ["attempt", "clone", "drop", "joined", "poll", "predicate", "wake"];
    assert_eq!(Vec::from_iter(seen), all);
}
