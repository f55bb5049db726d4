//! Raising a token and everything below it: first all nodes rise, and then all listeners, waiters
//! and callbacks are notified.
//!
//! 1. From the top down, without recursion, each node is raised under its own lock; the wakers and
//!    callbacks of the node are taken out in the same hold. A thread that comes to a node
//!    afterwards, to create a child or to wait, finds its level.
//! 2. With no lock held, deepest nodes first: the listeners are called, the wakers are woken, then
//!    callbacks are called; and then what the listeners left for the end.
//!
//! A node's children are raised under the node's lock, so that they need not be pinned. A child
//! that has children of its own is pinned and comes later; but the sweep goes on with the last one
//! at once, its lock still held, and releases its parent's lock: a node with members in its list is
//! not freed without that lock. So a chain costs one hold of a lock for each node.
//!
//! It is tempting to wake during the walk through the tree, and need no list of wakers; but a waker
//! may poll on the spot, and see half a tree that was cancelled and half that was not.

#![allow(unsafe_code)]

use super::callbacks::Callback;
use super::listener::Listener;
use super::node::{Lists, Node, NodeRef, Own};
use super::wait;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::intrusive::List;
use crate::layers::base::lock::LockGuard;
use crate::layers::base::panic;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::{Ordering, Weak};
use std::ptr::{self, NonNull};
use std::task::Waker;

/// How many children are raised in one hold of their parent's lock: a parent of 100,000 would
/// otherwise be locked for milliseconds. Loom's models have few children, and must see it.
const AT_ONCE: usize = if cfg!(loom) { 1 } else { 256 };

impl NodeRef {
    /// Raises the node and everything below it. Returns `false` if it had this level already.
    pub(super) fn escalate_to(&self, level: Level, reason: Reason) -> bool {
        let mut lists = self.lock();
        if self.level() >= level {
            return false;
        }
        if level >= Level::Cancelled && self.reason.load(Ordering::Relaxed).is_null() {
            // SAFETY: the lock is held, and nothing points to it while `reason` is not set
            // (invariant 5 of the node).
            self.own.with_mut(|own| unsafe { *own = Some(reason.clone()) });
            // Release: pairs with the load of a thread that asks.
            self.reason.store(ptr::from_ref(&self.own).cast_mut(), Ordering::Release);
        }
        let own = self.reason.load(Ordering::Relaxed);
        let mut sweep = Sweep { level, own, reason, found: Found::default(), later: Vec::new() };
        sweep.node(self, &mut lists);
        // SAFETY: the caller's handle keeps the node, and these are its lists.
        let pins = unsafe { sweep.below(self, lists) };
        sweep.found.tell(level);
        // Last: a node that is freed by this may hold callbacks, whose destructors are the user's.
        drop((sweep.later, pins));
        true
    }
}

/// A sweep in its first phase.
struct Sweep {
    level: Level,
    /// The reason for every node that has none.
    own: *mut Own,
    /// The reason of a rise below `Cancelled`, which is passed on and not kept.
    reason: Reason,
    found: Found,
    /// Nodes that were raised, and have children that were not.
    later: Vec<NodeRef>,
}

impl Sweep {
    /// Raises one node, whose lock is held.
    fn node(&mut self, node: &Node, lists: &mut Lists) {
        let cancelled = self.level >= Level::Cancelled;
        if cancelled {
            if node.reason.load(Ordering::Relaxed).is_null() {
                // Release: pairs with the load of a thread that asks.
                node.reason.store(self.own, Ordering::Release);
            }
            // SAFETY: the node's lock is held; its level is stored after this.
            unsafe { wait::take_all(&mut lists.waiters, &mut self.found.wakers) };
        }
        if let Some(extra) = &mut lists.extra {
            let reason = || node.reason().unwrap_or_else(|| self.reason.clone());
            if let Some(listener) = extra.listener() {
                self.found.listeners.push((listener, reason()));
            }
            // In reverse: the calls are made from the end.
            let due = extra.take_due(self.level).rev();
            self.found.calls.extend(due.map(|call| (call, cancelled.then(reason))));
        }
        // Release: pairs with every load of the level. Last: invariant 4 of the node.
        node.level.store(self.level as u8, Ordering::Release);
    }

