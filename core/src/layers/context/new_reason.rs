//! Reasons that say in which task they were created.
//!
//! [`Reason::new`] stands here and not with the type, which knows of no task and of no clock.

use crate::layers::base::id::TaskId;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::context::{self, clock};
use std::panic::Location;

/// Returns the task that calls: also if it does so in the body of a nursery that it opened.
pub(crate) fn caller() -> Option<TaskId> {
    context::current(|frame| frame?.worker_id())
}

/// Creates a reason of this kind, with no text, by the task that calls.
pub(crate) fn by_caller(kind: ReasonKind, place: &'static Location<'static>) -> Reason {
    Reason::of(kind, String::new(), caller(), place)
}

/// Creates the reason of a task or body that ended itself.
pub(crate) fn exited(by: Option<TaskId>, location: &'static Location<'static>) -> Reason {
    Reason::of(ReasonKind::Exited, String::new(), by, location)
}

impl Reason {
    /// Creates a reason of the present moment, by the caller's clock: no lock is held.
    pub(crate) fn of(
        kind: ReasonKind,
        message: String,
        by: Option<TaskId>,
        location: &'static Location<'static>,
    ) -> Reason {
        Reason::since(clock::now(), kind, message, by, location)
    }

    /// Creates a reason of kind [`Requested`](ReasonKind::Requested). Its place is the caller's, and
    /// it is [by](Reason::by) the task that calls.
    ///
    /// # Examples
    ///
    /// ```
    /// let reason = allhome::Reason::new("closing time");
    /// assert!(reason.by().is_none(), "no task calls it");
    /// ```
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Reason {
        Reason::of(ReasonKind::Requested, message.into(), caller(), Location::caller())
    }
}
