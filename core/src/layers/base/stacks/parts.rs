//! What those parts of tasks have seen that a combinator polls by itself: a part waits on when its task
//! is polled and it is not, so it is noted until it is polled again, is ready, or is dropped.

use super::set::Set;
use crate::layers::base::id::TaskId;
use crate::layers::base::sync::{GlobalMutex, GlobalU32, GlobalU64, Ordering};
use std::collections::BTreeMap;

static PARTS: GlobalMutex<BTreeMap<(TaskId, u64), Set>> = GlobalMutex::new(BTreeMap::new());
/// How many there are.
static COUNT: GlobalU32 = GlobalU32::new(0);
static LAST: GlobalU64 = GlobalU64::new(0);

/// A part that is noted.
pub(crate) struct Part {
    key: (TaskId, u64),
}

impl Part {
    /// Notes what a part of this task has seen.
    pub(crate) fn new(task: TaskId, seen: Set) -> Part {
        // Relaxed: only uniqueness matters.
        let key = (task, LAST.fetch_add(1, Ordering::Relaxed));
        let mut parts = PARTS.lock();
        parts.insert(key, seen);
        COUNT.store(parts.len() as u32, Ordering::Relaxed);
        Part { key }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut parts = PARTS.lock();
        parts.remove(&self.key);
        COUNT.store(parts.len() as u32, Ordering::Relaxed);
    }
}

/// Adds what the parts of a task have seen. Relaxed: a look that misses one that is new is older.
pub(super) fn add(mut seen: Set, task: TaskId) -> Set {
    if COUNT.load(Ordering::Relaxed) > 0 {
        let parts = PARTS.lock();
        parts.range((task, 0)..=(task, u64::MAX)).for_each(|(_, part)| seen.merge(part));
    }
    seen
}
