//! The end of a cancel scope's time, for the nurseries that are opened in it.
//!
//! Their tasks are on other threads, and may ask whether they are cancelled while the scope is not
//! polled. So a scope in which a nursery is opened keeps its deadline and the reason of its end in
//! a place of their own. The first task that finds that the time is over creates the reason.

use crate::layers::base::id::TaskId;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::GlobalMutex;
use std::panic::Location;
use std::time::Instant;

/// What the reason of a cancel scope's end says.
#[derive(Clone, Copy)]
pub(crate) struct Label {
    pub(crate) name: &'static str,
    pub(crate) location: &'static Location<'static>,
}

impl Label {
    pub(crate) fn reason(self, task: Option<TaskId>) -> Reason {
        Reason::of(ReasonKind::Deadline, self.name.into(), task, self.location)
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
        let (label, task) = self.label?;
        Some(state.reason.insert(label.reason(task)).clone())
    }
}
