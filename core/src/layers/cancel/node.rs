//! A node of the tree of tokens: its state, and how long it lives.
//!
//! A child holds no counted reference to its parent: it stands in the parent's list, and a node
//! that has children is not freed. So creating a child and dropping it are two holds of the
//! parent's lock and nothing else; a counted reference would be two more read-modify-writes.
//!
//! | the node has               | what keeps it                                   |
//! |----------------------------|-------------------------------------------------|
//! | handles                    | each handle holds one of `refs`                 |
//! | children, and no handle    | it is an `orphan`: its list holds one of `refs` |
//! | a sweep that goes on to it | the sweep's pin holds one of `refs`             |
//! | none of these              | nothing: it leaves its parents and is freed     |
//!
//! | level     | rises to           | waiters and callbacks |
//! |-----------|--------------------|-----------------------|
//! | running   | all that follow    | wait                  |
//! | draining  | all that follow    | wait                  |
//! | cancelled | aborted            | were taken            |
//! | aborted   | -                  | were taken            |
//!
//! # Invariants
//!
//! 1. `refs` is at least 1 until the node is freed. Only handles clone handles; a sweep pins a node
//!    under the lock of a parent in whose list the node stands. So an owner of one of `refs` that
//!    finds `refs` at 1 is alone; and it is alone for good if it found that under the locks of all
//!    parents that the node still had.
//! 2. The node stands in the list of every parent of `links` whose `parent` is set, and in no other
//!    node's list. A node is not freed while its list has members; so every ancestor of a node that
//!    is kept is there.
//! 3. `had_children` is set before the first child is in the list, by the owner of a handle.
//! 4. `level` changes under the node's lock and only rises. It is stored last: a thread that sees
//!    it cancelled finds `reason` set, and waiters and callbacks taken out of their lists.
//! 5. `reason` is set once. It points to the `own` of the node itself or of an ancestor, which is
//!    there for as long as a reason can be asked for (2), and whose `own` is written once, before
//!    that. A node with several parents, which leaves them one by one, has no listener: its reason
//!    is not asked for while it leaves.
//! 6. `Link::parent` is touched only by the thread that creates the node, and by the one that has
//!    the last of `refs` and is about to free it.
//!
//! # Lock order
//!
//! A parent's lock before its child's; only a sweep, and `any`, hold two. Leaving a parent,
//! creating a child, waiting and registering hold one. A node is created after all its parents, so
//! there is no cycle.

#![allow(unsafe_code)]

use super::callbacks::Extra;
use super::waiter::Waiter;
use crate::layers::base::intrusive::{Linked, Links, List};
use crate::layers::base::lock::{Lock, LockGuard};
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering, UnsafeCell,
};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::process::abort;
use std::ptr::{self, NonNull};
use std::slice;

/// The place of a reason, read only after it was written (invariant 5).
pub(super) type Own = UnsafeCell<Option<Reason>>;

// Loom's models find nodes that are leaked, or used after they were freed, by their alignment.
#[cfg_attr(loom, repr(align(512)))]
pub(super) struct Node {
    pub(super) level: AtomicU8,
    pub(super) had_children: AtomicBool,
    refs: AtomicUsize,
    pub(super) reason: AtomicPtr<Own>,
    pub(super) own: Own,
    up: Up,
    lists: Lock<Lists>,
}

/// What a node's lock guards.
pub(super) struct Lists {
    pub(super) children: List<Link>,
    pub(super) waiters: List<Waiter>,
    /// Callbacks and a listener; most nodes have none.
    pub(super) extra: Option<Box<Extra>>,
    /// The handles are gone, and the list of children holds one of `refs`.
    pub(super) orphan: bool,
}

/// The node's places in the lists of its parents.
enum Up {
    One(Link),
    Many(Box<[Link]>),
}

/// A node's place in the list of one parent.
pub(super) struct Link {
    links: UnsafeCell<Links<Link>>,
    parent: UnsafeCell<Option<NonNull<Node>>>,
    node: NonNull<Node>,
}

impl Linked for Link {
    fn links(&self) -> &UnsafeCell<Links<Link>> {
        &self.links
    }
}

impl Link {
    fn new(parent: &NodeRef) -> Link {
        let parent = UnsafeCell::new(Some(parent.0));
        Link { links: Links::new(), parent, node: NonNull::dangling() }
    }

    /// Returns the node whose place it is.
    pub(super) fn node(&self) -> NonNull<Node> {
        self.node
    }
}

/// A handle: one of the node's `refs`.
pub(super) struct NodeRef(NonNull<Node>);

