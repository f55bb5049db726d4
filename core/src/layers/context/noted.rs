//! The innermost poll that has notes, of a nursery's task or of one in place; and what is noted.

use super::in_place::InPlace;
use super::{Frame, Kind, Notes, TaskFrame, scope};
use crate::layers::base::id::{Owner, TaskId};
use crate::layers::base::leave::Leave;
use crate::layers::context;

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
    InPlace(&'f Frame<'a>, &'f InPlace<'a>),
}

impl Noted<'_, '_> {
    pub(crate) fn notes(&self) -> &Notes {
        match self {
            Noted::Task(task) => task.notes,
            Noted::InPlace(_, place) => place.notes,
        }
    }

    fn is_cancelled(&self) -> bool {
        match self {
            Noted::Task(task) => task.is_cancelled() || task.leaving().is_some(),
            Noted::InPlace(frame, _) => scope::task_reason(Some(frame)).is_some(),
        }
    }
}

impl<'a> Frame<'a> {
    /// Returns the id of the innermost task, if that is no body.
    pub(crate) fn task_id(&self) -> Option<TaskId> {
        match self.noted()? {
            Noted::Task(task) => task.id(),
            Noted::InPlace(_, place) => place.id(),
        }
    }

    /// Returns the innermost task, or body of a nursery.
    pub(crate) fn owner(&self) -> Option<Owner> {
        match self.noted()? {
            Noted::Task(task) => {
                Some(task.id().map_or_else(|| Owner::Body(task.group.id()), Owner::Task))
            }
            Noted::InPlace(_, place) => place.id().map(Owner::Task),
        }
    }

    /// Returns the id of the task that is at work here: a body is a part of the task that opened it.
    pub(crate) fn worker_id(&self) -> Option<TaskId> {
        let mut at = Some(self);
        while let Some(frame) = at {
            let id = match &frame.kind {
                Kind::Task(task) => task.id(),
                Kind::Scope(scope) => scope.in_place().and_then(|place| place.id()),
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
