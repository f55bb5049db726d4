//! A look at a record by a thread that has no claim: what the child does, and since when and for what
//! it waits.
//!
//! That a child waits is one load of the [state word](super::state), and so exact: at one moment of
//! the look it waited, with as many wakers as are told. Flags and count in two loads would be wrong:
//! a wake between them, by the last waker, which goes, would read as *waits, and no waker is left*.
//!
//! What a child that does not wait is doing is read with a second load: whether its claim is a
//! queue's, or a thread polls it. Each is right at its own moment. A flag in the state word would make
//! one load of it, and cost each poll a read-modify-write.
//!
//! The mark is read between two looks at the word and at the count of polls: the same number of
//! polls, and parked before and after, is the same park.

use super::mark::Mark;
use super::{Header, StageState};

/// What a record does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doing {
    /// It has left its nursery.
    Gone,
    /// No thread and no queue has its claim: it waits to be woken.
    Parked,
    /// A queue has its claim, or a thread that has not begun to poll it.
    Queued,
    /// A thread polls or drops its future, or has done so and sees to its end.
    Polled,
}

/// What a look has seen.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) doing: Doing,
    pub(crate) polls: u32,
    /// A cancel is visible to it.
    pub(crate) cancelled: bool,
    /// It was cancelled, or is on its way to that.
    pub(crate) risen: bool,
    /// How many wakers of it there are; none if they are those of a task of the runtime, which does
    /// not count them.
    pub(crate) wakers: Option<u32>,
    /// Of the present wait.
    pub(crate) mark: Option<Mark>,
}

impl Header {
    /// Returns what the record does.
    #[inline]
    pub(crate) fn doing(&self) -> Doing {
        let seen = self.state.seen();
        if seen.is_parked() {
            return Doing::Parked;
        }
        match self.stage_state() {
            _ if !seen.is_linked() => Doing::Gone,
            StageState::Future => Doing::Queued,
            StageState::Empty | StageState::Outcome | StageState::Busy => Doing::Polled,
        }
    }

    /// Looks at all of it.
    pub(crate) fn look(&self) -> Look {
        let (polls, seen) = (self.polls(), self.state.seen());
        let mark = seen.is_parked().then(|| self.below.mark());
        let again = self.state.seen().is_parked() && self.polls() == polls;
        Look {
            doing: if seen.is_parked() { Doing::Parked } else { self.doing() },
            polls,
            cancelled: seen.is_cancelled(),
            risen: seen.is_risen(),
            wakers: (!seen.is_carried()).then(|| seen.wakers()),
            mark: mark.filter(|_| again && polls > 0),
        }
    }
}