// SAFETY: everything in a node is atomic, or guarded as the invariants say; the callbacks, wakers
// and listeners in it are Send, and taken out under the lock before they are used.
unsafe impl Send for NodeRef {}
// SAFETY: as above.
unsafe impl Sync for NodeRef {}

impl NodeRef {
    /// Creates a node that stands in no list yet, although it names its parents.
    pub(super) fn new(parents: &[&NodeRef], extra: Option<Box<Extra>>) -> NodeRef {
        let up = match parents {
            [parent] => Up::One(Link::new(parent)),
            parents => Up::Many(parents.iter().map(|parent| Link::new(parent)).collect()),
        };
        let lists = Lists { children: List::new(), waiters: List::new(), extra, orphan: false };
        let mut node = NonNull::from(Box::leak(Box::new(Node {
            level: AtomicU8::new(Level::Running as u8),
            had_children: AtomicBool::new(false),
            refs: AtomicUsize::new(1),
            reason: AtomicPtr::new(ptr::null_mut()),
            own: UnsafeCell::new(None),
            up,
            lists: Lock::new(lists),
        })));
        let ptr = node;
        // SAFETY: it was created just now, and no other thread knows it.
        for link in unsafe { node.as_mut() }.up.links_mut() {
            link.node = ptr;
        }
        NodeRef(ptr)
    }

    /// Pins a node.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of a parent in whose list the node stands (invariant 1).
    pub(super) unsafe fn pin(node: NonNull<Node>) -> NodeRef {
        // SAFETY: invariant 2: it stands in a list whose lock is held.
        unsafe { node.as_ref() }.retain();
        NodeRef(node)
    }

    pub(super) fn links(&self) -> &[Link] {
        self.up.links()
    }

    /// Returns why it was cancelled; or why a node above was, whose rise is on its way down to it.
    pub(super) fn reason_above(&self) -> Option<Reason> {
        let (mut found, mut seen) = (vec![self.0], BTreeSet::new());
        while let Some(ptr) = found.pop() {
            // SAFETY: our handle keeps the first, and so all of its ancestors (invariant 2).
            let node = unsafe { ptr.as_ref() };
            if node.is_cancelled() {
                return node.reason();
            }
            if seen.insert(ptr) {
                // SAFETY: the node is kept, so no thread is about to free it (invariant 6).
                let parents =
                    node.up.links().iter().map(|link| link.parent.with(|up| unsafe { *up }));
                found.extend(parents.flatten());
            }
        }
        None
    }

    /// Returns `true` if both are handles of the same node.
    pub(super) fn same(&self, other: &NodeRef) -> bool {
        self.0 == other.0
    }

    /// Returns where the node is, which no other node is while there is a handle of it.
    pub(super) fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl Clone for NodeRef {
    fn clone(&self) -> NodeRef {
        self.retain();
        NodeRef(self.0)
    }
}

impl Deref for NodeRef {
    type Target = Node;

    #[inline(always)]
    fn deref(&self) -> &Node {
        // SAFETY: invariant 1: this handle holds one of its `refs`.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for NodeRef {
    fn drop(&mut self) {
        let (mut next, mut more) = (Some(self.0), Vec::new());
        // A loop and not a recursion: the last child of an orphan frees it in turn, and so on up.
        while let Some(node) = next.take().or_else(|| more.pop()) {
            // SAFETY: one of its `refs` is ours: this handle's, or one that a list gave to us.
            let mut parents = unsafe { release(node) };
            next = parents.pop_first();
            more.append(&mut parents.rest);
        }
    }
}

impl Node {
    #[inline(always)]
    pub(super) fn level(&self) -> Level {
        // Acquire: pairs with the store of a rise, so that what came before it is seen: the reason,
        // and that no other thread touches the waiters any more (invariant 4).
        Level::from_u8(self.level.load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(super) fn is_cancelled(&self) -> bool {
        // Acquire: as `level`.
        self.level.load(Ordering::Acquire) >= Level::Cancelled as u8
    }

    /// Calls `f` with the lists while the lock is held. The caller keeps the node.
    #[inline(always)]
    pub(super) fn locked<R>(&self, f: impl FnOnce(&mut Lists) -> R) -> R {
        self.lists.locked(f)
    }

    /// Takes the lock, for a caller that goes on to the node's children, or that keeps the node by
    /// this lock alone.
    pub(super) fn lock(&self) -> LockGuard<'_, Lists> {
        self.lists.lock()
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        // Acquire: pairs with the store that set it; the reason was written before that.
        let own = NonNull::new(self.reason.load(Ordering::Acquire))?;
        // SAFETY: it points into an ancestor, which is there (invariants 2 and 5).
        let own = unsafe { own.as_ref() };
        // SAFETY: it was written before it was pointed to, and never again (invariant 5).
        own.with(|reason| unsafe { &*reason }.clone())
    }

    fn retain(&self) {
        // Relaxed: a clone has a handle, and a pin has the lock; neither hands anything over.
        let refs = self.refs.fetch_add(1, Ordering::Relaxed);
        if refs > usize::MAX / 2 {
            // As `Arc` does it: only handles that are forgotten in a loop come here.
            abort();
        }
    }

    /// Returns `true` if the caller's one of `refs` is the only one.
    fn is_last(&self) -> bool {
        // Acquire: as in `give_up`.
        self.refs.load(Ordering::Acquire) == 1
    }
}

impl Up {
    fn links(&self) -> &[Link] {
        match self {
            Up::One(link) => slice::from_ref(link),
            Up::Many(links) => links,
        }
    }

