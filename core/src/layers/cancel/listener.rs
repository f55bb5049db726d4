//! How a nursery is notified of the rises of its node.

use crate::layers::base::reason::{Level, Reason};

/// Is notified of every rise of the node that it was given to.
///
/// It is called with no lock held, after the whole subtree was raised, deepest nodes first, and
/// before any waker or callback, so that a task that is woken finds the nursery raised. What it
/// returns is called when all wakers and callbacks have been called. Two racing rises may call it
/// in either order, or at once: the listener keeps the highest level. It is not called for the
/// level that its node was created with.
pub(crate) trait Listener: Send + Sync {
    fn raised(&self, level: Level, reason: &Reason) -> Option<Rest>;
}

/// What a listener does when all wakers and callbacks have been called.
pub(crate) type Rest = Box<dyn FnOnce()>;
