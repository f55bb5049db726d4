//! The count of a nursery's carriers: how many are on their way, and whether another one is wanted.
//!
//! It knows no members: the registry passes in how many of them wait for a poll, and whether more
//! may come. What the numbers are for stands in `carrier.rs`.
//!
//! | carrier | counted in       | goes on to                                              |
//! |---------|------------------|---------------------------------------------------------|
//! | free    | `active`, `free` | active: [`arrive`](Carriers::arrive)                    |
//! | spare   | `spare`          | active: `arrive`                                        |
//! | active  | `active`         | free: [`yields`](Carriers::yields); parked: [`park`](Carriers::park); bound or ended: [`retire`](Carriers::retire) |
//! | parked  | `parked`         | free or spare: [`want`](Carriers::want); active, if it comes unasked: `arrive` |
//! | bound   | –                | active: [`unbind`](Carriers::unbind)                    |
//!
//! # Invariants
//!
//! 1. `active` carriers are launched and neither bound nor parked; `free` of them are scheduled and
//!    carry no child. So `free <= active`.
//! 2. `spare` is one more that is scheduled, beyond `active`; `parked` is one that waits for a
//!    call, or was called and has not come yet. Then it is counted as its new role, too.
//! 3. A runtime may keep for a thread the one task that this thread has scheduled last (tokio's
//!    LIFO slot): of two carriers that a thread has scheduled, another thread can take one.

use crate::layers::base::guarded::Foreign;
use std::mem;
use std::task::Waker;

/// What a scheduled carrier that carries no child is counted as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// One of `active` and `free`.
    Free,
    /// The one that is `spare`.
    Spare,
    /// The one that was `parked`.
    Parked,
}

/// The carrier that waits for a call.
enum Parked {
    /// It waits. Without a waker it cannot be called, and is there for the runtime to drop.
    Waits(Option<Foreign<Waker>>),
    /// It was called, and is counted as this.
    Called(Role),
}

/// How the caller brings a carrier on its way, with no lock held.
#[must_use]
pub(crate) enum Launch {
    /// No carrier is needed.
    None,
    /// The runtime is given a new one.
    Spawn(Role),
    /// The one that is parked is woken.
    Call(Foreign<Waker>),
}

#[derive(Default)]
pub(crate) struct Carriers {
    active: usize,
    free: usize,
    spare: bool,
    parked: Option<Parked>,
    /// A moment of the clock has come, which a carrier or the nursery's future sees to.
    due: bool,
    /// Of the last holds of the lock by carriers, how many found it held: a moving average.
    waited: u16,
}

/// What a hold of the lock counts, of which a sixteenth goes with each.
const HOLD: u16 = u16::MAX / 16;
/// Three in four.
const BUSY: u16 = u16::MAX / 4 * 3;

impl Carriers {
    /// Counts one more carrier if more children wait for a poll than carriers are free: one of the
    /// runtime's width, or else a spare, for one that is free may be kept (invariant 3).
    #[inline]
    pub(crate) fn want(&mut self, waiting: usize, width: usize) -> Launch {
        let enough = self.active >= width && (width == 1 || self.free > 1 || self.spare);
        if waiting <= self.free || enough { Launch::None } else { self.want_more(width) }
    }

    fn want_more(&mut self, width: usize) -> Launch {
        if self.active < width { self.replace() } else { self.launch_spare() }
    }

    /// Returns `true` if each wake comes to the lock: fewer than two carriers are scheduled, and a
    /// thread may be there for one more.
    pub(crate) fn want_each_wake(&self, width: usize) -> bool {
        width > 1 && self.free + usize::from(self.spare) < 2 && self.leave_a_thread(width)
    }

    /// Returns `true` if fewer carriers are being polled than the runtime has threads.
    #[inline(always)]
    pub(crate) fn leave_a_thread(&self, width: usize) -> bool {
        self.active - self.free < width
    }

    /// As [`want`](Carriers::want), for an active carrier that has not taken a child yet, while there
    /// is a thread for another. If there is one to launch, the caller is free, too, and gives the
    /// runtime a turn.
    pub(crate) fn make_way(&mut self, waiting: usize, width: usize) -> Launch {
        // One of them is for the caller.
        if waiting <= self.free + 1 {
            return Launch::None;
        }
        // Of two threads, the other one polls, or does something else.
        let is_kept = width > 2 && self.free == 1 && !self.spare;
        if self.active >= width && !is_kept {
            return Launch::None;
        }
        let launch = self.want_more(width);
        self.yields();
        launch
    }

