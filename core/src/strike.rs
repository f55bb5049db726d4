//! What is to happen at one of a program's await points: see `sim/inject.rs`.
//!
//! A plan belongs to the thread that drives a simulation. It counts the await points, in the order
//! in which the program comes to them, and names one.

use std::cell::Cell;

/// What a cancel, or a panic, that was injected says.
pub(crate) const MESSAGE: &str = "injected";

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The nursery of the task is cancelled.
    Cancel,
    /// The program's future is dropped, by whoever drives it.
    Drop,
    /// The task panics.
    Panic,
    /// The runtime throws the task away.
    Lose,
}

#[derive(Clone, Copy)]
struct Plan {
    seen: u64,
    target: Option<(u64, Blow)>,
    struck: bool,
}

std::thread_local! {
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
}

/// Counts from here on; strikes at the point with that number, the first being 0.
pub(crate) fn plan(target: Option<(u64, Blow)>) -> Planned {
    PLAN.set(Some(Plan { seen: 0, target, struck: false }));
    Planned
}

/// Whether somebody counts.
pub(crate) fn is_planned() -> bool {
    PLAN.get().is_some()
}

/// A task, or with `lost` false a body, which no runtime can lose, has come to an await point.
/// Returns what is to happen to it.
pub(crate) fn point(lost: bool) -> Option<Blow> {
    let mut plan = PLAN.get()?;
    let blow = plan.target.filter(|(at, _)| *at == plan.seen).map(|(_, blow)| blow);
    let blow = blow.filter(|blow| lost || *blow != Blow::Lose);
    plan.seen += 1;
    plan.struck |= blow.is_some();
    PLAN.set(Some(plan));
    blow
}

/// A plan that is being followed, until this is dropped.
pub(crate) struct Planned;

impl Planned {
    /// Returns how many await points there were.
    pub(crate) fn seen(&self) -> u64 {
        PLAN.get().map_or(0, |plan| plan.seen)
    }

    /// Tells whether it has happened.
    pub(crate) fn has_struck(&self) -> bool {
        PLAN.get().is_some_and(|plan| plan.struck)
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        PLAN.set(None);
    }
}
