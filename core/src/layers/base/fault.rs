//! The fault that happens at one of a program's await points: see `sim/inject.rs`.
//!
//! A plan belongs to the thread that drives a simulation. It counts the await points, in the order
//! in which the program reaches them, and names one.

use std::cell::Cell;

/// The message of a cancel, or a panic, that was injected.
pub(crate) const MESSAGE: &str = "injected";

/// What happens at the await point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The nursery of the task is cancelled.
    Cancel,
    /// The program's future is dropped, by the driver of the simulation.
    Drop,
    /// The task panics.
    Panic,
    /// The runtime drops the task.
    Lose,
}

impl Blow {
    pub(crate) const ALL: [Blow; 4] = [Blow::Cancel, Blow::Drop, Blow::Panic, Blow::Lose];

    /// A body is no task that a runtime could drop.
    pub(crate) const OF_BODY: [Blow; 3] = [Blow::Cancel, Blow::Drop, Blow::Panic];

    /// Finalizers go on whatever happens to their nursery. Ended in the middle, they could not do
    /// what they are there for, and no program could be right.
    pub(crate) const OF_FINALIZERS: [Blow; 2] = [Blow::Cancel, Blow::Drop];
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

/// Counts from here on, and strikes at the point with that number, the first being 0.
pub(crate) fn plan(target: Option<(u64, Blow)>) -> Planned {
    PLAN.set(Some(Plan { seen: 0, target, struck: false }));
    Planned
}

/// Returns `true` if await points are counted on this thread.
pub(crate) fn is_planned() -> bool {
    PLAN.get().is_some()
}

/// Counts an await point of a task that can be struck in these ways. Returns what must happen to
/// the task.
pub(crate) fn point(ways: &[Blow]) -> Option<Blow> {
    let mut plan = PLAN.get()?;
    let blow = plan.target.filter(|(at, _)| *at == plan.seen).map(|(_, blow)| blow);
    let blow = blow.filter(|blow| ways.contains(blow));
    plan.seen += 1;
    plan.struck |= blow.is_some();
    PLAN.set(Some(plan));
    blow
}

/// A plan that is followed until this is dropped.
pub(crate) struct Planned;

impl Planned {
    /// Returns how many await points there were.
    pub(crate) fn seen(&self) -> u64 {
        PLAN.get().map_or(0, |plan| plan.seen)
    }

    /// Returns `true` if the plan has struck.
    pub(crate) fn has_struck(&self) -> bool {
        PLAN.get().is_some_and(|plan| plan.struck)
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        PLAN.set(None);
    }
}
