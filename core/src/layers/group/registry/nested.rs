//! The nurseries that are open inside a nursery, and which task or body opened each.
//!
//! # Invariants
//!
//! 1. `open` holds each nursery that was opened inside and is not closed.
//! 2. Those of one opener are a chain, the newest first. It starts at `of_tasks`, by the number of
//!    the task, or at `of_body`. Each of the chain has that opener; those without an opener are in no
//!    chain.
//! 3. A task that leaves lets go of its chain ([`disown`](Nested::disown)), so the opener of a
//!    nursery is a member.

use super::members::Member;
use slab::Slab;
use std::collections::BTreeMap;

/// The task or body that opened a nested nursery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenedBy {
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
    opener: OpenedBy,
    /// Its neighbours in the chain of its opener; the newest is the first.
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

    /// Notes a nursery that the opener opened.
    pub(crate) fn insert(&mut self, group: G, opener: OpenedBy) -> u32 {
        let older = self.chain(opener);
        let key = self.open.insert(Entry { group, opener, newer: None, older });
        let key = u32::try_from(key).expect("fewer than 2^32 nurseries are open in one nursery");
        if let Some(older) = older {
            self.open[older as usize].newer = Some(key);
        }
        self.set_chain(opener, Some(key));
        key
    }

    /// Forgets a nursery that has closed. Returns it with its opener.
    pub(crate) fn remove(&mut self, key: u32) -> (G, OpenedBy) {
        let Entry { group, opener, newer, older } = self.open.remove(key as usize);
        if let Some(older) = older {
            self.open[older as usize].newer = newer;
        }
        match newer {
            Some(newer) => self.open[newer as usize].older = older,
            None => self.set_chain(opener, older),
        }
        (group, opener)
    }

    /// Returns `true` if no member has opened one that is there.
    #[inline]
    pub(super) fn of_no_task(&self) -> bool {
        self.of_tasks.is_empty()
    }

    /// Forgets the opener of the nurseries of a task that leaves.
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
            entry.opener = OpenedBy::None;
            entry.newer = None;
            key = entry.older.take();
        }
    }

    /// Returns the opener of a nested nursery.
    pub(crate) fn opener(&self, key: u32) -> OpenedBy {
        self.open.get(key as usize).map_or(OpenedBy::None, |entry| entry.opener)
    }

    /// Calls `f` with each open nursery, and with the task or body that opened it.
    pub(crate) fn each(&self, mut f: impl FnMut(&G, OpenedBy)) {
        self.open.iter().for_each(|(_, entry)| f(&entry.group, entry.opener));
    }

    /// Returns the open nurseries of one opener, the newest first.
    pub(crate) fn of(&self, opener: OpenedBy) -> impl Iterator<Item = &G> {
        let mut at = self.chain(opener);
        std::iter::from_fn(move || {
            let entry = &self.open[at? as usize];
            at = entry.older;
            Some(&entry.group)
        })
    }

    /// Returns `true` if the opener has a nursery open.
    pub(crate) fn has(&self, opener: OpenedBy) -> bool {
        self.chain(opener).is_some()
    }

    fn chain(&self, opener: OpenedBy) -> Option<u32> {
        match opener {
            OpenedBy::Task(member) => self.of_tasks.get(&member.number).copied(),
            OpenedBy::Body => self.of_body,
            OpenedBy::None => None,
        }
    }

    fn set_chain(&mut self, opener: OpenedBy, head: Option<u32>) {
        match opener {
            OpenedBy::Task(member) => {
                match head {
                    Some(head) => self.of_tasks.insert(member.number, head),
                    None => self.of_tasks.remove(&member.number),
                };
            }
            OpenedBy::Body => self.of_body = head,
            OpenedBy::None => {}
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Nested, OpenedBy};
    use crate::layers::group::registry::members::Member;
    use crate::layers::record::Ptr;

    fn task(number: u64) -> OpenedBy {
        OpenedBy::Task(Member { number, ptr: Ptr::dangling() })
    }

    fn of(nested: &Nested<&'static str>, opener: OpenedBy) -> Vec<&'static str> {
        nested.of(opener).copied().collect()
    }

    #[test]
    fn each_owner_has_a_chain_with_the_newest_first() {
        let mut nested = Nested::new();
        nested.insert("a", task(1));
        nested.insert("b", OpenedBy::Body);
        nested.insert("c", task(1));
        nested.insert("d", task(2));
        assert_eq!(of(&nested, task(1)), ["c", "a"]);
        assert_eq!(of(&nested, OpenedBy::Body), ["b"]);
        assert!(nested.has(task(2)) && !nested.has(task(3)));
        assert!(of(&nested, OpenedBy::None).is_empty());
    }

    #[test]
    fn removed_from_front_middle_and_end() {
        for (gone, left) in [(0, ["c", "b"]), (1, ["c", "a"]), (2, ["b", "a"])] {
            let mut nested = Nested::new();
            let keys = ["a", "b", "c"].map(|name| nested.insert(name, task(1)));
            let (_, opener) = nested.remove(keys[gone]);
            assert!(opener == task(1));
            assert_eq!(of(&nested, task(1)), left);
        }
    }

    #[test]
    fn a_chain_ends_with_its_last_nursery() {
        let mut nested = Nested::new();
        for opener in [task(1), OpenedBy::Body] {
            let key = nested.insert("a", opener);
            assert_eq!(nested.remove(key).0, "a");
            assert!(!nested.has(opener) && nested.is_empty());
        }
        assert!(nested.of_tasks.is_empty(), "nothing is left of a task");
    }

    #[test]
    fn a_task_that_leaves_orphans_its_own() {
        let mut nested = Nested::new();
        let keys = ["a", "b"].map(|name| nested.insert(name, task(1)));
        let other = nested.insert("c", task(2));
        nested.disown(1);
        assert!(keys.into_iter().all(|key| nested.opener(key) == OpenedBy::None));
        assert!(nested.opener(other) == task(2));
        assert!(!nested.has(task(1)));
        let mut seen = Vec::new();
        nested.each(|name, opener| seen.push((*name, opener)));
        assert!(seen == [("a", OpenedBy::None), ("b", OpenedBy::None), ("c", task(2))]);
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
        assert!(nested.opener(key) == OpenedBy::None);
    }
}
