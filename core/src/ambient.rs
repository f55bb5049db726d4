//! What a task can ask about itself.

use crate::context;
use crate::id::TaskId;
use crate::reason::Reason;

/// Tells whether the task, or the nursery's body, that calls it was cancelled. False outside of any
/// nursery.
///
/// A task that was cancelled is polled once more, and this is true in that poll: what it does not
/// finish then is dropped where it waits.
///
/// # Examples
///
/// ```
/// assert!(!allhome::is_cancelled(), "there is no nursery here");
/// ```
pub fn is_cancelled() -> bool {
    context::current(|frame| {
        frame.is_some_and(|frame| {
            let own = frame.header().is_some_and(|header| header.state().is_cancelled());
            own || frame.group.is_cancelled()
        })
    })
}

/// Returns why the task, or the nursery's body, that calls it was cancelled.
pub fn cancel_reason() -> Option<Reason> {
    context::current(|frame| {
        let frame = frame?;
        let registry = frame.group.lock();
        match frame.header() {
            Some(header) => registry.reason_of_number(header.number()),
            None => registry.reason.clone(),
        }
    })
}

/// Returns the id of the task that calls it. None outside of any nursery, and in a nursery's body.
pub fn task_id() -> Option<TaskId> {
    context::current(|frame| {
        let frame = frame?;
        Some(frame.group.task_id(frame.header()?))
    })
}
