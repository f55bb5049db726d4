//! The nurseries that are in no other, from the opening to the end of each.
//!
//! A look finds all that is running by it, with no handle. The list keeps no group: it has weak
//! references, and a group leaves it when it closes. What a dropped root has left running (an
//! *orphan*) stays listed until then.
//!
//! The list is in parts, by the nurseries' ids, so that threads which open roots all the time mostly
//! take different locks.

use super::Group;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::GlobalGuarded;
use crate::layers::base::id::NurseryId;
use slab::Slab;

/// So many roots are taken from the list in one hold of its lock.
const A_HOLD: usize = 256;

/// On a cache line of its own.
#[repr(align(64))]
struct Part(GlobalGuarded<Slab<Weak<Group>>>);

static ROOTS: [Part; 16] = [const { Part(GlobalGuarded::new(Slab::new())) }; 16];

fn part(id: NurseryId) -> &'static Part {
    &ROOTS[id.spread(ROOTS.len())]
}

/// Lists a root. Returns its place in the list.
pub(super) fn add(group: Weak<Group>) -> usize {
    let part = part(group.id);
    part.0.locked(|roots| roots.insert(group))
}

/// Takes a root off the list, by its place.
pub(super) fn remove(id: NurseryId, place: usize) {
    drop(part(id).0.locked(|roots| roots.try_remove(place)));
}

/// Returns those that are listed, the oldest first.
pub(crate) fn all() -> Vec<Weak<Group>> {
    let mut all = Vec::new();
    for part in &ROOTS {
        let mut from = 0;
        while let Some(next) = part.0.locked(|roots| {
            let to = roots.capacity().min(from + A_HOLD);
            all.extend((from..to).filter_map(|place| roots.get(place).cloned()));
            (to > from).then_some(to)
        }) {
            from = next;
        }
    }
    all.sort_unstable_by_key(|group| group.id);
    all
}
