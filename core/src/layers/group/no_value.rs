//! A child without a value: what that is for the task that joins it, or that needs the value.

use super::{Group, describe};
use crate::layers::base::as_error::View;
use crate::layers::base::counted::Weak;
use crate::layers::base::leave::{Heard, Leave};
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::who::Who;
use crate::layers::context::task::task_id;
use crate::layers::context::{self, TaskFrame};
use std::fmt;
use std::panic::Location;

/// A child without a value, as its joiner finds it.
pub(crate) struct NoValue<'a> {
    /// Its nursery; none if it was refused, or its outcome was taken before.
    pub(crate) group: Option<&'a Weak<Group>>,
    pub(crate) child: Option<Who>,
    pub(crate) lack: Lack,
}

/// Why there is none.
pub(crate) enum Lack {
    /// It failed: so it was said to.
    Failed(Ending),
    /// It was cancelled, or refused.
    Cancelled(Reason),
    Taken,
}

/// What that is for the joiner.
enum Verdict {
    /// The joiner is cancelled, too.
    Cancelled(Reason),
    /// A nursery around the joiner reports it.
    Reported(Reason),
    /// The joiner is inside the child's nursery, which leaves the failure to it.
    Alone(Reason),
    /// No nursery around the joiner reports it.
    Unknown,
}

impl NoValue<'_> {
    /// The joiner gets an error for it. Notes for the end of the poll if that is known already.
    pub(crate) fn tell(&self) {
        let verdict = context::task(|task| task.map(|task| self.judge(task)));
        let (leave, reason) = match verdict {
            Some(Verdict::Cancelled(reason)) => (Leave::Told, reason),
            Some(Verdict::Reported(reason)) => (Leave::ToldOf, reason),
            Some(Verdict::Alone(_) | Verdict::Unknown) | None => return,
        };
        context::noted::here(|notes| notes.map(|notes| notes.tell(leave, Some(reason))));
    }

    /// Ends the joiner at the end of this poll. Outside of any nursery there is no task to end, and
    /// this comes back.
    ///
    /// `place` is where the value is needed.
    pub(crate) fn end_joiner(self, place: &'static Location<'static>) -> Result<(), Self> {
        let verdict = context::task(|task| task.map(|task| self.judge(task)));
        let Some(verdict) = verdict else { return Err(self) };
        let (leave, reason) = match verdict {
            Verdict::Cancelled(reason) | Verdict::Reported(reason) => (Leave::Cancelled, reason),
            Verdict::Alone(reason) => {
                self.hand_in();
                (Leave::Cancelled, reason)
            }
            Verdict::Unknown => (Leave::NoValue, self.reason(place)),
        };
        context::noted::here(|notes| notes.map(|notes| notes.hear(leave, Heard::of(reason))));
        Ok(())
    }

    fn judge(&self, task: &TaskFrame<'_>) -> Verdict {
        let Some(joiner) = Group::of(task.group) else { return Verdict::Unknown };
        match &self.lack {
            Lack::Taken => Verdict::Unknown,
            Lack::Failed(_) => self.judge_failure(joiner),
            Lack::Cancelled(reason) => {
                let swept = || {
                    let group = self.group.filter(|group| group.sweeps(joiner))?;
                    group.locked(|registry| registry.cancel.requested_reason())
                };
                if let Some(reason) = task.leaving().or_else(swept) {
                    Verdict::Cancelled(reason)
                } else if joiner.knows(reason) {
                    Verdict::Reported(reason.clone())
                } else if reason.kind() == ReasonKind::NoValue && self.is_by_child(reason) {
                    self.judge_failure(joiner)
                } else {
                    Verdict::Unknown
                }
            }
        }
    }

    /// Returns `true` if the child has ended for want of a value: no other task has that reason.
    fn is_by_child(&self, reason: &Reason) -> bool {
        let child = self.child.as_ref().and_then(|child| child.task);
        child.is_some() && reason.by() == child
    }

    fn judge_failure(&self, joiner: &Group) -> Verdict {
        match self.group.filter(|group| group.covers(joiner)) {
            None => Verdict::Unknown,
            Some(group) if group.reports() => Verdict::Reported(self.failed()),
            Some(_) => Verdict::Alone(self.failed()),
        }
    }

    /// Creates the reason of a cancel because of the child's failure.
    fn failed(&self) -> Reason {
        let task = self.child.as_ref().and_then(|child| child.task);
        let place = self.child.as_ref().map_or_else(Location::caller, |child| child.place);
        Reason::of(ReasonKind::ChildFailed, self.to_string(), task, place)
    }

    /// Creates the reason of the failure of a task that needs the value.
    fn reason(&self, place: &'static Location<'static>) -> Reason {
        let by = task_id();
        let reason = Reason::of(ReasonKind::NoValue, self.to_string(), by, place);
        match &self.lack {
            Lack::Cancelled(cause) => reason.caused_by(cause.clone()),
            Lack::Failed(_) | Lack::Taken => reason,
        }
    }

    /// The nursery left the failure to the joiner, which goes on no longer.
    fn hand_in(self) {
        let (Some(group), Some(child)) = (self.group, self.child) else { return };
        let ending = match self.lack {
            Lack::Failed(ending) => ending,
            Lack::Cancelled(reason) => Ending::NoValue(reason.clone()),
            Lack::Taken => return,
        };
        group.note_failure(ending, &child);
    }
}

impl fmt::Display for NoValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.group.map(|group| group.config.view);
        LackText { child: self.child.as_ref(), lack: &self.lack, view }.fmt(f)
    }
}

/// The text of what is lacking. It has the error's own, which is the user's code: it is made with no
/// lock held.
pub(crate) struct LackText<'a> {
    pub(crate) child: Option<&'a Who>,
    pub(crate) lack: &'a Lack,
    /// None if the child was refused, or its outcome taken before.
    pub(crate) view: Option<View>,
}

impl fmt::Display for LackText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.child {
            Some(child) => write!(f, "{child} ")?,
            None => f.write_str("the child ")?,
        }
        match (self.lack, self.view) {
            (Lack::Failed(Ending::Err(error)), Some(view)) => {
                let text = panic::catch(|| view(&**error).to_string());
                match text {
                    Ok(text) => write!(f, "failed: {text}"),
                    Err(payload) => {
                        panic::discard(payload);
                        f.write_str("failed")
                    }
                }
            }
            (Lack::Failed(ending), _) => f.write_str(&describe(ending)),
            (Lack::Cancelled(reason), Some(_)) => write!(f, "was cancelled: {reason}"),
            (Lack::Cancelled(reason), None) => write!(f, "was refused: {reason}"),
            (Lack::Taken, _) => f.write_str("has no outcome left: it was taken before"),
        }
    }
}
