//! The nurseries that are open inside a nursery, and who opened them (invariant 5 of the registry).

use super::Registry;
use crate::layers::base::counted::Weak;
use crate::layers::base::sync::Ordering;
use crate::layers::group::Group;
use crate::layers::record::{Handle, Ptr};

/// Who opened a nested nursery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Task(Ptr),
    Body,
    /// A task that has left since.
    Nobody,
}

pub(crate) struct Nested {
    pub(crate) group: Weak<Group>,
    owner: Owner,
    /// Its neighbours in the chain of its owner; the newest is the first.
    newer: Option<u32>,
    older: Option<u32>,
}

impl Registry {
    /// Notes a nursery that the owner opened.
    pub(crate) fn nest(&mut self, group: Weak<Group>, owner: Owner) -> u32 {
        let older = self.chain(owner);
        let key = self.nested.insert(Nested { group, owner, newer: None, older });
        let key = u32::try_from(key).expect("fewer than 2^32 nurseries are open in one nursery");
        if let Some(older) = older {
            self.nested[older as usize].newer = Some(key);
        }
        self.set_chain(owner, Some(key));
        key
    }

    /// Forgets a nursery that has closed. Returns who had opened it.
    pub(crate) fn unnest(&mut self, key: u32) -> (Nested, Owner) {
        let nested = self.nested.remove(key as usize);
        let owner = nested.owner;
        if let Some(older) = nested.older {
            self.nested[older as usize].newer = nested.newer;
        }
        match nested.newer {
            Some(newer) => self.nested[newer as usize].older = nested.older,
            None => self.set_chain(owner, nested.older),
        }
        (nested, owner)
    }

    /// Forgets who opened the nurseries of a task that leaves.
    pub(super) fn orphan(&mut self, number: u64) {
        let mut key = self.task_nested.remove(&number);
        while let Some(now) = key {
            let nested = &mut self.nested[now as usize];
            nested.owner = Owner::Nobody;
            nested.newer = None;
            key = nested.older.take();
        }
    }

    /// Returns who opened a nested nursery.
    pub(crate) fn owner(&self, key: u32) -> Owner {
        self.nested.get(key as usize).map_or(Owner::Nobody, |nested| nested.owner)
    }

    /// Returns the open nurseries inside this one, with the number of the task that opened each.
    pub(crate) fn each_nested(&self, mut f: impl FnMut(&Weak<Group>, Option<u64>)) {
        for (_, nested) in &self.nested {
            let opener = match nested.owner {
                Owner::Task(ptr) => Some(self.number(ptr)),
                Owner::Body | Owner::Nobody => None,
            };
            f(&nested.group, opener);
        }
    }

    /// Returns the nurseries that one member has open.
    pub(crate) fn nested_of<T, E>(&self, handle: &Handle<T, E>) -> Vec<Weak<Group>> {
        let mut groups = Vec::new();
        if let Some(ptr) = self.member(handle) {
            self.walk(Owner::Task(ptr), |group| {
                groups.push(group.clone());
                true
            });
        }
        groups
    }

    /// Tells whether a nursery that the owner opened still has somebody in it: then the owner may
    /// not be dropped for a mere cancel, because joining is never cut short.
    pub(crate) fn holds(&self, owner: Owner) -> bool {
        let mut held = false;
        self.walk(owner, |group| {
            // Relaxed: whoever turns it off takes this lock afterwards and wakes the owner.
            held |= group.occupied.load(Ordering::Relaxed);
            !held
        });
        held
    }

    /// Tells whether a nursery that the owner opened is not closed.
    pub(crate) fn has_nested(&self, owner: Owner) -> bool {
        self.chain(owner).is_some()
    }

    fn walk(&self, owner: Owner, mut f: impl FnMut(&Weak<Group>) -> bool) {
        let mut at = self.chain(owner);
        while let Some(key) = at {
            let nested = &self.nested[key as usize];
            if !f(&nested.group) {
                return;
            }
            at = nested.older;
        }
    }

    fn chain(&self, owner: Owner) -> Option<u32> {
        match owner {
            Owner::Task(ptr) => self.task_nested.get(&self.number(ptr)).copied(),
            Owner::Body => self.body_nested,
            Owner::Nobody => None,
        }
    }

    fn set_chain(&mut self, owner: Owner, head: Option<u32>) {
        match owner {
            Owner::Task(ptr) => {
                let number = self.number(ptr);
                match head {
                    Some(head) => self.task_nested.insert(number, head),
                    None => self.task_nested.remove(&number),
                };
            }
            Owner::Body => self.body_nested = head,
            Owner::Nobody => {}
        }
    }
}
