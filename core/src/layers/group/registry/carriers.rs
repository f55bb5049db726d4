//! The count of a nursery's carriers (invariant 3 of the registry).

use super::{Phase, Registry};
use crate::layers::base::guarded::Foreign;
use std::task::Waker;

/// What a scheduled carrier that carries nobody is counted as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// One of `active` and `free`.
    Free,
    /// The one that is `spare`.
    Spare,
    /// The one that was `parked`.
    Parked,
}

/// The carrier that waits to be called.
pub(super) enum Parked {
    /// It waits. Without a waker it cannot be called, and is there to be dropped by the runtime.
    Waits(Option<Foreign<Waker>>),
    /// It was called, and is counted as this.
    Called(Role),
}

/// How the caller brings a carrier on its way, with no lock held.
#[must_use]
pub(crate) enum Launch {
    /// Nobody is needed.
    Nobody,
    /// The runtime is given a new one.
    Spawn(Role),
    /// The one that is parked is woken.
    Call(Foreign<Waker>),
}

impl Registry {
    /// Tells whether something waits for a carrier: a child, or what is due.
    pub(crate) fn has_queue(&self) -> bool {
        self.queued > 0 || self.is_due()
    }

    /// Tells whether something is due that a carrier sees to. Where no member is left the nursery's
    /// future does.
    pub(in crate::layers::group) fn is_due(&self) -> bool {
        self.due && !self.is_vacant()
    }

    /// Counts one more carrier if more children wait for a poll than carriers are free: one of the
    /// runtime's width, or else a spare.
    pub(crate) fn want(&mut self, width: usize) -> Launch {
        if self.queued + usize::from(self.is_due()) <= self.free {
            return Launch::Nobody;
        }
        if self.active < width {
            self.active += 1;
            self.free += 1;
            return self.launch(Role::Free);
        }
        self.want_spare(width)
    }

    /// As [`want`](Registry::want), if there is a carrier to be called.
    pub(crate) fn want_called(&mut self, width: usize) -> Launch {
        match self.parked {
            Some(Parked::Waits(Some(_))) => self.want(width),
            _ => Launch::Nobody,
        }
    }

    /// Counts a spare carrier if children wait and no carrier is scheduled.
    fn want_spare(&mut self, width: usize) -> Launch {
        if width == 1 || !self.has_queue() || self.free > 0 || self.spare {
            return Launch::Nobody;
        }
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

    /// A carrier that carries nobody is polled, or dropped by its runtime: it is active, and no
    /// longer scheduled. Gives the waker that it was to be called by, if it comes unasked.
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

    /// Tells whether a carrier that finds nobody to carry is to wait for the next: if somebody may
    /// still be woken, or the body may spawn.
    pub(crate) fn wants_parked(&self) -> bool {
        let more = self.count > self.bound || self.phase == Phase::Body;
        more && self.parked.is_none()
    }

    /// An active carrier waits to be called.
    pub(crate) fn park(&mut self, waker: Option<Foreign<Waker>>) {
        self.active -= 1;
        self.parked = Some(Parked::Waits(waker));
    }

    /// The nursery has closed: the carrier that waits is to be woken, and will end.
    pub(crate) fn unpark(&mut self) -> Option<Foreign<Waker>> {
        match &mut self.parked {
            Some(Parked::Waits(waker)) => waker.take(),
            Some(Parked::Called(_)) | None => None,
        }
    }

    /// An active carrier gives the runtime a turn, and is scheduled again.
    pub(crate) fn yields(&mut self) {
        self.free += 1;
    }

    /// Tells whether somebody waits who has no carrier of his own, and none is left to come.
    pub(crate) fn is_stranded(&self) -> bool {
        let none = self.active == 0 && !self.spare && self.parked.is_none();
        none && self.count > self.bound
    }
}
