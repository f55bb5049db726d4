//! How a poll that is not ready may end its task.

use std::cell::Cell;
use std::panic::Location;

/// Why a task that is not ready does not want another poll.
#[derive(Clone, Copy)]
pub(crate) enum Leave {
    /// It asked for its end, here.
    Exit(&'static Location<'static>),
    /// It has ended because it was cancelled.
    Cancelled,
    /// There is no slot for it: the limiter is closed.
    NoSlot,
    /// Nothing, unless it ends with an error in this poll: an await of ours has reported its
    /// cancel to it, and the error is an echo of that.
    Told,
}

/// Where a poll says so.
pub(crate) type LeaveCell = Cell<Option<Leave>>;

/// Why no caller gets a slot any more.
pub(crate) const LIMITER_CLOSED: &str = "the nursery's limiter is closed";
