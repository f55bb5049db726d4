//! The last poll of a cancelled part of a task: a body, or the inside of a scope.
//!
//! A runtime may limit what a task does in one poll (`Spawn::has_budget`). If nothing is left of
//! that budget, a part of the task that is polled sees nothing of what is ready for it, so that
//! poll is not its last. It waits for the task's next turn. It does so once, because another part
//! of the task may use up the budget in each turn.

use super::Kind;
use crate::layers::base::panic;
use crate::layers::context;
use allhome_rt::Runtime;
use std::task::Context;

#[derive(Clone, Copy, Default)]
pub(crate) struct LastPoll {
    was_put_off: bool,
}

impl LastPoll {
    /// Puts the last poll off by a turn, if no budget is left and it was not put off before.
    /// Returns `true` if the caller must stay pending: then it is woken, and the task around it is
    /// not ended in this turn either.
    ///
    /// `own` is the runtime of a nursery whose body is polled.
    pub(crate) fn put_off(&mut self, own: Option<&Runtime>, cx: &Context<'_>) -> bool {
        if self.was_put_off || has_budget(own) {
            return false;
        }
        self.was_put_off = true;
        context::noted::put_off();
        panic::wake_by_ref(cx.waker());
        true
    }
}

/// Asks the runtimes of all nurseries around: the task that is polled may be an outer nursery's.
fn has_budget(own: Option<&Runtime>) -> bool {
    let own = own.is_none_or(Runtime::has_budget);
    own && context::current(|mut at| {
        while let Some(frame) = at {
            match &frame.kind {
                Kind::Task(task) if !task.env.runtime.has_budget() => return false,
                _ => at = frame.outer(),
            }
        }
        true
    })
}
