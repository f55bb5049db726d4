//! Ids of nurseries and tasks, unique in the process.

use super::sync::{GlobalU64, Ordering};
use std::fmt;

/// Identifies a nursery in this process. An id is never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NurseryId(u64);

static NEXT: GlobalU64 = GlobalU64::new(1);

impl NurseryId {
    pub(crate) fn next() -> NurseryId {
        // Relaxed: only uniqueness matters.
        NurseryId(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Returns a number below `parts`, in turn from id to id.
    pub(crate) fn spread(self, parts: usize) -> usize {
        (self.0 % parts as u64) as usize
    }
}

/// Identifies a task in this process: its nursery and its number in it, printed as `3.17`.
///
/// Numbers count from 1 in the order of spawning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    pub(crate) nursery: NurseryId,
    pub(crate) number: u64,
}

impl TaskId {
    /// Returns the nursery that the task was spawned in.
    pub fn nursery(self) -> NurseryId {
        self.nursery
    }

    /// Returns the task's number in its nursery.
    pub fn number(self) -> u64 {
        self.number
    }
}

/// A task, or a nursery's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Owner {
    Body(NurseryId),
    Task(TaskId),
}

impl Owner {
    /// Returns it as two words, of which the first is not 0. A body has no number: tasks count from 1.
    #[inline]
    pub(crate) fn to_words(self) -> (u64, u64) {
        match self {
            Owner::Body(nursery) => (nursery.0, 0),
            Owner::Task(task) => (task.nursery.0, task.number),
        }
    }

    /// The inverse; none if the first word is 0.
    pub(crate) fn of_words(nursery: u64, number: u64) -> Option<Owner> {
        let id = NurseryId(nursery);
        match (nursery, number) {
            (0, _) => None,
            (_, 0) => Some(Owner::Body(id)),
            _ => Some(Owner::Task(TaskId { nursery: id, number })),
        }
    }
}

impl fmt::Display for NurseryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for NurseryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NurseryId({})", self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.nursery, self.number)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}
