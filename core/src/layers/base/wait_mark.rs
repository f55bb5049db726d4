//! What the present thread's poll waits for, as the awaits of this crate note it.
//!
//! An await that is pending notes itself; what polls the task takes the mark when the poll is over
//! ([`Poll`]), and keeps it with the task. A mark is one word, so an await does not allocate for it,
//! and nothing is noted by an await that is ready.
//!
//! Of several, the first stays, but a sleep makes room for another: beside something else it mostly
//! is the limit of the wait, and not what is waited for. An await that polls others, and says more
//! than they do, notes itself [in their place](instead).

use std::time::Duration;

/// The kind of a mark that is the number of another one, and of [stacks](super::stacks).
const SEEN: u32 = 0x7f;

/// One of several.
const MORE: u32 = 1 << 31;
const KIND: u32 = 24;
const OBJECT: u32 = (1 << KIND) - 1;

/// The kind of an await, and its object: half a word. None is an await that is not this crate's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct WaitMark(u32);

/// What kind of await it is, and what its object is: a number, of which 24 bits are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A child's handle; the child's number.
    Child = 1,
    /// Several of them; how many.
    Children,
    /// A nursery's future, or its owner's `close`; the nursery's id.
    Nursery,
    /// A semaphore; its [name](super::names).
    Permit,
    /// A rate limiter; its name.
    Rate,
    /// A bounded nursery; its limiter's name.
    Slot,
    /// The time, in milliseconds, if it is known.
    Sleep,
    Token,
    /// The task's own cancel.
    Cancel,
    Drain,
    /// A nursery that is to have no child; its id.
    Idle,
    /// A nursery that is shut down; its id.
    Shutdown,
    /// What the user has named.
    Named,
    /// A scope in place; its id.
    Scope,
}

impl Kind {
    const ALL: [Kind; 14] = [
        Kind::Child,
        Kind::Children,
        Kind::Nursery,
        Kind::Permit,
        Kind::Rate,
        Kind::Slot,
        Kind::Sleep,
        Kind::Token,
        Kind::Cancel,
        Kind::Drain,
        Kind::Idle,
        Kind::Shutdown,
        Kind::Named,
        Kind::Scope,
    ];
}

impl WaitMark {
    fn new(kind: Kind, object: u64) -> WaitMark {
        WaitMark((kind as u32) << KIND | object as u32 & OBJECT)
    }

    #[cfg(target_pointer_width = "64")]
    pub(crate) fn of_bits(bits: u32) -> WaitMark {
        WaitMark(bits)
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// Returns the mark that stands for an entry of the book of stacks: its number is kept if it has at
    /// most 24 bits.
    pub(crate) fn seen_as(number: u32) -> WaitMark {
        WaitMark(SEEN << KIND | number & OBJECT)
    }

    /// Returns the number of the entry that it stands for.
    pub(crate) fn seen(self) -> Option<u32> {
        (self.0 >> KIND == SEEN).then(|| self.object())
    }

    /// Returns it without what a look does not read: which child is joined it knows by the wakers.
    pub(crate) fn told_by_edges(self) -> WaitMark {
        if self.kind() == Some(Kind::Child) { self.without_object() } else { self }
    }

    pub(crate) fn without_object(self) -> WaitMark {
        WaitMark(self.0 & !OBJECT)
    }

    fn alone(self) -> WaitMark {
        WaitMark(self.0 & !MORE)
    }

    /// Returns the kind, if it is an await of this crate.
    pub(crate) fn kind(self) -> Option<Kind> {
        let kind = (self.alone().0 >> KIND) as usize;
        kind.checked_sub(1).and_then(|at| Kind::ALL.get(at)).copied()
    }

    pub(crate) fn object(self) -> u32 {
        self.0 & OBJECT
    }

    /// Returns `true` if the object's number ends with the bits that are kept.
    pub(crate) fn is_of(self, number: u64) -> bool {
        self.object() == number as u32 & OBJECT
    }

    /// Returns `true` if it was not the only await of this crate.
    pub(crate) fn is_among_others(self) -> bool {
        self.0 & MORE != 0
    }

    /// Returns what is noted when this is, and then the other.
    fn and(self, other: WaitMark) -> WaitMark {
        if self.0 == 0 || self.alone() == other {
            return WaitMark(self.0 | other.0);
        }
        let gives_way = self.kind() == Some(Kind::Sleep);
        WaitMark(MORE | if gives_way { other.0 } else { self.0 })
    }
}

/// As a [`Kind::Sleep`]'s object: 0 if it is too long.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).ok().filter(|ms| *ms <= u64::from(OBJECT)).unwrap_or(0)
}

