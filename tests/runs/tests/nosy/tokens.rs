//! Tokens: waiters, callbacks, tasks that wait for a drain; below a parent, and with a child.

use super::alone;
use super::nosy::{Watch, at_each_call, sequences};
use allhome::cancel::{Cancelled, Level, Registration};
use allhome::{CancelToken, Reason};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait,
    Leave,
    Drain,
    LeaveDrain,
    Register,
    Remove,
    Keep,
    Rise,
    Cancel,
}

const STEPS: [Step; 9] = [
    Step::Wait,
    Step::Leave,
    Step::Drain,
    Step::LeaveDrain,
    Step::Register,
    Step::Remove,
    Step::Keep,
    Step::Rise,
    Step::Cancel,
];

/// What a nosy value does with the token that it was given to.
fn look(token: &CancelToken) {
    let child = token.child();
    let _ = CancelToken::any([token, &child]);
    let _ = (token.level(), token.reason(), format!("{token:?}"));
    drop(token.on_cancel(|_| ()));
    let mut cx = Context::from_waker(Waker::noop());
    let _ = Box::pin(token.cancelled()).as_mut().poll(&mut cx);
    let _ = Box::pin(token.draining()).as_mut().poll(&mut cx);
    child.cancel();
    // No more than it is already: what follows in the program is the program's.
    token.escalate_to(token.level(), Reason::new("look"));
}

/// What there is of each kind at the moment.
struct Played<'a> {
    token: &'a CancelToken,
    waits: Option<Pin<Box<Cancelled<'a>>>>,
    drains: Option<Pin<Box<allhome::cancel::Draining>>>,
    registration: Option<Registration>,
}

impl Played<'_> {
    fn play(&mut self, step: Step, watch: &Arc<Watch>) {
        match step {
            // A waker of its own each time: the one before is dropped.
            Step::Wait => {
                let waker = watch.waker();
                let waits = self.waits.get_or_insert_with(|| Box::pin(self.token.cancelled()));
                let _ = waits.as_mut().poll(&mut Context::from_waker(&waker));
            }
            Step::Drain => {
                let waker = watch.waker();
                let drains = self.drains.get_or_insert_with(|| Box::pin(self.token.draining()));
                let _ = drains.as_mut().poll(&mut Context::from_waker(&waker));
            }
            Step::Leave => self.waits = None,
            Step::LeaveDrain => self.drains = None,
            Step::Register => {
                let nosy = watch.nosy();
                self.registration = Some(self.token.on_cancel(move |_| nosy.called("callback")));
            }
            Step::Remove => self.registration = None,
            Step::Keep => self.registration.take().into_iter().for_each(Registration::keep),
            Step::Rise => drop(self.token.escalate(Reason::new("step"))),
            Step::Cancel => drop(self.token.cancel()),
        }
    }
}

/// Each sequence of steps at a token that has a parent and a child; a panic in each call.
#[test]
fn k06_k09_tokens_hold_no_lock_and_stay_whole() {
    let _alone = alone();
    let mut seen = std::collections::BTreeSet::new();
    for steps in sequences(&STEPS, 3) {
        let name = format!("{steps:?}");
        let calls = at_each_call(&name, |watch| {
            let root = CancelToken::new();
            let (token, bystander) = (root.child(), root.child());
            let below = token.child();
            let looked = token.clone();
            watch.looks(move || look(&looked));
            let mut played =
                Played { token: &token, waits: None, drains: None, registration: None };
            for step in &steps {
                watch.step(|| played.play(*step, watch));
            }
            let mut others = Box::pin(bystander.cancelled());
            assert!(others.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            watch.step(|| root.cancel());
            // Whatever panicked, all are notified and none is left.
            assert!([&root, &token, &below, &bystander].iter().all(|token| token.is_cancelled()));
            assert!(others.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
            assert_eq!(token.level().max(Level::Cancelled), token.level());
            watch.step(|| drop(played));
            watch.looks(|| ());
        });
        seen.extend(calls);
    }
    assert_eq!(Vec::from_iter(seen), ["callback", "clone", "drop", "wake"]);
}
