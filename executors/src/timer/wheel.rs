//! The order of the sleeps: a hierarchical timing wheel (Varghese and Lauck, "Hashed and
//! Hierarchical Timing Wheels", SOSP 1987, scheme 7). It knows no clock and takes no lock.
//!
//! Time is in nanoseconds, from wherever. A *tick* is 2^16 of them, about 66 us. A level has 64
//! slots: at level 0 a slot is a tick, at each further level it is all of the one below. Eight
//! levels are the whole of 64 bits, so nothing is too far away. A timer's level is that of the
//! highest digit (of six bits) in which its tick differs from the present one, and that digit is
//! its slot. When time comes to a slot, its timers go to the levels below. Those of the present
//! tick are in one more slot, `NEAR`. A slot is a doubly linked list through the slab.
//!
//! Ticks only say where a timer stands. Its deadline is kept to the nanosecond, and those that are
//! due are put in order when they are: nothing is rounded.
//!
//! # Invariants
//!
//! 1. In `due` are timers whose time has come, in their order. Time goes on only when it is empty,
//!    to what is due by then: a timer that is added or becomes due meanwhile is not before them.
//! 2. A slot of a level begins after the present tick, and ends before any slot of the levels above
//!    begins. So the first timer is in `NEAR`, or else in the first slot of the lowest level that
//!    has any.
//! 3. An entry's slot is the one in whose list it is, or `DUE`. In `due`, a removed entry is found
//!    by its stamp when its turn comes.
//! 4. A bit of `occupied` is set if the slot's list is not empty.
//!
//! # Costs
//!
//! Adding and removing take the same whatever the number of timers; each goes down a level at most
//! seven times, its whole slot under one call. A slot knows a bound of its deadlines, so the thread
//! wakes up only for deadlines, and not because time comes to a slot. The price: perhaps one wake
//! for the earliest timer of a slot, if it was removed.
//!
//! # What was compared
//!
//! Add and cancel, among 10,000 and a million (fastest rounds, ns): a `BTreeMap` by deadline,
//! without lock, 223 and 1,540; under a lock this 65 and 370, and with a vector a slot, from which
//! the last item takes the place of the one that goes, 76 and 470. Vectors touch no neighbour, and
//! going down a level reads them in one run; but each time an item moves, its entry must learn the
//! new place.

use super::slab::{Key, NONE, Slab};
use std::mem;
use std::num::NonZeroU64;

const TICK_BITS: u32 = 16;

/// Of a digit.
const BITS: u32 = 6;

const SLOTS: u16 = 1 << BITS;

/// As many as the ticks of 64 bits have digits.
const LEVELS: usize = 8;

/// The slot of the present tick.
const NEAR: u16 = LEVELS as u16 * SLOTS;

/// What an entry in `due` has for a slot.
const DUE: u16 = NEAR + 1;

/// As much room as `due` keeps.
const KEPT: usize = 1024;

pub(super) struct Wheel<T> {
    slab: Slab<T>,
    /// The levels' slots, lowest level first, and `NEAR`. Empty until there is a timer.
    slots: Vec<Slot>,
    occupied: [u64; LEVELS],
    /// The present tick.
    tick: u64,
    /// The last one is the first to go.
    due: Vec<Due>,
}

#[derive(Clone)]
struct Slot {
    first: u32,
    /// No timer of the slot is earlier. That of a timer which is gone may be left.
    least: u64,
}

const EMPTY: Slot = Slot { first: NONE, least: u64::MAX };

/// In the order in which they go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: u64,
    stamp: NonZeroU64,
    index: u32,
}

impl<T> Wheel<T> {
    pub(super) const fn new() -> Wheel<T> {
        Wheel {
            slab: Slab::new(),
            slots: Vec::new(),
            occupied: [0; LEVELS],
            tick: 0,
            due: Vec::new(),
        }
    }

    /// Returns an instant before which nothing more becomes due; it may be that of a timer that is
    /// gone. None if there are no timers, but for those that are due.
    pub(super) fn next(&self) -> Option<u64> {
        let near = self.slots.get(usize::from(NEAR))?;
        if near.first != NONE {
            return Some(near.least);
        }
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let digit = self.occupied[level].trailing_zeros();
        Some(self.slots[usize::from(number(level, digit))].least)
    }

    pub(super) fn insert(&mut self, at: u64, value: T) -> Key {
        if self.slots.is_empty() {
            self.slots = vec![EMPTY; usize::from(NEAR) + 1];
        }
        let key = self.slab.insert(at, value);
        self.place(key.index, at);
        key
    }

