//! The groups that no ancestor is left to own: what a dropped root nursery had running.
//!
//! Its tasks end with the poll that they are in. Until then they are counted, and can be listed. The
//! list keeps nothing: a group keeps itself while it is occupied.

use super::Group;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::GlobalGuarded;
use crate::layers::nursery::tree::Tree;
use slab::Slab;

static STRAYS: GlobalGuarded<Slab<Weak<Group>>> = GlobalGuarded::new(Slab::new());

/// Lists a group. Returns its place in the list.
pub(super) fn add(group: Weak<Group>) -> usize {
    STRAYS.locked(|strays| strays.insert(group))
}

/// Takes a group off the list, by its place.
pub(super) fn remove(place: usize) {
    drop(STRAYS.locked(|strays| strays.try_remove(place)));
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
    let groups: Vec<_> =
        STRAYS.locked(|strays| strays.iter().map(|(_, group)| group.clone()).collect());
    let trees = groups.iter().map(Tree::of).filter(|tree| tree.tasks() > 0);
    trees.collect()
}
