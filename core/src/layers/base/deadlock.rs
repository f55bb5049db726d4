//! A nursery that can go on no more, as its error says so.

use super::id::TaskId;
use super::sync::Arc;
use std::fmt;

/// A nursery that a [guard](crate::see::guard) has found to wait for nothing but itself: its body and
/// all its tasks wait, and nothing can wake any of them.
///
/// Its text has the nursery's [tree](crate::task::Tree), which says of each what it waits for.
#[derive(Clone)]
pub struct Deadlock(Arc<Inner>);

struct Inner {
    tasks: Vec<TaskId>,
    text: String,
}

impl Deadlock {
    pub(crate) fn new(tasks: Vec<TaskId>, text: String) -> Deadlock {
        Deadlock(Arc::new(Inner { tasks, text }))
    }

    /// Returns the tasks, of the nursery and of those inside. The body is beside them, if it was
    /// there.
    pub fn tasks(&self) -> &[TaskId] {
        &self.0.tasks
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deadlock").field(&self.0.tasks).finish()
    }
}
