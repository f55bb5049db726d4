//! What a handle finds of a child without a value.

use crate::layers::base::counted::Weak;
use crate::layers::base::join_error::JoinError;
use crate::layers::base::outcome::Ending;
use crate::layers::base::who::Who;
use crate::layers::group::Group;
use crate::layers::group::no_value::{Lack, NoValue};
use std::panic::Location;

/// The error of a join, and what is known of the child. In a box: most children have a value.
pub(crate) struct Lacking<E> {
    error: JoinError<E>,
    /// None if the outcome was taken before.
    ending: Option<Ending>,
    child: Option<(Weak<Group>, Who)>,
}

impl<E> Lacking<E> {
    pub(super) fn new(
        error: JoinError<E>,
        ending: Ending,
        child: Option<(Weak<Group>, Who)>,
    ) -> Box<Lacking<E>> {
        Box::new(Lacking { error, ending: Some(ending), child })
    }

    pub(super) fn taken() -> Box<Lacking<E>> {
        Box::new(Lacking { error: JoinError::taken(), ending: None, child: None })
    }

    /// Returns `true` if the child was cancelled or refused.
    pub(super) fn is_cancelled(&self) -> bool {
        self.error.reason().is_some()
    }

    /// Gives the error to the joiner, and notes in its poll if that is known already.
    pub(super) fn tell(self) -> JoinError<E> {
        let Lacking { error, ending, child } = self;
        no_value(ending, child.as_ref()).tell();
        error
    }

    /// Returns `true` if it is a failure that a joiner which has enough does not keep from the
    /// nursery: a panic, or a loss.
    pub(super) fn is_of_the_nursery(&self) -> bool {
        matches!(self.ending, Some(Ending::Panicked(_) | Ending::Lost))
    }

    /// No caller looks at it: a failure goes to the nursery, if that left it to the joiner.
    pub(super) fn hand_in(self) {
        if let (Some(ending), Some((group, who))) = (self.ending, self.child) {
            if group.config.policy.isolates() {
                group.hand_in(ending, who);
            }
        }
    }

    /// Ends the task, or body, that needs the value.
    pub(super) fn end_joiner(self, place: &'static Location<'static>) {
        let lack = no_value(self.ending, self.child.as_ref());
        if let Err(lack) = lack.end_joiner(place) {
            panic!("there is no task to end for want of a value: {lack}");
        }
    }
}

fn no_value(ending: Option<Ending>, child: Option<&(Weak<Group>, Who)>) -> NoValue<'_> {
    let lack = match ending {
        None => Lack::Taken,
        Some(Ending::Cancelled(reason)) => Lack::Cancelled(reason),
        Some(ending) => Lack::Failed(ending),
    };
    let (group, child) = child.map(|(group, who)| (group, who.clone())).unzip();
    NoValue { group, child, lack }
}
