//! A child, or the body, of a scope in place: a task inside the task that polls the scope.
//!
//! It has no record and no carrier. What the code inside can ask about it is answered by the frame
//! of the cancel scope that it runs in: [`Inside`](super::inside::Inside), with a scope of the kind
//! [`InPlace`](super::scope::ScopeKind).

use super::Notes;
use super::host::Waiter;
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::reason::Reason;
use crate::layers::base::who::Who;
use allhome_rt::Instant;
use std::panic::Location;
use std::task::Waker;
use std::time::Duration;

pub(crate) struct InPlace<'a> {
    /// Of this poll.
    pub(crate) notes: &'a Notes,
    pub(crate) cancel: &'a dyn Requested,
}

impl InPlace<'_> {
    pub(crate) fn scope(&self) -> NurseryId {
        self.cancel.scope()
    }

    /// None: it is the body.
    pub(crate) fn id(&self) -> Option<TaskId> {
        self.cancel.id()
    }
}

/// What is told first that a cancel is on its way.
pub(crate) trait Requested {
    /// Returns the scope's id.
    fn scope(&self) -> NurseryId;
    /// Returns the child's id. None: it is the body.
    fn id(&self) -> Option<TaskId>;
    /// Returns why the child, or the body, is cancelled.
    fn reason(&self) -> Option<Reason>;
    /// Returns what a failure of it says of it.
    fn who(&self) -> Who;
    /// Returns where it was spawned.
    fn place(&self) -> &'static Location<'static>;
    /// Returns when the scope's time is over, for the child or the body.
    fn deadline(&self) -> Option<Instant>;
    /// Returns how long it may go on when it is cancelled, if that was set.
    fn grace(&self) -> Option<Duration>;
    /// Has the waiter woken when a cancel of it, or of its scope, is on its way, or has come.
    fn await_end(&self, waiter: Waiter, waker: &Waker);
    fn forget_waiter(&self, waiter: Waiter);
}
