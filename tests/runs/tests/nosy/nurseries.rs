//! Nurseries: children that fail, wait, give a value and are joined; finalizers, blocking work and
//! callbacks; a hook, a scoped value; every way to end, also by the runtime.

use super::alone;
use super::nosy::{Nosy, Watch, at_each_call, panics, sequences};
use allhome::error::PanicPolicy;
use allhome::task::ScopedKey;
use allhome::task::orphans;
use allhome::{Child, Nursery, Policy, nursery};
use allhome_runs::{Jobs, Stepped};
use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A child that returns an error: the second one is beyond the bound.
    Fail,
    /// A child that panics.
    Panic,
    /// A child that gives a value.
    Value,
    /// A child that waits for ever.
    Wait,
    /// The child that gives a value is joined, with a waker of its own each time.
    Join,
    LeaveChild,
    Defer,
    Job,
    Callback,
    /// The runtime does what it can.
    Run,
    /// The nursery's future is polled, with a waker of its own each time.
    Poll,
    Close,
    Cancel,
    Abort,
    /// The nursery's future is dropped.
    Leave,
    /// The runtime ends.
    Down,
}

const STEPS: [Step; 16] = [
    Step::Fail,
    Step::Panic,
    Step::Value,
    Step::Wait,
    Step::Join,
    Step::LeaveChild,
    Step::Defer,
    Step::Job,
    Step::Callback,
    Step::Run,
    Step::Poll,
    Step::Close,
    Step::Cancel,
    Step::Abort,
    Step::Leave,
    Step::Down,
];

static KEY: ScopedKey<Nosy> = ScopedKey::new();

type Run = Pin<Box<dyn Future<Output = ()>>>;

/// What a nosy value does with the nursery that it was given to.
pub(super) fn look(n: &Nursery<Nosy>) {
    let _ = (n.len(), n.level(), n.reason(), n.tree().to_string(), orphans().len());
    n.spawn(async { Ok(()) });
    let mut child = n.fork(async { Ok(()) });
    let _ = Pin::new(&mut child).poll(&mut Context::from_waker(Waker::noop()));
    child.abort();
    let token = n.token();
    drop(token.on_cancel(|_| ()));
    drop((token, child));
}

struct Played {
    stepped: Stepped,
    jobs: Jobs,
    n: Nursery<Nosy>,
    run: Option<Run>,
    child: Option<Child<Nosy, Nosy>>,
}

impl Played {
    fn open(watch: &Arc<Watch>, policy: Policy) -> Played {
        let (stepped, jobs) = (Stepped::new(1), Jobs::new());
        let (hook, value) = (watch.nosy(), watch.nosy());
        let handle = Arc::new(Mutex::new(None));
        let out = handle.clone();
        let nursery = nursery().on(stepped.runtime_with(&jobs)).policy(policy);
        let nursery = nursery.keep_failures(1).panics(PanicPolicy::Report);
        let told = hook.clone();
        let nursery = nursery.on_failure(move |_| told.called("hook"));
        let run = nursery.on_panic(move |_| hook.called("hook")).run(move |n: Nursery<Nosy>| {
            *out.lock().unwrap() = Some(n);
            pending::<Result<(), Nosy>>()
        });
        let mut run: Run = Box::pin(async { drop(KEY.scope(value, run).await) });
        let _ = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let n = handle.lock().unwrap().take().expect("the body was called");
        Played { stepped, jobs, n, run: Some(run), child: None }
    }

    fn play(&mut self, step: Step, watch: &Arc<Watch>) {
        let (nosy, other) = (watch.nosy(), watch.nosy());
        match step {
            Step::Fail => drop(self.n.spawn(async move {
                nosy.future(0).await;
                Err(other)
            })),
            Step::Panic => drop(self.n.spawn(async move {
                let _other = other;
                nosy.future(0).await;
                panics()
            })),
            Step::Value => {
                let child = self.n.fork(async move {
                    nosy.future(1).await;
                    Ok(other)
                });
                self.child = Some(child);
            }
            Step::Wait => drop(self.n.spawn(async move {
                let _other = other;
                nosy.future(0).await;
                pending().await
            })),
            Step::Join => {
                if let Some(child) = &mut self.child {
                    let waker = watch.waker();
                    let _ = Pin::new(child).poll(&mut Context::from_waker(&waker));
                }
            }
            Step::LeaveChild => self.child = None,
            Step::Defer => {
                let _ = self.n.defer(Duration::MAX, async move {
                    nosy.future(1).await;
                    Err(other)
                });
            }
            Step::Job => drop(self.n.blocking(move |_| {
                nosy.called("job");
                Ok(())
            })),
            Step::Callback => {
                self.n.token().on_cancel(move |_| nosy.called("callback")).keep();
            }
            Step::Run => {
                self.stepped.run_until_stalled();
                while self.jobs.run() {}
                self.stepped.run_until_stalled();
            }
            Step::Poll => {
                // One that panics is dropped, as a runtime does.
                if let Some(mut run) = self.run.take() {
                    let waker = watch.waker();
                    if run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                        self.run = Some(run);
                    }
                }
            }
            Step::Close => drop(self.n.close()),
            Step::Cancel => drop(self.n.cancel()),
            Step::Abort => drop(self.n.abort()),
            Step::Leave => self.run = None,
            Step::Down => self.stepped.shutdown(),
        }
    }
}

fn go_through(policy: Policy, length: usize) -> BTreeSet<&'static str> {
    let _alone = alone();
    let mut seen = BTreeSet::new();
    for steps in sequences(&STEPS, length) {
        let name = format!("{policy:?} {steps:?}");
        seen.extend(at_each_call(&name, |watch| {
            let Some(mut played) = watch.step(|| Played::open(watch, policy)) else { return };
            let looked = played.n.clone();
            watch.looks(move || look(&looked));
            for step in &steps {
                watch.step(|| played.play(*step, watch));
            }
            // Whatever panicked, everything comes to an end, and no user's value is left.
            watch.step(|| played.child = None);
            watch.step(|| played.run = None);
            watch.step(|| played.play(Step::Run, watch));
            watch.step(|| played.stepped.shutdown());
            watch.step(|| while played.jobs.run() {});
            assert!(played.n.is_empty() && orphans().is_empty());
            watch.looks(|| ());
            drop(played);
            assert_eq!(Arc::strong_count(watch), 1, "a user's value is left");
        }));
    }
    seen
}

const ALL: [&str; 7] = ["callback", "clone", "drop", "hook", "job", "poll", "wake"];

#[test]
fn o23_nurseries_hold_no_lock_and_stay_whole() {
    assert_eq!(Vec::from_iter(go_through(Policy::WaitAll, 3)), ALL);
}

#[test]
fn o23_with_other_policies_too() {
    assert_eq!(Vec::from_iter(go_through(Policy::FailFast, 2)), ALL);
    assert_eq!(Vec::from_iter(go_through(Policy::Isolate, 2)), ALL);
    assert_eq!(Vec::from_iter(go_through(Policy::Supervise, 2)), ALL);
}
