//! What reaches a seat, and is counted there: the last to go frees the seat.
//!
//! The states and the invariants are those of [`seats`](super).

use super::{Core, Seat, release};
use crate::layers::base::sync::Ordering;
use std::ops::Deref;
use std::ptr::NonNull;

/// What a handle has of a child: it may outlive the scope.
pub(in crate::layers::in_place) struct Reach(NonNull<Core>);

// SAFETY: a Core is Send and Sync.
unsafe impl Send for Reach {}
// SAFETY: as above.
unsafe impl Sync for Reach {}

impl Deref for Reach {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        // SAFETY: invariants 1 and 2.
        unsafe { self.0.as_ref() }
    }
}

impl Reach {
    /// `refs` counts it already.
    pub(super) fn counted(at: NonNull<Core>) -> Reach {
        Reach(at)
    }
}

impl Seat {
    /// Makes one more reach.
    pub(in crate::layers::in_place) fn reach(&self) -> Reach {
        self.count_one();
        Reach(self.0)
    }
}

impl Clone for Reach {
    fn clone(&self) -> Reach {
        self.count_one();
        Reach(self.0)
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        // SAFETY: it is counted, and goes.
        unsafe { let_go(self.0) }
    }
}

/// Gives a reach up.
///
/// # Safety
///
/// It is the caller's, and counted.
unsafe fn let_go(at: NonNull<Core>) {
    let (block, seat) = {
        // SAFETY: invariant 2.
        let core = unsafe { at.as_ref() };
        (core.filled().0, core.seat())
    };
    // SAFETY: invariant 2. The reference is not used after the step that makes another reach, or
    // the scope, the last: that one frees the seat.
    let refs = unsafe { &at.as_ref().refs };
    // Acquire: pairs with `give_up`, and with the others that went. One that is late and alone is
    // the last: it is what others would be made from.
    if refs.load(Ordering::Acquire) == 1 {
        refs.store(0, Ordering::Relaxed);
    } else if refs.fetch_sub(1, Ordering::AcqRel) != 1 {
        return;
    }
    {
        // SAFETY: it was late: it is a holder of the block, until `release`.
        let core = unsafe { at.as_ref() };
        // SAFETY: this was the last, and there is no `Seat`.
        unsafe { core.empty() };
        // SAFETY: as above.
        let block = unsafe { block.as_ref() };
        block.freed.set(seat, block.number, &block.control.freed);
    }
    // SAFETY: the seat is no holder any more: the pool counts it again when it finds the mark.
    unsafe { release(block, 1) }
}
