//! Creating nodes: roots with a level, children of one parent, children of several.

#![allow(unsafe_code)]

use super::callbacks::Extra;
use super::node::{Link, Lists, Node, NodeRef};
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Ordering;
use std::ptr::{self, NonNull};

impl NodeRef {
    /// Creates a root that has a level and a reason from its start.
    pub(super) fn born(level: Level, reason: Option<Reason>, extra: Option<Box<Extra>>) -> NodeRef {
        let root = NodeRef::new(&[], extra);
        if let Some(reason) = reason {
            // SAFETY: no other thread knows the node yet.
            root.own.with_mut(|own| unsafe { *own = Some(reason) });
            // Relaxed, both: as in `child`.
            root.reason.store(ptr::from_ref(&root.own).cast_mut(), Ordering::Relaxed);
        }
        root.level.store(level as u8, Ordering::Relaxed);
        root
    }

    /// Creates a child. It starts with its parent's level and reason.
    pub(super) fn child(&self, extra: Option<Box<Extra>>) -> NodeRef {
        let child = NodeRef::new(&[self], extra);
        self.locked(|lists| {
            // Relaxed, both: no other thread knows the child yet; a thread that gets to it through
            // the list or a handle comes after the lock, or after the handle was handed over.
            child.level.store(self.level.load(Ordering::Relaxed), Ordering::Relaxed);
            child.reason.store(self.reason.load(Ordering::Relaxed), Ordering::Relaxed);
            // SAFETY: the lock is this parent's, and the child is in no list yet.
            unsafe { self.adopt(lists, &child.links()[0]) };
        });
        child
    }

    /// Creates a child of several parents. It starts with the highest of their levels.
    pub(super) fn any(parents: &[&NodeRef]) -> NodeRef {
        let child = NodeRef::new(parents, None);
        for (parent, link) in parents.iter().zip(child.links()) {
            parent.locked(|lists| {
                // SAFETY: the lock is this parent's, and this link is in no list yet.
                unsafe { parent.adopt(lists, link) };
                // From the second parent on, a sweep may get to the child through an earlier one.
                // The parent's lock comes before the child's.
                child.locked(|_| child.inherit(parent));
            });
        }
        child
    }
}

impl Node {
    /// Rises to the level of a parent; the node has no waiters yet. Both locks are held.
    fn inherit(&self, parent: &Node) {
        let level = parent.level.load(Ordering::Relaxed);
        if level > self.level.load(Ordering::Relaxed) {
            if self.reason.load(Ordering::Relaxed).is_null() {
                // Release: pairs with the load of a thread that asks.
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
        // Relaxed: read by the thread that drops the last handle, which comes after us (invariant
        // 3).
        self.had_children.store(true, Ordering::Relaxed);
        // At the front: a sweep that released the lock in the middle goes on towards the end, and
        // so never has to follow children that come in the meantime. They start with its level.
        // SAFETY: the caller's promise; the link stays in its node until it is taken out.
        unsafe { lists.children.push_front(NonNull::from(link)) };
    }
}
