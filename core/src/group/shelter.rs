//! Shields that are up in the tasks and the body of a nursery.
//!
//! A task's state word says whether it has one: as long as it does, nobody but its own carrier
//! destroys it. How many there are is kept here, by the task's number; 0 is the body.

use super::Group;
use super::registry::Registry;
use crate::panic;
use crate::record::Header;

/// The body's place among the tasks' numbers, which begin at 1.
pub(super) const BODY: u64 = 0;

impl Group {
    /// A shield goes up in the task that is being polled, or in the body.
    pub(crate) fn raise_shield(&self, header: Option<&Header>) {
        let mut registry = self.lock();
        let number = header.map_or(BODY, Header::number);
        *registry.shields.entry(number).or_insert(0) += 1;
        if let Some(header) = header {
            header.state().raise_shield();
        }
    }

    /// A shield goes down, in a poll of its task, whose header is given then, or anywhere else.
    pub(crate) fn lower_shield(&self, task: Option<u64>, own: Option<&Header>) {
        let mut registry = self.lock();
        let number = task.unwrap_or(BODY);
        let Some(count) = registry.shields.get_mut(&number) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        registry.shields.remove(&number);
        // Whoever was cancelled meanwhile is to see what that means now; a task whose own poll this
        // is, at the end of that.
        let waker = match (task, own) {
            (Some(_), Some(header)) => {
                header.state().lower_shield();
                None
            }
            (Some(number), None) => registry.lower_shield(number),
            (None, _) if self.is_cancelled() => registry.run_waker.take(),
            (None, _) => None,
        };
        self.launch_wanted(registry);
        if let Some(waker) = waker {
            panic::wake(waker);
        }
    }
}

impl Registry {
    /// Tells whether a shield is up in the body.
    pub(crate) fn body_is_shielded(&self) -> bool {
        self.shields.contains_key(&BODY)
    }
}
