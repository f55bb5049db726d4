//! Shields that are up in the tasks and the body of a nursery.
//!
//! A task's state word says whether it has one: as long as it does, only its own carrier destroys
//! it. How many there are is kept here, by the task's number; 0 is the body.

use super::Group;
use super::registry::shields::{BODY, Shields};
use crate::layers::base::guarded::Foreign;
use crate::layers::record::{Header, Ptr};

impl Group {
    /// A shield goes up in the task that is being polled, which is given with its header, or in the
    /// body.
    pub(crate) fn raise_shield(&self, task: Option<(Ptr, &Header)>) {
        self.locked(|registry| {
            let number = task.map_or(BODY, |(_, header)| header.number());
            let none = || Shields { count: 0, task: task.map(|(ptr, _)| ptr) };
            registry.shields.entry(number).or_insert_with(none).count += 1;
            if let Some((_, header)) = task {
                header.state().raise_shield();
            }
        });
    }

    /// A shield goes down, in a poll of its task, whose header is given then, or anywhere else.
    pub(crate) fn lower_shield(&self, task: Option<u64>, own: Option<&Header>) {
        let waker = self.locked_then_launch(|registry| {
            let number = task.unwrap_or(BODY);
            let shields = registry.shields.get_mut(&number)?;
            shields.count -= 1;
            if shields.count > 0 {
                return None;
            }
            let ptr = registry.shields.remove(&number)?.task;
            // What was cancelled meanwhile is to see what that means now; a task whose own poll
            // this is, at the end of that.
            match (ptr, own) {
                (Some(_), Some(header)) => {
                    header.state().lower_shield();
                    None
                }
                (Some(ptr), None) => registry.lower_shield(ptr),
                (None, _) if self.is_cancelled() => registry.run_waker.take(),
                (None, _) => None,
            }
        });
        waker.into_iter().for_each(Foreign::wake);
    }
}
