//! How many shields are up in the tasks and the body of a nursery.

use super::Registry;
use crate::layers::record::Ptr;

/// The body's place among the tasks' numbers, which begin at 1.
pub(in crate::layers::group) const BODY: u64 = 0;

/// The shields that are up in one task, or in the body.
pub(in crate::layers::group) struct Shields {
    pub(in crate::layers::group) count: u32,
    /// The task (invariant 4 of the registry).
    pub(in crate::layers::group) task: Option<Ptr>,
}

impl Shields {
    pub(in crate::layers::group) fn one(task: Option<Ptr>) -> Shields {
        Shields { count: 1, task }
    }
}

impl Registry {
    /// Tells whether a shield is up in the body.
    pub(crate) fn body_is_shielded(&self) -> bool {
        self.shields.contains_key(&BODY)
    }
}
