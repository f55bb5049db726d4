//! The groups that no ancestor is left to own: what a dropped root nursery had running.
//!
//! Its tasks end with the poll that they are in. Until then they are counted, and can be listed.
//! The list keeps nothing: a group keeps itself while it is occupied.

use super::Group;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::GlobalGuarded;
use slab::Slab;

static ORPHANS: GlobalGuarded<Slab<Weak<Group>>> = GlobalGuarded::new(Slab::new());

/// Lists a group. Returns its place in the list.
pub(super) fn add(group: Weak<Group>) -> usize {
    ORPHANS.locked(|orphans| orphans.insert(group))
}

/// Takes a group off the list, by its place.
pub(super) fn remove(place: usize) {
    drop(ORPHANS.locked(|orphans| orphans.try_remove(place)));
}

/// Returns those that are listed.
pub(crate) fn all() -> Vec<Weak<Group>> {
    ORPHANS.locked(|orphans| orphans.iter().map(|(_, group)| group.clone()).collect())
}
