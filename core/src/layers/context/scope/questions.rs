//! What the code in a frame sees as cancelled: itself, with the scopes around it, or its task alone.

use super::{ScopeKind, See, earlier};
use crate::layers::base::reason::Reason;
use crate::layers::cancel::CancelToken;
use crate::layers::context::{Frame, Kind};
use allhome_rt::Instant;
use std::time::Duration;

/// Returns `true` if what runs in this frame is cancelled. With `through`, shields are looked
/// through.
pub(crate) fn is_cancelled(mut at: Option<&Frame<'_>>, mut through: bool) -> bool {
    while let Some(frame) = at {
        match &frame.kind {
            Kind::Task(task) => return task.is_cancelled(),
            Kind::Scope(scope) => match scope.see(frame, &mut through) {
                See::Cancelled => return true,
                See::Hidden => return false,
                See::Outer => {}
            },
            Kind::Values(_) | Kind::Slot(_) => {}
        }
        at = frame.outer();
    }
    false
}

/// Returns why.
pub(crate) fn reason(mut at: Option<&Frame<'_>>, mut through: bool) -> Option<Reason> {
    while let Some(frame) = at {
        match &frame.kind {
            Kind::Task(task) => return task.reason(),
            Kind::Scope(scope) => match scope.see(frame, &mut through) {
                See::Cancelled => return scope.reason(),
                See::Hidden => return None,
                See::Outer => {}
            },
            Kind::Values(_) | Kind::Slot(_) => {}
        }
        at = frame.outer();
    }
    None
}

/// Returns why the task is cancelled, as far as that shows in this frame. The end of a scope's own
/// time is no such reason.
pub(crate) fn task_reason(mut at: Option<&Frame<'_>>) -> Option<Reason> {
    let mut through = false;
    while let Some(frame) = at {
        match &frame.kind {
            Kind::Task(task) => return task.reason(),
            Kind::Scope(scope) if scope.kind == ScopeKind::Deadline => {}
            Kind::Scope(scope) => match scope.see(frame, &mut through) {
                See::Hidden => return None,
                See::Cancelled if scope.in_place().is_some() => return scope.reason(),
                See::Cancelled | See::Outer => {}
            },
            Kind::Values(_) | Kind::Slot(_) => {}
        }
        at = frame.outer();
    }
    None
}

/// Returns `true` if a cancel scope around, in the same task, has ended for this very reason. Then what is
/// inside has nothing to say that the scope does not say itself.
pub(crate) fn ends_scope(mut at: Option<&Frame<'_>>, reason: &Reason) -> bool {
    while let Some(frame) = at {
        match &frame.kind {
            Kind::Task(_) => return false,
            Kind::Scope(scope) if scope.kind == ScopeKind::Deadline => {
                // A task of the nursery may have found first that the time is over.
                if scope.is_over(frame) && scope.reason().is_some_and(|own| own.same(reason)) {
                    return true;
                }
            }
            // It is a task.
            Kind::Scope(scope) if scope.in_place().is_some() => return false,
            Kind::Scope(_) | Kind::Values(_) | Kind::Slot(_) => {}
        }
        at = frame.outer();
    }
    false
}

/// Returns the token that is cancelled with what runs in this frame. None outside of any nursery.
pub(crate) fn token(at: Option<&Frame<'_>>, mut through: bool) -> Option<CancelToken> {
    let frame = at?;
    match &frame.kind {
        Kind::Task(task) => Some(task.token()),
        Kind::Values(_) | Kind::Slot(_) => token(frame.outer(), through),
        Kind::Scope(scope) => match scope.kind {
            ScopeKind::Deadline | ScopeKind::InPlace => {
                Some(scope.token(|| token(frame.outer(), through)))
            }
            ScopeKind::Shield if !through && !scope.is_over(frame) => Some(scope.token(|| None)),
            kind => {
                through |= kind == ScopeKind::Cancellable;
                token(frame.outer(), through)
            }
        },
    }
}

/// Returns the token of the task, as far as its cancel shows in this frame. None outside of any
/// nursery.
pub(crate) fn task_token(at: Option<&Frame<'_>>, mut through: bool) -> Option<CancelToken> {
    let frame = at?;
    match &frame.kind {
        Kind::Task(task) => Some(task.token()),
        Kind::Values(_) | Kind::Slot(_) => task_token(frame.outer(), through),
        Kind::Scope(scope) => match scope.kind {
            ScopeKind::Shield if !through && !scope.is_over(frame) => Some(scope.token(|| None)),
            ScopeKind::InPlace => Some(scope.token(|| token(frame.outer(), through))),
            kind => {
                through |= kind == ScopeKind::Cancellable;
                task_token(frame.outer(), through)
            }
        },
    }
}

/// Returns the earliest deadline that holds in this frame.
pub(crate) fn deadline(mut at: Option<&Frame<'_>>, mut through: bool) -> Option<Instant> {
    let mut least = None;
    while let Some(frame) = at {
        match &frame.kind {
            Kind::Task(task) => return earlier(least, task.group.deadline()),
            Kind::Scope(scope) => {
                least = earlier(least, scope.ends_at(frame));
                if matches!(scope.see(frame, &mut through), See::Hidden) {
                    return least;
                }
            }
            Kind::Values(_) | Kind::Slot(_) => {}
        }
        at = frame.outer();
    }
    least
}

/// Returns the grace of what the frame is a part of, which a scope in place inherits.
pub(crate) fn grace(mut at: Option<&Frame<'_>>) -> Option<Duration> {
    while let Some(frame) = at {
        match &frame.kind {
            Kind::Task(task) => return task.group.grace(),
            Kind::Scope(scope) => {
                if let Some(place) = scope.in_place() {
                    return place.cancel.grace();
                }
            }
            Kind::Values(_) | Kind::Slot(_) => {}
        }
        at = frame.outer();
    }
    None
}
