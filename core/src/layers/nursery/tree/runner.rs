//! What leads to the end of a nursery: what its future waits for, and what else may end it.

use crate::layers::base::intrusive::Identity;
use crate::layers::base::sync::Ordering;
use crate::layers::group::Group;
use crate::layers::group::registry::Registry;

/// What wakes a nursery's future, and what may cancel it.
#[derive(Clone, Copy, Default)]
pub(super) struct Runner {
    /// By what the waker of its future is known.
    pub(super) by: Option<Identity>,
    /// It ends something at a moment of the clock.
    pub(super) timed: bool,
    /// Something else than its future has a handle or a token of it.
    pub(super) held: bool,
}

impl Runner {
    /// The lock is held.
    pub(super) fn of(group: &Group, registry: &Registry) -> Runner {
        Runner {
            by: registry.run_waker.as_ref().map(|waker| Identity::of(waker)),
            // Relaxed: it is set under the lock.
            timed: group.timed.load(Ordering::Relaxed),
            held: group.is_held(registry),
        }
    }
}
