//! A child, or the body, of a scope in place: a task inside the task that polls the scope.
//!
//! It has no record and no carrier. What the code inside can ask about it is answered by the frame
//! of the cancel scope that it runs in: [`Inside`], with a scope of the kind
//! [`InPlace`](super::scope::ScopeKind).

use super::Notes;
use super::scope::Scope;
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::reason::Reason;
use std::ops::Deref;

pub(crate) struct InPlace<'a> {
    /// The scope's.
    pub(crate) scope: NurseryId,
    /// None: it is the body.
    pub(crate) id: Option<TaskId>,
    /// Of this poll.
    pub(crate) notes: &'a Notes,
    pub(crate) cancel: &'a dyn Requested,
}

/// What is told first that a cancel is on its way.
pub(crate) trait Requested {
    /// Returns why the child, or the body, is cancelled.
    fn reason(&self) -> Option<Reason>;
}

/// A cancel scope that the present thread is in, and whose it is if it is a child's or the body's.
#[derive(Clone, Copy)]
pub(crate) struct Inside<'a> {
    scope: &'a Scope,
    place: Option<&'a InPlace<'a>>,
}

impl<'a> Inside<'a> {
    pub(crate) fn of(scope: &'a Scope, place: &'a InPlace<'a>) -> Inside<'a> {
        Inside { scope, place: Some(place) }
    }

    pub(crate) fn in_place(&self) -> Option<&'a InPlace<'a>> {
        self.place
    }
}

impl<'a> From<&'a Scope> for Inside<'a> {
    fn from(scope: &'a Scope) -> Inside<'a> {
        Inside { scope, place: None }
    }
}

impl Deref for Inside<'_> {
    type Target = Scope;

    fn deref(&self) -> &Scope {
        self.scope
    }
}