    fn links_mut(&mut self) -> &mut [Link] {
        match self {
            Up::One(link) => slice::from_mut(link),
            Up::Many(links) => links,
        }
    }
}

/// Parents whose list gave its one of `refs` to the child that left last. Mostly none, seldom one.
#[derive(Default)]
struct Orphans {
    first: Option<NonNull<Node>>,
    rest: Vec<NonNull<Node>>,
}

impl Orphans {
    fn push(&mut self, node: NonNull<Node>) {
        match self.first {
            None => self.first = Some(node),
            Some(_) => self.rest.push(node),
        }
    }

    fn pop_first(&mut self) -> Option<NonNull<Node>> {
        self.first.take()
    }
}

/// Gives up one of a node's `refs`, unless it is the last. Returns `true` if it is the last.
// The count alone, and not the node: that may be freed as soon as the count has gone down, and that
// is before this returns.
fn give_up(count: &AtomicUsize) -> bool {
    // Acquire: the last comes after everything that the others did.
    let mut refs = count.load(Ordering::Acquire);
    while refs != 1 {
        // Release: pairs with the load above, in the thread that is the last.
        match count.compare_exchange_weak(refs, refs - 1, Ordering::Release, Ordering::Acquire) {
            Ok(_) => return false,
            Err(now) => refs = now,
        }
    }
    // The last needs no read-modify-write: no other thread has one to clone.
    true
}

/// Gives up one of a node's `refs`; frees the node if it was the last. Returns the parents that
/// have no handle and whose last child it was: one of the `refs` of each is the caller's now.
///
/// # Safety
///
/// The caller has one of the node's `refs`, and gives it up.
unsafe fn release(ptr: NonNull<Node>) -> Orphans {
    let mut orphans = Orphans::default();
    // SAFETY: the caller's promise.
    let node = unsafe { ptr.as_ref() };
    while give_up(&node.refs) {
        // Relaxed: the thread that set it had a handle, and gave it up before we became the last.
        if node.had_children.load(Ordering::Relaxed) {
            let mut lists = node.lock();
            if !lists.children.is_empty() {
                lists.orphan = true;
                return orphans;
            }
        }
        // SAFETY: the last of `refs` is the caller's, and the node has no children.
        if node.up.links().iter().all(|link| unsafe { leave(node, link, &mut orphans) }) {
            // Has no effect; loom sees by it that every thread that looked at the node came before.
            node.own.with_mut(|_| ());
            // No lock is held: the callbacks that it still has are the user's.
            // SAFETY: invariant 1: no other thread has it, and it stands in no list any more. It
            // was created by `Box`.
            drop(unsafe { Box::from_raw(ptr.as_ptr()) });
            return orphans;
        }
        // A sweep pinned it in the meantime: once more.
    }
    orphans
}

/// Takes the node out of the list of one parent. Returns false if a sweep has pinned the node.
///
/// # Safety
///
/// The caller has one of the node's `refs`, and found it to be the last.
unsafe fn leave(node: &Node, link: &Link, orphans: &mut Orphans) -> bool {
    // SAFETY: invariant 6.
    let Some(ptr) = link.parent.with(|parent| unsafe { *parent }) else { return true };
    // SAFETY: invariant 2: the node stands in the parent's list.
    let parent = unsafe { ptr.as_ref() };
    let mut lists = parent.lock();
    if !node.is_last() {
        return false;
    }
    // SAFETY: the lock is held, and the node stands in the list (invariant 2).
    unsafe { lists.children.remove(NonNull::from(link)) };
    // SAFETY: invariant 6.
    link.parent.with_mut(|parent| unsafe { *parent = None });
    if lists.orphan && lists.children.is_empty() {
        lists.orphan = false;
        orphans.push(ptr);
    }
    true
}