    /// As [`want`](Carriers::want), if there is a carrier to call.
    pub(crate) fn want_called(&mut self, waiting: usize, width: usize) -> Launch {
        match self.parked {
            Some(Parked::Waits(Some(_))) => self.want(waiting, width),
            _ => Launch::None,
        }
    }

    /// Counts a spare carrier if no carrier is scheduled and as many are active as the runtime has
    /// threads. `waiting` returns how many children wait.
    #[inline(always)]
    pub(crate) fn want_spare(&mut self, waiting: impl FnOnce() -> usize, width: usize) -> Launch {
        if width == 1 || self.free > 0 || self.spare || self.active < width || waiting() == 0 {
            return Launch::None;
        }
        self.launch_spare()
    }

    fn launch_spare(&mut self) -> Launch {
        self.spare = true;
        self.launch(Role::Spare)
    }

    fn launch(&mut self, role: Role) -> Launch {
        if let Some(Parked::Waits(waker)) = &mut self.parked {
            if let Some(waker) = waker.take() {
                self.parked = Some(Parked::Called(role));
                return Launch::Call(waker);
            }
        }
        Launch::Spawn(role)
    }

    /// A carrier that carries no child is polled, or dropped by its runtime: it is active, and no
    /// longer scheduled. Returns the waker that it would have been called by, if it comes unasked.
    pub(crate) fn arrive(&mut self, role: Role) -> Option<Foreign<Waker>> {
        match role {
            Role::Free => self.free -= 1,
            Role::Spare => {
                self.spare = false;
                self.active += 1;
            }
            Role::Parked => match self.parked.take() {
                Some(Parked::Called(role)) => return self.arrive(role),
                Some(Parked::Waits(waker)) => {
                    self.active += 1;
                    return waker;
                }
                // The nursery has closed.
                None => self.active += 1,
            },
        }
        None
    }

    /// A carrier that was bound has lost its child: it is active again.
    pub(crate) fn unbind(&mut self) {
        self.active += 1;
    }

    /// An active carrier ends, or binds itself to a child that waits.
    pub(crate) fn retire(&mut self) {
        self.active -= 1;
    }

    /// Counts one more carrier of the runtime's width.
    pub(crate) fn replace(&mut self) -> Launch {
        self.active += 1;
        self.free += 1;
        self.launch(Role::Free)
    }

    /// An active carrier gives the runtime a turn, and is scheduled again.
    pub(crate) fn yields(&mut self) {
        self.free += 1;
    }

    /// Returns `true` if a carrier is parked, or was called and has not come yet.
    pub(crate) fn has_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// An active carrier waits for a call.
    pub(crate) fn park(&mut self, waker: Option<Foreign<Waker>>) {
        self.active -= 1;
        self.parked = Some(Parked::Waits(waker));
    }

    /// The nursery has closed: returns how to wake the carrier that waits, which then ends.
    pub(crate) fn unpark(&mut self) -> Option<Foreign<Waker>> {
        match &mut self.parked {
            Some(Parked::Waits(waker)) => waker.take(),
            Some(Parked::Called(_)) | None => None,
        }
    }

    /// Returns `true` if no carrier is left to come for a child that waits.
    pub(crate) fn are_gone(&self) -> bool {
        self.active == 0 && !self.spare && self.parked.is_none()
    }

    // ---- the lock

    /// A carrier has the lock, and has waited for it or not.
    #[inline(always)]
    pub(crate) fn note_lock(&mut self, waited: bool) {
        if waited || self.waited > 0 {
            self.note_wait(waited);
        }
    }

    fn note_wait(&mut self, waited: bool) {
        // Down to nothing, also where a sixteenth is less than one.
        self.waited -= self.waited.div_ceil(16);
        if waited {
            self.waited += HOLD;
        }
    }

    /// Returns `true` if the carriers wait for the lock more often than not: more threads poll
    /// children of this nursery than one lock can serve, and the children do little in a poll.
    #[inline(always)]
    pub(crate) fn find_the_lock_busy(&self) -> bool {
        self.waited > BUSY
    }

    // ---- what is due by the clock

    /// Returns `true` if a moment of the clock has come, and nothing has seen to it.
    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    /// A moment of the clock has come.
    pub(crate) fn set_due(&mut self) {
        self.due = true;
    }

    /// The caller sees to what is due. Returns `true` if something is.
    pub(crate) fn take_due(&mut self) -> bool {
        mem::take(&mut self.due)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
