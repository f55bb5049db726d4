//! W5: budgets, of runtimes that limit what a task may do in one poll. Others have no limit, which
//! is one that is never reached.

use super::probe::{Flag, Probe};
use crate::fixture::{Fixture, until};
use crate::rule::rules;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

rules! { "budget":
    Must w51_a_poll_begins_with_budget []
        "A carrier without budget gives its turn back; one that never has any polls no child."
        "the driver sets the budget up once, and not before each poll, or not after the first";
    Must w52_each_call_has_a_whole_budget []
        "Children that share a task do not share its budget: each poll of a child is such a call."
        "`with_budget` calls the closure with the rest of a budget, more than once, or not at all";
}

fn w51_a_poll_begins_with_budget(fixture: &mut Fixture) {
    const POLLS: usize = 50;
    let (runtime, polls, none) =
        (fixture.runtime(), Arc::new(AtomicUsize::new(0)), Flag::default());
    fixture.drive(async {
        let (asked, count, missing) = (runtime.clone(), polls.clone(), none.clone());
        runtime.run(poll_fn(move |cx| {
            if !asked.has_budget() {
                missing.raise();
            }
            if count.fetch_add(1, Ordering::SeqCst) + 1 == POLLS {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        until("a task has had its polls", || polls.load(Ordering::SeqCst) == POLLS).await;
    });
    assert!(!none.is_up(), "a poll began without budget");
}

fn w52_each_call_has_a_whole_budget(fixture: &mut Fixture) {
    const CALLS: usize = 1_000;
    let (runtime, probe) = (fixture.runtime(), Probe::new());
    let (polls, none) = (Arc::new(AtomicUsize::new(0)), Flag::default());
    fixture.drive(async {
        let (asked, count, missing) = (runtime.clone(), polls.clone(), none.clone());
        let mut inner = Box::pin(probe.future());
        probe.ends();
        runtime.run(poll_fn(move |cx| {
            for _ in 0..CALLS {
                let left = asked.with_budget(&mut || {
                    count.fetch_add(1, Ordering::SeqCst);
                    if !asked.has_budget() {
                        missing.raise();
                    }
                });
                if !left {
                    missing.raise();
                }
            }
            inner.as_mut().poll(cx)
        }));
        until("a task has made its calls", || probe.drops() == 1).await;
    });
    assert_eq!(polls.load(Ordering::SeqCst), CALLS, "one call of each is one call");
    assert!(!none.is_up(), "a call had no budget, although no call before it had used any");
}
