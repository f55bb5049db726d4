//! W10, W19: that nothing is left of what is over. The measure is the memory that the process has
//! touched.

use super::probe::Kept;
use crate::fixture::{Fixture, OnRuntime, first, step, turn};
use crate::memory::resident;
use crate::probe::Counts;
use crate::rule::rules;
use std::future::poll_fn;
use std::task::{Poll, Waker};

rules! { "waker":
    Must w10_an_ended_task_leaves_no_memory [Memory]
        "A server has a child for each request."
        "the task and its entry in a list point to each other, or an index only grows";
    Must w19_a_waker_leaves_no_memory [Memory]
        "Each wait of a child takes a waker."
        "`wake` by value does not let go of its count, or `clone` takes two";
}

/// How many tasks an attempt has, and what a task may leave, in bytes: less than the record of a task
/// takes, and more than a line of a log.
const TASKS: usize = 3_000;
const LEFT: usize = 48;

/// Runs tasks to their end, in turns of a hundred, so that few are there at once.
async fn run_all(runtime: &OnRuntime, uses: fn(&Waker) -> Option<Waker>, wakes: fn(Waker)) {
    let over = Counts::new();
    for round in 1..=TASKS / 100 {
        let kept: Vec<_> = (0..100).map(|_| Kept::default()).collect();
        for kept in &kept {
            let (guard, kept, mut polls) = (over.guard(), kept.clone(), 0);
            runtime.run(poll_fn(move |cx| {
                let _ = &guard;
                polls += 1;
                match uses(cx.waker()).filter(|_| polls == 1) {
                    Some(waker) => kept.put(waker),
                    None => return Poll::Ready(()),
                }
                Poll::Pending
            }));
        }
        let mut wakers = kept;
        while over.drops() < round * 100 {
            wakers.retain(|kept| kept.take().map(wakes).is_none());
            turn().await;
        }
    }
}

fn touched() -> usize {
    resident().expect("the rule needs it")
}

/// Panics if each of several attempts leaves memory: what is at work beside may take some once.
async fn leaves_none(
    runtime: &OnRuntime,
    what: &str,
    uses: fn(&Waker) -> Option<Waker>,
    wakes: fn(Waker),
) {
    first("the first tasks end", || true).await;
    run_all(runtime, uses, wakes).await;
    step(what);
    let mut left = Vec::new();
    for _ in 0..8 {
        let before = touched();
        run_all(runtime, uses, wakes).await;
        let grown = touched().saturating_sub(before);
        if grown < TASKS * LEFT {
            return;
        }
        left.push(grown / TASKS);
    }
    panic!("{what}: each leaves {left:?} bytes");
}

fn w10_an_ended_task_leaves_no_memory(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    fixture.drive(leaves_none(&runtime, "tasks that have ended", |_| None, drop));
}

fn w19_a_waker_leaves_no_memory(fixture: &mut Fixture) {
    let runtime = fixture.runtime();
    fixture.drive(async {
        let dropped = |waker: &Waker| {
            drop(waker.clone());
            None
        };
        leaves_none(&runtime, "wakers that were dropped", dropped, drop).await;
        let kept = |waker: &Waker| Some(waker.clone());
        leaves_none(&runtime, "wakers that woke by value", kept, Waker::wake).await;
        let by_reference = |waker: Waker| waker.wake_by_ref();
        leaves_none(&runtime, "wakers that woke by reference", kept, by_reference).await;
    });
}
