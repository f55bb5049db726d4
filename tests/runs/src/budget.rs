//! A runtime that limits what a task may do in one poll, as tokio does, and counts it.
//!
//! Each poll of a task begins with [`BUDGET`] units, and so does each poll of what is
//! [`limited`]. [`units`] takes them one by one, and waits for the next turn when none is left.

use crate::clock::Clock;
use crate::stepped::Stepped;
use allhome_rt::{Runtime, Spawn, Task};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// How many units a poll of a task begins with.
pub const BUDGET: u32 = 8;

thread_local! {
    /// None outside of any poll of a task: there is no limit.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Calls this with a whole budget, and puts back what there was before.
fn with_whole<T>(f: impl FnOnce() -> T) -> (T, bool) {
    let before = LEFT.replace(Some(BUDGET));
    let result = f();
    (result, LEFT.replace(before) != Some(0))
}

/// Polls the future with a whole budget each time, as a runtime polls its root and its tasks.
pub async fn limited<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| with_whole(|| future.as_mut().poll(cx)).0).await
}

/// Takes so many units, in as few polls as there is budget for.
pub async fn units(number: u32) {
    for _ in 0..number {
        poll_fn(|cx| match LEFT.get() {
            Some(0) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            left => {
                LEFT.set(left.map(|left| left - 1));
                Poll::Ready(())
            }
        })
        .await;
    }
}

/// Uses up what is left in this poll.
pub fn use_up() {
    if LEFT.get().is_some() {
        LEFT.set(Some(0));
    }
}

/// Calls this as a part of a task that has used up its budget.
pub fn without<T>(f: impl FnOnce() -> T) -> T {
    let before = LEFT.replace(Some(0));
    let result = f();
    LEFT.set(before);
    result
}

/// Returns a runtime with budgets, of that executor and clock.
pub fn budgeted(stepped: &Stepped, clock: &Clock) -> Runtime {
    let spawn = Budgeted { spawn: stepped.spawner(), whole: true };
    Runtime::builder("budgeted", spawn).timer(clock.clone()).build()
}

/// As [`budgeted`], but its tasks find what budget there is where they are polled.
pub fn budgeted_outside(stepped: &Stepped) -> Runtime {
    Runtime::new("budgeted_outside", Budgeted { spawn: stepped.spawner(), whole: false })
}

struct Budgeted<S> {
    spawn: S,
    /// Whether each poll of a task begins with a whole budget.
    whole: bool,
}

impl<S: Spawn> Spawn for Budgeted<S> {
    fn spawn(&self, task: Task) {
        let task = if self.whole { Task::from_future(limited(task)) } else { task };
        self.spawn.spawn(task);
    }

    fn threads(&self) -> usize {
        self.spawn.threads()
    }

    fn has_budget(&self) -> bool {
        LEFT.get() != Some(0)
    }

    fn with_budget(&self, poll: &mut dyn FnMut()) -> bool {
        with_whole(poll).1
    }
}
