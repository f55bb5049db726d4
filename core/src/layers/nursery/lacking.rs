//! What a handle finds of a child without a value.

use crate::layers::base::counted::Weak;
use crate::layers::base::outcome::{Ending, JoinError};
use crate::layers::group::Group;
use crate::layers::group::no_value::{Lack, NoValue};
use crate::layers::group::registry::report::Who;
use std::panic::Location;

/// The error of a join, and what is known of the child. In a box: most children have a value.
pub(super) struct Lacking<E> {
    error: JoinError<E>,
    child: Option<(Weak<Group>, Who)>,
}

impl<E: Send + Sync + 'static> Lacking<E> {
    pub(super) fn new(error: JoinError<E>, child: Option<(Weak<Group>, Who)>) -> Box<Lacking<E>> {
        Box::new(Lacking { error, child })
    }

    fn no_value(&self) -> NoValue<'_> {
        let error = &self.error;
        let lack = if let Some(reason) = error.reason() {
            Lack::Cancelled(reason)
        } else if let Some(error) = error.error() {
            Lack::Failed(Ending::Err(error.clone()))
        } else if let Some(panic) = error.panic() {
            Lack::Failed(Ending::Panicked(panic.clone()))
        } else if error.is_lost() {
            Lack::Failed(Ending::Lost)
        } else {
            Lack::Taken
        };
        let (group, child) = self.child.as_ref().map(|(group, who)| (group, who.clone())).unzip();
        NoValue { group, child, lack }
    }

    /// Gives the error to the joiner, and notes in its poll if that is known already.
    pub(super) fn tell(self) -> JoinError<E> {
        self.no_value().tell();
        self.error
    }

    /// Ends the task, or body, that needs the value.
    pub(super) fn end_joiner(self, place: &'static Location<'static>) {
        let ends = self.no_value().end_joiner(place);
        assert!(ends, "there is no task to end for want of a value: {}", self.no_value());
    }
}
