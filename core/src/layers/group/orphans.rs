//! The groups that no ancestor is left to own: what a dropped root nursery had running.
//!
//! Its tasks end with the poll that they are in. Until then they are counted, and can be listed. The
//! list keeps nothing: a group keeps itself while it is occupied.

use super::Group;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::GlobalGuarded;
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

/// Returns those that are listed.
pub(crate) fn all() -> Vec<Weak<Group>> {
    STRAYS.locked(|strays| strays.iter().map(|(_, group)| group.clone()).collect())
}
