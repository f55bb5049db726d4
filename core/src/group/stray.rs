//! The tasks that nobody is left to own: what a dropped root nursery had running.
//!
//! They end with the poll that they are in. Until then they are counted, and can be listed.

use super::Group;
use crate::sync::{Arc, GlobalMutex, Weak};
use crate::tree::Tree;

static STRAYS: GlobalMutex<Vec<Weak<Group>>> = GlobalMutex::new(Vec::new());

pub(super) fn add(group: &Group) {
    if let Some(group) = group.arc() {
        STRAYS.lock().push(Arc::downgrade(&group));
    }
}

pub(super) fn remove(group: &Arc<Group>) {
    STRAYS.lock().retain(|stray| stray.strong_count() > 0 && stray.as_ptr() != Arc::as_ptr(group));
}

/// Returns the nurseries whose root future was dropped while tasks of theirs were being polled, and
/// that still have such a task.
///
/// A nursery that is dropped destroys every task that is not being polled, and hands the others to
/// its nearest living ancestor. Only a root has no ancestor: its tasks end with the poll that they
/// are in, and stand here until then.
///
/// # Examples
///
/// ```
/// assert!(allhome::strays().is_empty());
/// ```
pub fn strays() -> Vec<Tree> {
    let groups: Vec<_> = STRAYS.lock().iter().filter_map(Weak::upgrade).collect();
    let trees = groups.iter().map(Tree::of).filter(|tree| tree.tasks() > 0);
    trees.collect()
}
