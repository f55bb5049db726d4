//! The count of a nursery's carriers (invariant 3 of the registry).

use super::Registry;

impl Registry {
    /// Counts one more free carrier, up to the runtime's width, if more children wait than
    /// carriers are free; the caller launches it, with no lock held.
    pub(crate) fn want_free(&mut self, width: usize) -> bool {
        let want = self.queued > self.free && self.active < width;
        if want {
            self.active += 1;
            self.free += 1;
        }
        want
    }

    /// Counts a spare carrier if children wait and no carrier is scheduled; the caller launches
    /// it, with no lock held.
    pub(crate) fn want_spare(&mut self) -> bool {
        let want = self.queued > 0 && self.free == 0 && !self.spare;
        self.spare |= want;
        want
    }

    /// A free carrier, or the spare one, is polled: it is active, and no longer scheduled.
    pub(crate) fn arrive(&mut self, spare: bool) {
        if spare {
            self.spare = false;
            self.active += 1;
        } else {
            self.free -= 1;
        }
    }

    /// A carrier that was bound has lost its child: it is active again.
    pub(crate) fn unbind(&mut self) {
        self.active += 1;
    }

    /// An active carrier ends, or binds itself to a child that waits.
    pub(crate) fn retire(&mut self) {
        self.active -= 1;
    }

    /// An active carrier gives the runtime a turn, and is scheduled again.
    pub(crate) fn yields(&mut self) {
        self.free += 1;
    }

    /// Tells whether somebody waits, and no carrier is left to come.
    pub(crate) fn is_stranded(&self) -> bool {
        self.queued > 0 && self.active == 0 && !self.spare
    }
}
