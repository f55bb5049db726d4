//! Shields that are up in the tasks and the body of a nursery.
//!
//! A task's state word says whether it has one: as long as it does, only its own carrier destroys
//! it. How many there are is kept here, by the task's number; 0 is the body.

use super::Group;
use super::registry::{BODY, Member};
use crate::layers::base::guarded::Foreign;
use crate::layers::record::{Header, Ptr};

impl Group {
    /// A shield goes up in the task that is being polled, which is given with its header, or in the
    /// body.
    pub(crate) fn raise_shield(&self, task: Option<(Ptr, &Header)>) {
        self.locked(|registry| {
            registry.cancel.shields().raise(task.map(|(ptr, header)| Member::new(header, ptr)));
            if let Some((_, header)) = task {
                header.state().raise_shield();
            }
        });
    }

    /// A shield goes down, in a poll of its task, whose header is given then, or anywhere else.
    pub(crate) fn lower_shield(&self, task: Option<u64>, own: Option<&Header>) {
        let waker = self.locked_then_launch(|registry| {
            let last = registry.cancel.shields().lower(task.unwrap_or(BODY))?;
            // What was cancelled meanwhile sees what that means now; a task whose own poll this is,
            // at the end of that.
            match (last, own) {
                (Some(_), Some(header)) => {
                    header.state().lower_shield();
                    None
                }
                (Some(member), None) => registry.members.lower_shield(member),
                (None, _) if self.is_cancelled() => registry.run_waker.take(),
                (None, _) => None,
            }
        });
        waker.into_iter().for_each(Foreign::wake);
    }
}