    /// Raises everything below a node that was raised. Returns pins, which the caller drops at the
    /// end.
    ///
    /// # Safety
    ///
    /// The node is kept until this returns, and the lists are the node's.
    unsafe fn below<'n>(
        &mut self,
        node: &'n Node,
        mut lists: LockGuard<'n, Lists>,
    ) -> Vec<NodeRef> {
        let (mut gone_through, mut pins) = (0, Vec::new());
        let mut at = NonNull::from(node);
        loop {
            // SAFETY: the node is kept by the caller, by a pin in `later`, or since its lock is
            // held and its list has members (invariant 2 of the node).
            (at, lists) = match unsafe { self.children(at, lists, &mut pins) } {
                Some(last) => last,
                None => {
                    let Some(pin) = self.later.get(gone_through) else { return pins };
                    gone_through += 1;
                    let node = NonNull::<Node>::from(&**pin);
                    // SAFETY: the pin stays in `later` until the end of the sweep.
                    (node, unsafe { node.as_ref() }.lock())
                }
            };
        }
    }

    /// Raises the children of a node. Returns the last of them, still locked, if it has children.
    ///
    /// # Safety
    ///
    /// The node is kept until this returns, or for as long as its list has members; the lists are
    /// the node's.
    // A pointer and not a reference: the node may be freed as soon as its lock is released, and
    // that is before this returns.
    unsafe fn children<'n>(
        &mut self,
        parent: NonNull<Node>,
        mut lists: LockGuard<'n, Lists>,
        pins: &mut Vec<NodeRef>,
    ) -> Option<(NonNull<Node>, LockGuard<'n, Lists>)> {
        let (mut at, mut count) = (lists.children.first(), 0);
        while let Some(link) = at {
            // SAFETY: it stands in the list, whose lock is held.
            let ptr = unsafe { link.as_ref() }.node();
            // SAFETY: as above.
            let child: &'n Node = unsafe { ptr.as_ref() };
            // SAFETY: as above.
            at = unsafe { List::after(link) };
            let mut inner = child.lock();
            if child.level() < self.level {
                self.node(child, &mut inner);
                if !inner.children.is_empty() {
                    if at.is_none() {
                        return Some((ptr, inner));
                    }
                    // SAFETY: the parent's lock is held.
                    self.later.push(unsafe { NodeRef::pin(ptr) });
                }
            }
            drop(inner);
            count += 1;
            if count % AT_ONCE == 0 && at.is_some() {
                // SAFETY: the parent's lock is held.
                pins.push(unsafe { NodeRef::pin(ptr) });
                // A pinned node keeps its place in the list, and so keeps its parent.
                drop(lists);
                // SAFETY: the child's place keeps it.
                lists = unsafe { parent.as_ref() }.lock();
                // SAFETY: it still stands in the list, and the lock is held again.
                at = unsafe { List::after(link) };
            }
        }
        None
    }
}

/// The listeners, wakers and callbacks for the second phase.
#[derive(Default)]
struct Found {
    listeners: Vec<(Weak<dyn Listener>, Reason)>,
    wakers: Vec<Foreign<Waker>>,
    calls: Vec<(Callback, Option<Reason>)>,
}

impl Found {
    /// Notifies all of them. No lock is held; if one panics, the others are still called.
    fn tell(mut self, level: Level) {
        // From the end: the deepest nodes first, and within one node in the order of arrival.
        let mut rest = Vec::new();
        while let Some((listener, reason)) = self.listeners.pop() {
            let Some(listener) = listener.upgrade() else { continue };
            rest.extend(caught(|| listener.raised(level, &reason)).flatten());
        }
        while let Some(waker) = self.wakers.pop() {
            waker.wake();
        }
        while let Some((callback, reason)) = self.calls.pop() {
            caught(|| callback.into_inner()(reason.as_ref()));
        }
        for rest in rest {
            caught(rest);
        }
    }
}

fn caught<R>(f: impl FnOnce() -> R) -> Option<R> {
    panic::catch(f).map_err(panic::discard).ok()
}
