//! How a poll may end its task, and what an await notes in it.

use super::reason::Reason;
use super::sync::Arc;
use std::any::Any;
use std::cell::Cell;
use std::panic::Location;

/// Why a task that is not ready does not want another poll.
#[derive(Clone, Copy)]
pub(crate) enum Leave {
    /// It asked for its end, here.
    Exit(&'static Location<'static>),
    /// It has ended because it was cancelled, or, for the reason that it [`Heard`], as if it was.
    Cancelled,
    /// There is no slot for it: the limiter is closed.
    NoSlot,
    /// It needs the value of a child that has none: a failure, for the reason that it [`Heard`].
    NoValue,
    /// Nothing, unless it ends with an error in this poll: an await of ours has reported its
    /// cancel to it, and the error is an echo of that.
    Told,
    /// The same, of a failure that a nursery around it reports: the reason that it [`Heard`].
    ToldOf,
}

/// Where a poll says so.
pub(crate) type LeaveCell = Cell<Option<Leave>>;

/// What a poll has heard of, and the error that was an echo of it. Most polls hear of nothing.
pub(crate) struct Heard {
    pub(crate) reason: Reason,
    pub(crate) error: Option<Arc<dyn Any + Send + Sync>>,
}

impl Heard {
    pub(crate) fn of(reason: Reason) -> Box<Heard> {
        Box::new(Heard { reason, error: None })
    }
}

/// Where that stands.
pub(crate) type HeardCell = Cell<Option<Box<Heard>>>;

/// Why no caller gets a slot any more.
pub(crate) const LIMITER_CLOSED: &str = "the nursery's limiter is closed";
