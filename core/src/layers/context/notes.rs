//! What is noted in a poll of a task, or of a body, for the code that polls it.
//!
//! A task is a child, or the body, of a nursery or of a scope in place; each has notes of its own.

use super::in_place::InPlace;
use super::{Frame, Kind, TaskFrame, scope};
use crate::layers::base::id::TaskId;
use crate::layers::base::leave::{Heard, HeardCell, Leave, LeaveCell};
use crate::layers::base::reason::Reason;
use crate::layers::context;
use std::cell::Cell;

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
}

/// An await reports a cancel by an error. If that is the cancel of the task or body that polls it,
/// and not just of a scope inside, an error that the task ends with in this poll is no failure.
pub(crate) fn tell_cancelled() {
    context::current(|frame| {
        let Some(worker) = frame.and_then(Frame::noted) else { return };
        if worker.is_cancelled() {
            worker.notes().tell(Leave::Told, None);
        }
    });
}

/// Has the task, or body, not end at the end of this poll because it was cancelled.
pub(crate) fn put_off() {
    context::task(|task| task.map(|task| task.notes.put_off.set(true)));
}

/// Calls `f` with the notes of the innermost task or body: of a nursery, or of a scope in place.
pub(crate) fn here<R>(f: impl FnOnce(Option<&Notes>) -> R) -> R {
    context::current(|frame| {
        let noted = frame.and_then(Frame::noted);
        f(noted.as_ref().map(Noted::notes))
    })
}

/// What the innermost poll that has notes works for.
pub(crate) enum Noted<'f, 'a> {
    Task(&'f TaskFrame<'a>),
    /// A child or the body of a scope in place, and its frame.
    InPlace(&'f Frame<'a>, &'f InPlace),
}

impl Noted<'_, '_> {
    pub(crate) fn notes(&self) -> &Notes {
        match self {
            Noted::Task(task) => task.notes,
            Noted::InPlace(_, place) => &place.notes,
        }
    }

    fn is_cancelled(&self) -> bool {
        match self {
            Noted::Task(task) => task.is_cancelled() || task.leaving().is_some(),
            Noted::InPlace(frame, _) => scope::task_reason(Some(frame)).is_some(),
        }
    }
}

impl Notes {
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

impl<'a> Frame<'a> {
    /// Returns the id of the innermost task, if that is no body.
    pub(crate) fn task_id(&self) -> Option<TaskId> {
        match self.noted()? {
            Noted::Task(task) => task.id(),
            Noted::InPlace(_, place) => place.id,
        }
    }

    /// Returns the id of the task that is at work here: a body is a part of the task that opened it.
    pub(crate) fn worker_id(&self) -> Option<TaskId> {
        let mut at = Some(self);
        while let Some(frame) = at {
            let id = match &frame.kind {
                Kind::Task(task) => task.id(),
                Kind::Scope(scope) => scope.in_place().and_then(|place| place.id),
                Kind::Values(_) | Kind::Slot(_) => None,
            };
            if id.is_some() {
                return id;
            }
            at = frame.outer();
        }
        None
    }

    /// Returns what the innermost poll that has notes works for.
    pub(crate) fn noted(&self) -> Option<Noted<'_, 'a>> {
        let mut at = Some(self);
        while let Some(frame) = at {
            match &frame.kind {
                Kind::Task(task) => return Some(Noted::Task(task)),
                Kind::Scope(scope) => {
                    if let Some(place) = scope.in_place() {
                        return Some(Noted::InPlace(frame, place));
                    }
                }
                Kind::Values(_) | Kind::Slot(_) => {}
            }
            at = frame.outer();
        }
        None
    }
}
