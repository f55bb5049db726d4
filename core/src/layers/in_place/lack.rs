//! A child of a scope without a value: what that is for the task that joins it. As for a nursery's:
//! [`no_value`](crate::layers::group::no_value).

use super::seats::Core;
use crate::layers::base::as_error::View;
use crate::layers::base::id::NurseryId;
use crate::layers::base::leave::{Heard, Leave};
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::context::task::task_id;
use crate::layers::context::{self, Frame, Kind, scope};
use crate::layers::group::config::Policy;
use crate::layers::group::no_value::{Lack, LackText};
use crate::layers::group::registry::report::Entry;
use std::panic::Location;

/// What is lacking, and of which child; none if that was refused, or its outcome taken before.
pub(super) struct Lacking<'c> {
    pub(super) child: Option<&'c Core>,
    pub(super) lack: Lack,
    pub(super) view: View,
}

/// What that is for the joiner.
enum Verdict {
    /// The joiner is cancelled, too.
    Cancelled(Reason),
    /// The scope, which is around the joiner, reports it.
    Reported(Reason),
    /// The joiner is inside the scope, which leaves the failure to it.
    Alone(Reason),
    Unknown,
}

impl Lacking<'_> {
    /// The joiner gets an error for it. Notes for the end of the poll if that is known already.
    pub(super) fn tell(&self) {
        let (leave, reason) = match self.judge() {
            Verdict::Cancelled(reason) => (Leave::Told, reason),
            Verdict::Reported(reason) => (Leave::ToldOf, reason),
            Verdict::Alone(_) | Verdict::Unknown => return,
        };
        context::noted::here(|notes| notes.map(|notes| notes.tell(leave, Some(reason))));
    }

    /// Ends the joiner at the end of this poll.
    ///
    /// # Panics
    ///
    /// Panics where there is no task to end.
    pub(super) fn end_joiner(self, place: &'static Location<'static>) {
        let (leave, reason) = match self.judge() {
            Verdict::Cancelled(reason) | Verdict::Reported(reason) => (Leave::Cancelled, reason),
            Verdict::Alone(reason) => {
                self.hand_in();
                (Leave::Cancelled, reason)
            }
            Verdict::Unknown => (Leave::NoValue, self.reason(place)),
        };
        let told = context::noted::here(|notes| {
            notes.map(|notes| notes.hear(leave, Heard::of(reason))).is_some()
        });
        assert!(told, "there is no task to end for want of a value: {}", self.text());
    }

    fn judge(&self) -> Verdict {
        match &self.lack {
            Lack::Taken => Verdict::Unknown,
            Lack::Failed(_) => self.judge_failure(),
            Lack::Cancelled(reason) => match context::current(scope::task_reason) {
                Some(own) => Verdict::Cancelled(own),
                None if is_failure_of_scope_around(reason) => Verdict::Reported(reason.clone()),
                None if reason.kind() == ReasonKind::NoValue && self.is_by_child(reason) => {
                    self.judge_failure()
                }
                None => Verdict::Unknown,
            },
        }
    }

    /// Returns `true` if the child has ended for want of a value: no other task has that reason.
    fn is_by_child(&self, reason: &Reason) -> bool {
        self.child.is_some_and(|child| child.id().is_some() && child.id() == reason.by())
    }

    fn judge_failure(&self) -> Verdict {
        match self.child {
            Some(child) if is_around(child.control().id) => match child.control().policy {
                Policy::FailFast | Policy::WaitAll => Verdict::Reported(self.failed()),
                Policy::Isolate | Policy::Supervise => Verdict::Alone(self.failed()),
            },
            Some(_) | None => Verdict::Unknown,
        }
    }

    fn text(&self) -> String {
        let who = self.child.map(Core::who);
        LackText { child: who.as_ref(), lack: &self.lack, view: self.child.map(|_| self.view) }
            .to_string()
    }

    /// Creates the reason of a cancel because of the child's failure.
    fn failed(&self) -> Reason {
        let place = self.child.map_or_else(Location::caller, |child| child.place());
        let by = self.child.and_then(|child| child.id());
        Reason::of(ReasonKind::ChildFailed, self.text(), by, place)
    }

    /// Creates the reason of the failure of a task that needs the value.
    fn reason(&self, place: &'static Location<'static>) -> Reason {
        let reason = Reason::of(ReasonKind::NoValue, self.text(), task_id(), place);
        match &self.lack {
            Lack::Cancelled(cause) => reason.caused_by(cause.clone()),
            Lack::Failed(_) | Lack::Taken => reason,
        }
    }

    /// The scope left the failure to the joiner, which goes on no longer.
    fn hand_in(&self) {
        let Some(child) = self.child else { return };
        let ending = match &self.lack {
            Lack::Failed(Ending::Err(error)) => Ending::Err(error.clone()),
            Lack::Failed(Ending::Panicked(panic)) => Ending::Panicked(panic.clone()),
            Lack::Failed(Ending::NoValue(reason)) | Lack::Cancelled(reason) => {
                Ending::NoValue(reason.clone())
            }
            Lack::Failed(_) | Lack::Taken => return,
        };
        child.control().hand_in(Entry::new(ending, child.who()));
    }
}

/// Returns `true` if the scope is around what the present thread works for.
fn is_around(scope: NurseryId) -> bool {
    context::current(|mut at| {
        while let Some(frame) = at {
            if let Kind::Scope(inside) = &frame.kind {
                if inside.in_place().is_some_and(|place| place.scope() == scope) {
                    return true;
                }
            }
            at = Frame::outer(frame);
        }
        false
    })
}

/// Returns `true` if the reason is the failure of a child of a scope around.
fn is_failure_of_scope_around(reason: &Reason) -> bool {
    let failed = reason.by().filter(|_| reason.kind() == ReasonKind::ChildFailed);
    failed.is_some_and(|by| is_around(by.nursery))
}

/// Returns `true` if the frame is inside of a child of the scope: the body does not count.
pub(super) fn is_inside_child(mut at: Option<&Frame<'_>>, scope: NurseryId) -> bool {
    while let Some(frame) = at {
        if let Kind::Scope(inside) = &frame.kind {
            let place = inside.in_place();
            if place.is_some_and(|place| place.scope() == scope && place.id().is_some()) {
                return true;
            }
        }
        at = Frame::outer(frame);
    }
    false
}