    /// Puts another value in a timer's place and returns the one before; or gives it back, if the
    /// timer is gone.
    pub(super) fn replace(&mut self, key: Key, value: T) -> Result<T, T> {
        self.slab.replace(key, value)
    }

    /// Removes a timer, unless it is gone.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.slab.remove(key)?;
        if entry.slot != DUE {
            self.unlink(entry.slot, entry.previous, entry.next);
        }
        Some(entry.value)
    }

    /// Takes the first of the timers that are due at `now`. A `now` before an earlier one counts as
    /// that.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<T> {
        if let Some(value) = self.pop() {
            return Some(value);
        }
        self.advance(now);
        self.pop()
    }

    fn pop(&mut self) -> Option<T> {
        while let Some(Due { stamp, index, .. }) = self.due.pop() {
            if let Some(entry) = self.slab.remove(Key { index, stamp }) {
                return Some(entry.value);
            }
        }
        if self.due.capacity() > KEPT {
            self.due = Vec::new();
        }
        None
    }

    /// Lets the time come to `now`; `due` is empty.
    fn advance(&mut self, now: u64) {
        if self.slots.is_empty() {
            return;
        }
        let was = self.tick;
        self.tick = was.max(now >> TICK_BITS);
        for level in 0..LEVELS {
            // An entry that goes down from here goes to a level that was looked at before, and
            // stays.
            while let Some(slot) = self.first_passed(level, was) {
                self.occupied[level] &= !bit(slot);
                self.empty(slot, now);
            }
        }
        if self.slots[usize::from(NEAR)].least <= now {
            self.empty(NEAR, now);
        }
        self.due.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Takes the wheel apart, into what is in it.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.slab.into_values()
    }

    /// Returns the number of timers, those that are due among them.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Finds a level's first slot, if the time has come to it since the tick was `was`.
    fn first_passed(&self, level: usize, was: u64) -> Option<u16> {
        let slots = self.occupied[level];
        if slots == 0 {
            return None;
        }
        let digit = slots.trailing_zeros();
        let shift = level as u32 * BITS;
        let above = was >> shift >> BITS << BITS;
        let begin = (above | u64::from(digit)) << shift;
        (begin <= self.tick).then(|| number(level, digit))
    }

    /// Takes every entry out of a slot; puts those that are due in `due`, and the others where they
    /// belong at the present tick.
    fn empty(&mut self, slot: u16, now: u64) {
        let emptied = mem::replace(&mut self.slots[usize::from(slot)], EMPTY);
        let mut index = emptied.first;
        while index != NONE {
            let entry = self.slab.entry(index);
            let (at, stamp, next) = (entry.at, entry.stamp, entry.next);
            if at <= now {
                entry.slot = DUE;
                self.due.push(Due { at, stamp, index });
            } else {
                self.place(index, at);
            }
            index = next;
        }
    }

    /// Puts a timer where it belongs at the present tick.
    fn place(&mut self, index: u32, at: u64) {
        let tick = at >> TICK_BITS;
        let slot = if tick <= self.tick {
            NEAR
        } else {
            let level = (tick ^ self.tick).ilog2() / BITS;
            let digit = (tick >> (level * BITS)) as u32 % u32::from(SLOTS);
            self.occupied[level as usize] |= 1 << digit;
            number(level as usize, digit)
        };
        let list = &mut self.slots[usize::from(slot)];
        let next = mem::replace(&mut list.first, index);
        list.least = list.least.min(at);
        if next != NONE {
            self.slab.entry(next).previous = index;
        }
        let entry = self.slab.entry(index);
        (entry.slot, entry.previous, entry.next) = (slot, NONE, next);
    }

    /// Takes the entries between those two out of a slot.
    fn unlink(&mut self, slot: u16, previous: u32, next: u32) {
        if next != NONE {
            self.slab.entry(next).previous = previous;
        }
        if previous != NONE {
            self.slab.entry(previous).next = next;
            return;
        }
        let list = &mut self.slots[usize::from(slot)];
        list.first = next;
        if next == NONE {
            list.least = u64::MAX;
            if slot != NEAR {
                self.occupied[usize::from(slot / SLOTS)] &= !bit(slot);
            }
        }
    }
}

/// Returns the number of a slot among all.
fn number(level: usize, digit: u32) -> u16 {
    level as u16 * SLOTS + digit as u16
}

/// Returns the bit of a slot in its level's `occupied`.
fn bit(slot: u16) -> u64 {
    1 << (slot % SLOTS)
}
