//! Which task it was, as errors and reports name it.

use super::id::TaskId;
use std::fmt;
use std::panic::Location;

/// What failed or left: a child, or (no task) the body or a finalizer.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) task: Option<TaskId>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) place: &'static Location<'static>,
    /// A finalizer, and not the body.
    pub(crate) finalizer: bool,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.task, &self.name) {
            (Some(_), Some(name)) => write!(f, "task `{name}`"),
            (Some(id), None) => write!(f, "task {id} (spawned at {})", self.place),
            (None, _) if self.finalizer => write!(f, "a finalizer (deferred at {})", self.place),
            (None, _) => f.write_str("the body"),
        }
    }
}
