//! A look at the members: what each does, and which of them waits for which.

#![allow(unsafe_code)]

use super::{Member, Members};
use crate::layers::base::intrusive::Identity;
use crate::layers::record::{Doing, Header, Look, Ptr};

/// What a look has seen of a member.
pub(crate) struct Seen {
    pub(crate) look: Look,
    /// What its wakers have in common. Of one that is polled with the wakers of a task of the
    /// runtime it is known only while it waits.
    pub(crate) wakes: Option<Identity>,
    /// Of the waker of the task that joins it, by its handle alone.
    pub(crate) joined_by: Option<Identity>,
}

impl Members {
    /// Calls `f` with each member.
    pub(crate) fn look(&self, mut f: impl FnMut(Member, &Header, Seen)) {
        self.lists.each_ptr(|ptr| {
            // SAFETY: it stands in a list and the lock is held (invariant 1).
            let header = unsafe { ptr.header() };
            let look = header.look();
            let wakes = if look.wakers.is_some() { Some(ptr.identity()) } else { kept(ptr, &look) };
            let joined = header.state().has_handle();
            // SAFETY: the lock is held, and the record was made with a handle, if it has one.
            let joined_by = if joined { unsafe { ptr.joined_by() } } else { None };
            f(Member::new(header, ptr), header, Seen { look, wakes, joined_by });
        });
    }
}

/// Returns what the kept waker wakes: that of the task of the runtime that is the child's own. The
/// claim is taken for that, for a moment; a carrier that comes meanwhile waits for the lock.
fn kept(ptr: Ptr, look: &Look) -> Option<Identity> {
    if look.doing != Doing::Parked {
        return None;
    }
    // SAFETY: the lock is held, and the record stands in a list.
    let mut claimed = unsafe { ptr.claim() }?;
    let kept = claimed.kept_waker();
    claimed.unclaim();
    kept
}
