//! Making children: of one parent, of several.

#![allow(unsafe_code)]

use super::callbacks::Extra;
use super::node::{Link, Lists, Node, NodeRef};
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Ordering;
use std::ptr::{self, NonNull};

impl NodeRef {
    /// Makes a root that has a level and reason from its start.
    pub(super) fn born(level: Level, reason: Option<Reason>, extra: Option<Box<Extra>>) -> NodeRef {
        let root = NodeRef::new(&[], extra);
        if let Some(reason) = reason {
            // SAFETY: nobody else knows the node yet.
            root.own.with_mut(|own| unsafe { *own = Some(reason) });
            // Relaxed, both: as in `child`.
            root.reason.store(ptr::from_ref(&root.own).cast_mut(), Ordering::Relaxed);
        }
        root.level.store(level as u8, Ordering::Relaxed);
        root
    }

    /// Makes a child. It is born with its parent's level and reason.
    pub(super) fn child(&self, extra: Option<Box<Extra>>) -> NodeRef {
        let child = NodeRef::new(&[self], extra);
        self.locked(|lists| {
            // Relaxed, both: nobody else knows the child yet; whoever gets to it through the list or
            // a handle comes after the lock or after whatever handed the handle over.
            child.level.store(self.level.load(Ordering::Relaxed), Ordering::Relaxed);
            child.reason.store(self.reason.load(Ordering::Relaxed), Ordering::Relaxed);
            // SAFETY: the lock is this parent's, and the child is in no list yet.
            unsafe { self.adopt(lists, &child.links()[0]) };
        });
        child
    }

    /// Makes a child of several parents. It is born with the highest of their levels.
    pub(super) fn any(parents: &[&NodeRef]) -> NodeRef {
        let child = NodeRef::new(parents, None);
        for (parent, link) in parents.iter().zip(child.links()) {
            parent.locked(|lists| {
                // SAFETY: the lock is this parent's, and this link is in no list yet.
                unsafe { parent.adopt(lists, link) };
                // From the second on, a sweep may get to the child through an earlier parent. The
                // parent's lock comes before the child's.
                child.locked(|_| child.inherit(parent));
            });
        }
        child
    }
}

impl Node {
    /// Rises to the level of a parent; nobody waits yet. Both locks are held.
    fn inherit(&self, parent: &Node) {
        let level = parent.level.load(Ordering::Relaxed);
        if level > self.level.load(Ordering::Relaxed) {
            if self.reason.load(Ordering::Relaxed).is_null() {
                // Release: pairs with the load of whoever asks.
                self.reason.store(parent.reason.load(Ordering::Relaxed), Ordering::Release);
            }
            // Release: as a rise.
            self.level.store(level, Ordering::Release);
        }
    }

    /// Puts a child into the list.
    ///
    /// # Safety
    ///
    /// `lists` are this node's, the link names it as its parent, and the link is in no list.
    unsafe fn adopt(&self, lists: &mut Lists, link: &Link) {
        // Relaxed: read by whoever drops the last handle, who comes after us (invariant 3).
        self.had_children.store(true, Ordering::Relaxed);
        // At the front: a sweep that gave the lock away half-way goes on towards the end, and so
        // never has to follow those who come in the meantime. They are born with its level.
        // SAFETY: the caller's promise; the link stays in its node until it is taken out.
        unsafe { lists.children.push_front(NonNull::from(link)) };
    }
}
