//! The end of a cancel scope's time, for the nurseries that are opened in it.
//!
//! Their tasks are on other threads, and may ask whether they are cancelled while the scope is not
//! polled. So a scope in which a nursery is opened keeps its deadline and the reason of its end in
//! a place of their own. The first task that finds that the time is over creates the reason.

use crate::layers::base::id::TaskId;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::GlobalMutex;
use allhome_rt::Instant;
use std::borrow::Cow;
use std::panic::Location;
use std::time::Duration;

/// What the reason of a cancel scope's end says.
#[derive(Clone)]
pub(crate) struct Label {
    /// None if it has no name.
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) location: &'static Location<'static>,
}

impl Label {
    pub(crate) fn reason(&self, task: Option<TaskId>, at: Instant) -> Reason {
        let name = self.name.clone().unwrap_or_default().into_owned();
        Reason::since(at, ReasonKind::Deadline, name, task, self.location)
    }
}

pub(crate) struct Term {
    /// The label of a scope whose end is certain from the start. `None` for a shield, and for a
    /// scope that ends a certain time before a deadline that may be moved.
    label: Option<(Label, Option<TaskId>)>,
    state: GlobalMutex<State>,
}

struct State {
    /// `None` if the scope has no deadline, or is gone.
    at: Option<Instant>,
    reason: Option<Reason>,
}

impl Term {
    pub(crate) fn new(label: Option<(Label, Option<TaskId>)>) -> Term {
        Term { label, state: GlobalMutex::new(State { at: None, reason: None }) }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.state.lock().at
    }

    pub(crate) fn set_deadline(&self, at: Option<Instant>) {
        self.state.lock().at = at;
    }

    /// Returns the reason of the scope's end, which is the given one if there was none.
    pub(crate) fn end_for(&self, reason: Reason) -> Reason {
        self.state.lock().reason.get_or_insert(reason).clone()
    }

    /// Returns the reason of the scope's end if its time is over.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Reason> {
        let mut state = self.state.lock();
        state.at.filter(|&at| at <= now)?;
        if let Some(reason) = &state.reason {
            return Some(reason.clone());
        }
        let (label, task) = self.label.as_ref()?;
        Some(state.reason.insert(label.reason(*task, now)).clone())
    }
}

pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Returns the instant so long before a deadline.
pub(crate) fn before(deadline: Option<Instant>, back: Duration, now: Instant) -> Option<Instant> {
    // One that is too long ago to be told is past.
    deadline.map(|at| at.checked_sub(back).unwrap_or(now))
}
