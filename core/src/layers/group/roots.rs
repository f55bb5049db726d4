//! The nurseries that are in no other, from the opening to the end of each.
//!
//! A look finds all that is running by it, with no handle. The list keeps no group: it has weak
//! references, and a group leaves it when it closes. What a dropped root has left running (an
//! *orphan*) stays listed until then.
//!
//! The list is in parts, by the nurseries' ids, so that threads which open roots all the time mostly
//! take different locks. A part has a few places of its own, and allocates only when these are taken:
//! a program that opens one root after the other, or a few hundred at once, allocates nothing for it.

use super::Group;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::GlobalGuarded;
use crate::layers::base::id::NurseryId;
use slab::Slab;

/// So many places has a part without an allocation.
const FEW: usize = 6;

/// So many roots are taken from a part in one hold of its lock.
const A_HOLD: usize = 256;

/// On a cache line of its own.
#[repr(align(64))]
struct Part(GlobalGuarded<Roots>);

struct Roots {
    few: [Option<Weak<Group>>; FEW],
    /// Empty, it has no memory.
    more: Slab<Weak<Group>>,
}

static PARTS: [Part; 16] = [const { Part(GlobalGuarded::new(Roots::new())) }; 16];

fn part(id: NurseryId) -> &'static Part {
    &PARTS[id.spread(PARTS.len())]
}

impl Roots {
    const fn new() -> Roots {
        Roots { few: [const { None }; FEW], more: Slab::new() }
    }

    fn add(&mut self, group: Weak<Group>) -> usize {
        match self.few.iter().position(Option::is_none) {
            Some(place) => {
                self.few[place] = Some(group);
                place
            }
            None => FEW + self.more.insert(group),
        }
    }

    fn remove(&mut self, place: usize) -> Option<Weak<Group>> {
        let Some(place) = place.checked_sub(FEW) else { return self.few[place].take() };
        let removed = self.more.try_remove(place);
        if self.more.is_empty() {
            self.more = Slab::new();
        }
        removed
    }

    fn get(&self, place: usize) -> Option<&Weak<Group>> {
        match place.checked_sub(FEW) {
            None => self.few[place].as_ref(),
            Some(place) => self.more.get(place),
        }
    }
}

/// Lists a root. Returns its place in the list.
pub(super) fn add(group: Weak<Group>) -> usize {
    let part = part(group.id);
    part.0.locked(|roots| roots.add(group))
}

/// Takes a root off the list, by its place.
pub(super) fn remove(id: NurseryId, place: usize) {
    drop(part(id).0.locked(|roots| roots.remove(place)));
}

/// Returns those that are listed, the oldest first.
pub(crate) fn all() -> Vec<Weak<Group>> {
    let mut all = Vec::new();
    for part in &PARTS {
        let mut from = 0;
        while let Some(next) = part.0.locked(|roots| {
            let to = (FEW + roots.more.capacity()).min(from + A_HOLD);
            all.extend((from..to).filter_map(|place| roots.get(place).cloned()));
            (to > from).then_some(to)
        }) {
            from = next;
        }
    }
    all.sort_unstable_by_key(|group| group.id);
    all
}
