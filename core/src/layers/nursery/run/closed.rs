//! What the nursery's future makes its result of, when every member has ended.

use crate::layers::base::counted::Strong;
use crate::layers::base::leave::Leave;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::context::{self, TaskFrame, scope};
use crate::layers::group::Group;
use crate::layers::group::registry::report::Report;
use crate::layers::nursery::error::GroupError;
use crate::layers::nursery::settled::{self, Settled};
use std::task::Poll;

/// A nursery that has closed, and what its result is made of.
pub(super) type Ended = (Strong<Group>, Report);

/// A nursery that has closed: what its result is made of.
pub(super) struct Closed<R> {
    pub(super) group: Strong<Group>,
    pub(super) report: Report,
    pub(super) value: Option<R>,
}

/// Gives what the nursery's result is made of, when every member has ended. Pending: the cancel
/// scope around tells it, see the table of the future.
pub(super) fn conclude<R, E>(
    ended: Ended,
    value: &mut Option<R>,
    quiet: &mut Option<Box<Ended>>,
) -> Poll<Result<Closed<R>, GroupError<E>>> {
    if value.is_none() && is_told_by_a_scope(&ended) {
        *quiet = Some(Box::new(ended));
        return Poll::Pending;
    }
    let (group, report) = ended;
    Poll::Ready(Ok(Closed { group, report, value: value.take() }))
}

/// Returns `true` if nothing went wrong but the cancel, and that is the end of a scope around.
fn is_told_by_a_scope((group, report): &Ended) -> bool {
    if !report.is_empty() {
        return false;
    }
    let reason = group.locked(|registry| registry.cancel.reason().cloned());
    reason.is_some_and(|reason| context::current(|frame| scope::ends_scope(frame, &reason)))
}

impl<R> Closed<R> {
    /// Makes the nursery's result.
    pub(super) fn conclude<E: Send + Sync + 'static>(self) -> Result<R, GroupError<E>> {
        self.settle().into_result()
    }

    /// Makes the result that an owner gets. Its nursery's body has no value that a cancel could take
    /// away, and says nothing; what a deadline has cut off is missed, whether or not the body had
    /// ended before.
    pub(super) fn conclude_owned<E: Send + Sync + 'static>(self) -> Result<(), GroupError<E>> {
        let Closed { group, report, .. } = self;
        let reason = group.locked(|registry| registry.cancel.reason().cloned());
        let is_late = reason.is_some_and(|reason| reason.kind() == ReasonKind::Deadline);
        Closed { group, report, value: (!is_late).then_some(()) }.conclude()
    }

    /// Makes it, with the body's value beside the failures.
    pub(super) fn settle<E: Send + Sync + 'static>(self) -> Settled<R, E> {
        let Closed { group, report, value } = self;
        let reason = group.locked(|registry| registry.cancel.reason().cloned());
        settled::settle(&group.config, reason, report, value, tell_end)
    }
}

/// Notes that the nursery has nothing to report but its cancel, or what a nursery around reports.
fn tell_end(body_reason: Option<&Reason>) {
    let known = |task: &TaskFrame<'_>| {
        let group = Group::of(task.group)?;
        body_reason.filter(|reason| group.knows(reason)).cloned()
    };
    match context::task(|task| known(task?)) {
        Some(reason) => {
            context::noted::here(|notes| {
                notes.map(|notes| notes.tell(Leave::ToldOf, Some(reason)))
            });
        }
        None => context::noted::tell_cancelled(),
    }
}
