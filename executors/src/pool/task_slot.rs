//! A task's place in its shard.
//!
//! | phase    | the task is                              |
//! |----------|------------------------------------------|
//! | `Waits`  | here; only a wake brings it back         |
//! | `Queued` | here, and its key in one queue           |
//! | `Polled` | in the hands of the worker that polls it |
//! | `Woken`  | the same, and must be polled once more   |
//!
//! | from     | event   | to       | the caller must                  |
//! |----------|---------|----------|----------------------------------|
//! | `Waits`  | `wake`  | `Queued` | put the key in a queue           |
//! | `Queued` | `wake`  | same     | nothing: it is in one            |
//! | `Polled` | `wake`  | `Woken`  | nothing: `pause` sees it         |
//! | `Woken`  | `wake`  | same     | nothing                          |
//! | `Queued` | `start` | `Polled` | poll                             |
//! | `Polled` | `pause` | `Waits`  | nothing                          |
//! | `Woken`  | `pause` | `Queued` | put the key in a queue           |
//!
//! A task that has ended leaves with its slot. Every transition is made under the shard's lock, so
//! what a waker's caller wrote before the wake is seen by the poll that follows, also when the task
//! was queued already.
//!
//! # Invariants
//!
//! 1. A key is in one queue, or on its way there or to its shard, if and only if the phase is
//!    `Queued`.
//! 2. So at most one thread is between `start` and `pause`: polls never overlap.

use super::cell::{Cell, TaskKey};
use crate::guarded::Foreign;
use allhome_rt::Task;
use std::sync::Arc;
use std::task::Waker;

pub(super) struct TaskSlot {
    phase: Phase,
    /// `None` while it is polled.
    occupant: Option<Occupant>,
    cell: Arc<Cell>,
}

/// A task, and the waker that it is polled with.
pub(super) struct Occupant {
    pub(super) task: Foreign<Task>,
    pub(super) waker: Waker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waits,
    Queued,
    Polled,
    Woken,
}

/// What the caller of a transition must do.
#[must_use = "a task that should be queued and is not would never be polled again"]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Requeue {
    /// Put the key in a queue.
    Push,
    /// Nothing: it is in one, or will be, or has no reason to be.
    Leave,
}

impl TaskSlot {
    /// The slot of a task that the caller polls at once.
    pub(super) fn of_polled(cell: Arc<Cell>) -> TaskSlot {
        TaskSlot { phase: Phase::Polled, occupant: None, cell }
    }

    /// Returns `true` if that cell is of the task in this slot, and not of an earlier one.
    pub(super) fn is_of(&self, cell: &Arc<Cell>) -> bool {
        Arc::ptr_eq(&self.cell, cell)
    }

    #[cfg(test)]
    pub(super) fn cell(&self) -> Arc<Cell> {
        Arc::clone(&self.cell)
    }

    /// Notes in its cell that the slot is there now.
    pub(super) fn assign(&self, task_key: TaskKey) {
        self.cell.assign(task_key);
    }

    pub(super) fn wake(&mut self) -> Requeue {
        let (phase, queue) = match self.phase {
            Phase::Waits => (Phase::Queued, Requeue::Push),
            Phase::Queued => (Phase::Queued, Requeue::Leave),
            Phase::Polled | Phase::Woken => (Phase::Woken, Requeue::Leave),
        };
        self.phase = phase;
        queue
    }

    /// Gives the task to the caller, which has its key.
    #[inline]
    pub(super) fn start(&mut self) -> Option<Occupant> {
        debug_assert_eq!(self.phase, Phase::Queued, "invariant 1");
        self.phase = Phase::Polled;
        self.occupant.take()
    }

    /// Takes the task back after a poll.
    #[inline]
    pub(super) fn pause(&mut self, occupant: Occupant) -> Requeue {
        self.occupant = Some(occupant);
        let (phase, queue) = match self.phase {
            Phase::Woken => (Phase::Queued, Requeue::Push),
            _ => (Phase::Waits, Requeue::Leave),
        };
        self.phase = phase;
        queue
    }

    /// Takes the slot apart: its cell, and the task if it is here.
    pub(super) fn into_parts(self) -> (Arc<Cell>, Option<Foreign<Task>>) {
        (self.cell, self.occupant.map(|occupant| occupant.task))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell::WakerCell;
    use super::super::shared::Shared;
    use super::*;
    use crate::current::PoolId;

    fn occupied() -> (TaskSlot, Occupant) {
        let pool = Arc::new(Shared::new(PoolId::next(), 1));
        let WakerCell { waker, cell } = WakerCell::new(&pool);
        let task = Foreign::new(Task::from_future(async {}));
        (TaskSlot::of_polled(cell), Occupant { task, waker })
    }

    #[test]
    fn wake_twice_during_the_poll_then_while_queued_then_while_it_waits() {
        let (mut slot, occupant) = occupied();
        assert_eq!(slot.wake(), Requeue::Leave);
        assert_eq!(slot.wake(), Requeue::Leave);
        assert_eq!(slot.pause(occupant), Requeue::Push);
        assert_eq!(slot.wake(), Requeue::Leave);
        let occupant = slot.start().expect("it is there");
        assert_eq!(slot.pause(occupant), Requeue::Leave);
        assert_eq!(slot.wake(), Requeue::Push);
        assert!(slot.start().is_some());
    }

    #[test]
    fn a_slot_knows_its_own_cell() {
        let (slot, _) = occupied();
        let (other, _) = occupied();
        assert!(slot.is_of(&slot.cell));
        assert!(!slot.is_of(&other.cell));
    }
}
