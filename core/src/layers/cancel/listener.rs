//! How a nursery hears of the rises of its node.

use crate::layers::base::reason::{Level, Reason};

/// Hears of every rise of the node that it was given to.
///
/// It is called with no lock held, after the whole subtree was raised and deepest nodes first, and
/// before anybody else is told, so that whoever is woken finds it risen; what it returns is called
/// when all of those have been told. Two racing rises may call it in either order, or at once:
/// whoever listens keeps the highest level. It is not called for the level that its node was born
/// with.
pub(crate) trait Listener: Send + Sync {
    fn raised(&self, level: Level, reason: &Reason) -> Option<Rest>;
}

/// What a listener does when everybody else has been told.
pub(crate) type Rest = Box<dyn FnOnce()>;