#[cfg(not(loom))]
mod noted {
    use super::{Kind, WaitMark};
    use std::cell::Cell;

    std::thread_local! {
        static NOTED: Cell<WaitMark> = const { Cell::new(WaitMark(0)) };
    }

    /// A poll of a task or body, inside of which no await of another is noted.
    #[must_use]
    pub(crate) struct Poll(WaitMark);

    impl Poll {
        #[inline(always)]
        pub(crate) fn begin() -> Poll {
            Poll(NOTED.replace(WaitMark(0)))
        }

        /// Returns what was noted in it.
        #[inline(always)]
        pub(crate) fn end(self) -> WaitMark {
            NOTED.replace(self.0)
        }
    }

    /// Returns what was noted so far in the present poll, for [`instead`].
    pub(crate) fn so_far() -> WaitMark {
        NOTED.get()
    }

    /// This is noted, in place of all that was.
    pub(crate) fn note(mark: WaitMark) {
        NOTED.set(mark);
    }

    /// What was polled since then is no await of the task's: it is forgotten.
    pub(crate) fn forget(so_far: WaitMark) {
        NOTED.set(so_far);
    }

    /// An await is pending.
    pub(crate) fn on(kind: Kind, object: u64) {
        NOTED.set(NOTED.get().and(WaitMark::new(kind, object)));
    }

    /// An await is pending, and stands for those that it has polled since then.
    pub(crate) fn instead(so_far: WaitMark, kind: Kind, object: u64) {
        NOTED.set(so_far.and(WaitMark::new(kind, object)));
    }
}

/// A model notes nothing.
#[cfg(loom)]
mod noted {
    use super::{Kind, WaitMark};

    #[must_use]
    pub(crate) struct Poll;

    impl Poll {
        pub(crate) fn begin() -> Poll {
            Poll
        }

        pub(crate) fn end(self) -> WaitMark {
            WaitMark(0)
        }
    }

    pub(crate) fn so_far() -> WaitMark {
        WaitMark(0)
    }

    pub(crate) fn note(_: WaitMark) {}

    pub(crate) fn forget(_: WaitMark) {}

    pub(crate) fn on(kind: Kind, object: u64) {
        let _ = WaitMark(0).and(WaitMark::new(kind, object));
    }

    pub(crate) fn instead(_: WaitMark, kind: Kind, object: u64) {
        on(kind, object);
    }
}

pub(crate) use noted::{Poll, forget, instead, note, on, so_far};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn noted(awaits: &[(Kind, u64)]) -> (Option<Kind>, u32, bool) {
        let poll = Poll::begin();
        awaits.iter().for_each(|(kind, object)| on(*kind, *object));
        let mark = poll.end();
        (mark.kind(), mark.object(), mark.is_among_others())
    }

    #[test]
    fn the_first_stays_and_a_sleep_makes_room() {
        assert_eq!(noted(&[]), (None, 0, false));
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(noted(&[(kind, at as u64)]), (Some(kind), at as u32, false));
        }
        assert_eq!(noted(&[(Kind::Permit, 3), (Kind::Permit, 3)]), (Some(Kind::Permit), 3, false));
        assert_eq!(noted(&[(Kind::Permit, 3), (Kind::Token, 0)]), (Some(Kind::Permit), 3, true));
        assert_eq!(noted(&[(Kind::Sleep, 9), (Kind::Token, 0)]), (Some(Kind::Token), 0, true));
        assert_eq!(noted(&[(Kind::Token, 0), (Kind::Sleep, 9)]), (Some(Kind::Token), 0, true));
    }

    #[test]
    fn a_poll_inside_another_notes_nothing_of_that() {
        let poll = Poll::begin();
        on(Kind::Permit, 3);
        let inside = Poll::begin();
        on(Kind::Token, 0);
        assert!(inside.end().kind() == Some(Kind::Token));
        let so_far = so_far();
        on(Kind::Child, 7);
        instead(so_far, Kind::Nursery, 1 << 30 | 5);
        let mark = poll.end();
        assert!(mark.kind() == Some(Kind::Permit) && mark.is_among_others());
    }

    #[test]
    fn an_object_is_told_by_its_lower_bits() {
        let mark = WaitMark::new(Kind::Nursery, 1 << 30 | 5);
        assert!(mark.is_of(1 << 30 | 5) && !mark.is_of(1 << 30 | 6));
        assert_eq!(millis(Duration::from_secs(30)), 30_000);
        assert_eq!(millis(Duration::MAX), 0);
    }
}
