//! The nurseries that are open inside a nursery, and which task or body opened each.
//!
//! # Invariants
//!
//! 1. `open` holds each nursery that was opened inside and is not closed.
//! 2. Those of one owner are a chain, the newest first. It starts at `of_tasks`, by the number of
//!    the task, or at `of_body`. Each of the chain has that owner; those without an owner are in no
//!    chain.
//! 3. A task that leaves lets go of its chain ([`disown`](Nested::disown)), so the owner of a
//!    nursery is a member.

use super::members::Member;
use slab::Slab;
use std::collections::BTreeMap;

/// The task or body that opened a nested nursery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Task(Member),
    Body,
    /// A task that has left since.
    None,
}

/// The nested nurseries, by keys of their own.
pub(crate) struct Nested<G> {
    open: Slab<Entry<G>>,
    of_tasks: BTreeMap<u64, u32>,
    of_body: Option<u32>,
}

struct Entry<G> {
    group: G,
    owner: Owner,
    /// Its neighbours in the chain of its owner; the newest is the first.
    newer: Option<u32>,
    older: Option<u32>,
}

impl<G> Nested<G> {
    pub(super) fn new() -> Nested<G> {
        Nested { open: Slab::new(), of_tasks: BTreeMap::new(), of_body: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Notes a nursery that the owner opened.
    pub(crate) fn insert(&mut self, group: G, owner: Owner) -> u32 {
        let older = self.chain(owner);
        let key = self.open.insert(Entry { group, owner, newer: None, older });
        let key = u32::try_from(key).expect("fewer than 2^32 nurseries are open in one nursery");
        if let Some(older) = older {
            self.open[older as usize].newer = Some(key);
        }
        self.set_chain(owner, Some(key));
        key
    }

    /// Forgets a nursery that has closed. Returns it with its owner.
    pub(crate) fn remove(&mut self, key: u32) -> (G, Owner) {
        let Entry { group, owner, newer, older } = self.open.remove(key as usize);
        if let Some(older) = older {
            self.open[older as usize].newer = newer;
        }
        match newer {
            Some(newer) => self.open[newer as usize].older = older,
            None => self.set_chain(owner, older),
        }
        (group, owner)
    }

    /// Returns `true` if no member has opened one that is there.
    #[inline]
    pub(super) fn of_no_task(&self) -> bool {
        self.of_tasks.is_empty()
    }

    /// Forgets the owner of the nurseries of a task that leaves.
    #[inline]
    pub(super) fn disown(&mut self, number: u64) {
        if !self.of_tasks.is_empty() {
            self.disown_chain(number);
        }
    }

    fn disown_chain(&mut self, number: u64) {
        let mut key = self.of_tasks.remove(&number);
        while let Some(now) = key {
            let entry = &mut self.open[now as usize];
            entry.owner = Owner::None;
            entry.newer = None;
            key = entry.older.take();
        }
    }

    /// Returns the owner of a nested nursery.
    pub(crate) fn owner(&self, key: u32) -> Owner {
        self.open.get(key as usize).map_or(Owner::None, |entry| entry.owner)
    }

    /// Calls `f` with each open nursery, and with the number of the task that opened it.
    pub(crate) fn each(&self, mut f: impl FnMut(&G, Option<u64>)) {
        for (_, entry) in &self.open {
            let opener = match entry.owner {
                Owner::Task(member) => Some(member.number),
                Owner::Body | Owner::None => None,
            };
            f(&entry.group, opener);
        }
    }

    /// Returns the open nurseries of one owner, the newest first.
    pub(crate) fn of(&self, owner: Owner) -> impl Iterator<Item = &G> {
        let mut at = self.chain(owner);
        std::iter::from_fn(move || {
            let entry = &self.open[at? as usize];
            at = entry.older;
            Some(&entry.group)
        })
    }

    /// Returns `true` if the owner has a nursery open.
    pub(crate) fn has(&self, owner: Owner) -> bool {
        self.chain(owner).is_some()
    }

    fn chain(&self, owner: Owner) -> Option<u32> {
        match owner {
            Owner::Task(member) => self.of_tasks.get(&member.number).copied(),
            Owner::Body => self.of_body,
            Owner::None => None,
        }
    }

    fn set_chain(&mut self, owner: Owner, head: Option<u32>) {
        match owner {
            Owner::Task(member) => {
                match head {
                    Some(head) => self.of_tasks.insert(member.number, head),
                    None => self.of_tasks.remove(&member.number),
                };
            }
            Owner::Body => self.of_body = head,
            Owner::None => {}
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Nested, Owner};
    use crate::layers::group::registry::members::Member;
    use crate::layers::record::Ptr;

    fn task(number: u64) -> Owner {
        Owner::Task(Member { number, ptr: Ptr::dangling() })
    }

    fn of(nested: &Nested<&'static str>, owner: Owner) -> Vec<&'static str> {
        nested.of(owner).copied().collect()
    }

    #[test]
    fn each_owner_has_a_chain_with_the_newest_first() {
        let mut nested = Nested::new();
        nested.insert("a", task(1));
        nested.insert("b", Owner::Body);
        nested.insert("c", task(1));
        nested.insert("d", task(2));
        assert_eq!(of(&nested, task(1)), ["c", "a"]);
        assert_eq!(of(&nested, Owner::Body), ["b"]);
        assert!(nested.has(task(2)) && !nested.has(task(3)));
        assert!(of(&nested, Owner::None).is_empty());
    }

    #[test]
    fn removed_from_front_middle_and_end() {
        for (gone, left) in [(0, ["c", "b"]), (1, ["c", "a"]), (2, ["b", "a"])] {
            let mut nested = Nested::new();
            let keys = ["a", "b", "c"].map(|name| nested.insert(name, task(1)));
            let (_, owner) = nested.remove(keys[gone]);
            assert!(owner == task(1));
            assert_eq!(of(&nested, task(1)), left);
        }
    }

    #[test]
    fn a_chain_ends_with_its_last_nursery() {
        let mut nested = Nested::new();
        for owner in [task(1), Owner::Body] {
            let key = nested.insert("a", owner);
            assert_eq!(nested.remove(key).0, "a");
            assert!(!nested.has(owner) && nested.is_empty());
        }
        assert!(nested.of_tasks.is_empty(), "nothing is left of a task");
    }

    #[test]
    fn a_task_that_leaves_orphans_its_own() {
        let mut nested = Nested::new();
        let keys = ["a", "b"].map(|name| nested.insert(name, task(1)));
        let other = nested.insert("c", task(2));
        nested.disown(1);
        assert!(keys.into_iter().all(|key| nested.owner(key) == Owner::None));
        assert!(nested.owner(other) == task(2));
        assert!(!nested.has(task(1)));
        let mut seen = Vec::new();
        nested.each(|name, opener| seen.push((*name, opener)));
        assert_eq!(seen, [("a", None), ("b", None), ("c", Some(2))]);
        // In either order: what is in no chain changes none.
        for key in keys {
            nested.remove(key);
        }
        assert_eq!(of(&nested, task(2)), ["c"]);
    }

    #[test]
    fn a_closed_nursery_has_no_owner() {
        let mut nested = Nested::new();
        let key = nested.insert("a", task(1));
        nested.remove(key);
        assert!(nested.owner(key) == Owner::None);
    }
}
