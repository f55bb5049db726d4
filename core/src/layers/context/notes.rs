//! What is noted in a poll of a task, or of a body, for the code that polls it.
//!
//! A task is a child, or the body, of a nursery or of a scope in place; each has notes of its own.

use crate::layers::base::id::TaskId;
use crate::layers::base::leave::{Heard, HeardCell, Leave, LeaveCell};
use crate::layers::base::reason::Reason;
use crate::layers::base::wait_mark::WaitMark;
use std::cell::Cell;
use std::mem;

/// What is noted in a poll of a task or body, for the code that polls it.
#[derive(Default)]
pub(crate) struct Notes {
    /// It ends at the end of this poll.
    pub(crate) leave: LeaveCell,
    /// Something inside has put its last poll off by a turn: the task's own last poll is a later
    /// one, too.
    pub(crate) put_off: Cell<bool>,
    /// What `leave` is for, and the error that it took. In a box: most polls hear of nothing.
    pub(crate) heard: HeardCell,
    /// What the poll waits for, when it was pending.
    pub(crate) waits: Cell<WaitMark>,
}

impl Notes {
    /// Goes without its destructor, for a poll that has left nothing: it has heard of nothing then.
    #[inline(always)]
    pub(crate) fn forget_nothing(self) {
        debug_assert!(self.leave.get().is_none() && self.heard.take().is_none());
        mem::forget(self);
    }

    pub(crate) fn hear(&self, leave: Leave, heard: Box<Heard>) {
        self.leave.set(Some(leave));
        self.heard.set(Some(heard));
    }

    /// Has an error that the task ends with in this poll be an echo: of its cancel, or of a failure
    /// that a nursery around it reports, for this reason.
    pub(crate) fn tell(&self, leave: Leave, of: Option<Reason>) {
        if self.leave.get().is_none() {
            self.leave.set(Some(leave));
            self.heard.set(of.map(Heard::of));
        }
    }

    /// Takes what the task has heard of in this poll.
    pub(crate) fn take_heard(&self) -> Option<Reason> {
        self.heard.take().map(|heard| heard.reason)
    }

    /// Returns `true` if an await of ours has reported in this poll that the task is cancelled, or a
    /// failure that a nursery around it reports.
    pub(crate) fn is_told(&self) -> bool {
        matches!(self.leave.get(), Some(Leave::Told | Leave::ToldOf | Leave::Cancelled))
    }

    /// Returns what an error that the task `id` ends this poll with is an echo of, if it is one.
    /// `leaving` is why the task was cancelled, or why a cancel is on its way to it.
    pub(crate) fn echoes(&self, leaving: Option<Reason>, id: Option<TaskId>) -> Option<Reason> {
        let asked = leaving.as_ref().is_some_and(|reason| reason.by() == id);
        match leaving {
            Some(reason) if self.is_told() || !asked => Some(reason),
            _ if self.is_told() => self.take_heard(),
            _ => None,
        }
    }
}
