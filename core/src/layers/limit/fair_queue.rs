//! Turns among keys: which waiter is next, when each key has a queue of its own.
//!
//! Self-clocked fair queueing (S. J. Golestani, "A self-clocked fair queueing scheme for broadband
//! applications", INFOCOM 1994), with permits for bits. Each lane has a *start*, and the first
//! waiter in it a *finish*: the start plus what it asks for. The waiter with the least finish is
//! served next; its finish is then the *clock*, and the start of its lane. Among equals, the one
//! that came to that place first is served first. So with requests of one size it is round robin.
//!
//! A request pays before it is served, by waiting while others catch up with what it asks for. So
//! nothing need be remembered of a lane that is empty: it begins again at the clock.
//!
//! The lanes are plain data, under the lock of the wait queue that they belong to; what stands in a
//! lane is the wait queue's business.
//!
//! # Invariants
//!
//! 1. A lane is here if, and only if, a waiter stands in it; once in `turns` and once in `places`,
//!    which agree. So memory is used only for keys that wait.
//! 2. Between two lanes that are never empty, what was served differs by no more than the largest
//!    request of the one and that of the other.
//! 3. Nothing overflows: a finish is below 2^64 requests of 2^61 permits.

use std::collections::BTreeMap;

/// The lane of waiters without a key.
pub(super) const NO_KEY: u64 = 0;

/// The waiters of one key.
pub(super) trait Lane: Default {
    /// Returns what the first waiter asks for, or `None` if the lane is empty.
    fn first_asks(&self) -> Option<usize>;
}

pub(super) struct FairQueue<L> {
    turns: BTreeMap<Turn, Place<L>>,
    places: BTreeMap<u64, Turn>,
    clock: u128,
    last: u64,
}

/// When it is a lane's turn: the least is next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    finish: u128,
    number: u64,
}

struct Place<L> {
    key: u64,
    start: u128,
    number: u64,
    lane: L,
}

impl<L: Lane> FairQueue<L> {
    pub(super) fn new() -> FairQueue<L> {
        FairQueue { turns: BTreeMap::new(), places: BTreeMap::new(), clock: 0, last: 0 }
    }

    /// Returns how many keys wait.
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    /// Returns the lane whose turn it is.
    pub(super) fn next(&self) -> Option<&L> {
        self.turns.first_key_value().map(|(_, place)| &place.lane)
    }

    /// Calls `f` with a key's lane, in which a waiter may join or leave. A lane whose first waiter
    /// leaves keeps its start: the turn belongs to the key.
    pub(super) fn change<R>(&mut self, key: u64, f: impl FnOnce(&mut L) -> R) -> R {
        let found = self.places.get(&key).and_then(|turn| self.turns.remove(turn));
        let mut place = found.unwrap_or_else(|| {
            self.last += 1;
            Place { key, start: self.clock, number: self.last, lane: L::default() }
        });
        let result = f(&mut place.lane);
        self.put(place);
        result
    }

    /// Calls `f` with the lane whose turn it is; `f` takes the first waiter out of it.
    pub(super) fn serve<R>(&mut self, f: impl FnOnce(&mut L) -> R) -> Option<R> {
        let (turn, mut place) = self.turns.pop_first()?;
        let result = f(&mut place.lane);
        // A lane that a large request has left may have a turn before the clock.
        self.clock = self.clock.max(turn.finish);
        self.last += 1;
        (place.start, place.number) = (turn.finish, self.last);
        self.put(place);
        Some(result)
    }

    /// Calls `f` with each lane, which any waiter may leave.
    pub(super) fn change_all(&mut self, mut f: impl FnMut(&mut L)) {
        for (_, mut place) in std::mem::take(&mut self.turns) {
            f(&mut place.lane);
            self.put(place);
        }
    }

    /// Puts a lane where it belongs, or removes it if it is empty.
    fn put(&mut self, place: Place<L>) {
        let Some(asked) = place.lane.first_asks() else {
            self.places.remove(&place.key);
            return;
        };
        let turn = Turn { finish: place.start + asked as u128, number: place.number };
        self.places.insert(place.key, turn);
        self.turns.insert(turn, place);
    }
}
