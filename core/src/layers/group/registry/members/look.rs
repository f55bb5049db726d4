//! A look at the members: what each does, and which of them waits for which.
//!
//! A look at many members takes several holds of the lock. In between it keeps the record of the last
//! member that it has seen, and goes on behind it. If that one has left meanwhile, or was moved by a
//! cancel, the look begins anew; what it has seen twice then is for its caller to sort out. After the
//! third time the rest is seen in one hold.

#![allow(unsafe_code)]

use super::{Member, Members};
use crate::layers::base::intrusive::Identity;
use crate::layers::record::{Doing, Header, Kept, Look, Ptr};

/// So many members are seen in one hold of the lock: it takes some hundred microseconds.
const A_HOLD: usize = 2_048;

/// So often a look begins anew.
const ANEW: u32 = 3;

/// What a look has seen of a member.
pub(crate) struct Seen {
    pub(crate) look: Look,
    /// What its wakers have in common. Of one that is polled with the wakers of a task of the
    /// runtime it is known only while it waits.
    pub(crate) wakes: Option<Identity>,
    /// Of the waker of the task that joins it, by its handle alone.
    pub(crate) joined_by: Option<Identity>,
}

/// How far a look has come. It is dropped with no lock held.
#[derive(Default)]
pub(crate) struct Place {
    /// The last member that was seen, and whether it stood among those that were cancelled.
    last: Option<(Kept, bool)>,
    anew: u32,
}

impl Members {
    /// Calls `f` with each member, or with some. Returns how to go on, if there are more.
    pub(crate) fn look(
        &self,
        place: &Place,
        mut f: impl FnMut(Member, &Header, Seen),
    ) -> Option<Place> {
        let (mut last, mut anew) = (None, place.anew);
        if let Some((kept, cancelled)) = &place.last {
            let record = kept.record();
            let stands = record.header().state().is_linked()
                && self.lists.is_cancelled(record.ptr()) == *cancelled;
            (last, anew) = if stands { (Some(record.ptr()), anew) } else { (None, anew + 1) };
        }
        let most = if anew < ANEW { A_HOLD } else { usize::MAX };
        let mut seen = 0;
        while let Some(ptr) = self.lists.after(last) {
            if let (true, Some(last)) = (seen == most, last) {
                // SAFETY: it stands in a list and the lock is held.
                let kept = unsafe { Kept::new(last) };
                return Some(Place { last: Some((kept, self.lists.is_cancelled(last))), anew });
            }
            // SAFETY: it stands in a list and the lock is held (invariant 1).
            let header = unsafe { ptr.header() };
            f(Member::new(header, ptr), header, see(ptr, header));
            (last, seen) = (Some(ptr), seen + 1);
        }
        None
    }
}

fn see(ptr: Ptr, header: &Header) -> Seen {
    let look = header.look();
    let wakes = if look.wakers.is_some() { Some(ptr.identity()) } else { kept(ptr, &look) };
    let joined = header.state().has_handle();
    // SAFETY: the lock is held, and the record was made with a handle, if it has one.
    let joined_by = if joined { unsafe { ptr.joined_by() } } else { None };
    Seen { look, wakes, joined_by }
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
