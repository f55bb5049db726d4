//! Where the wheel's entries are: they stay at their numbers while lists go through them.
//!
//! # Invariants
//!
//! 1. No two entries ever have the same stamp: a key of a timer that is gone fits no entry.

use crate::chunked_slab::ChunkedSlab;
use std::mem;
use std::num::NonZeroU64;

const CHUNK: usize = 4096;

/// The chunks that keep their memory when they are empty.
const SPARES: usize = 1;

/// The number of no entry.
pub(super) const NONE: u32 = u32::MAX;

/// Finds a timer, or finds that it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) index: u32,
    /// Later entries have greater stamps. Not 0, so that an `Option` of a key needs no room of its
    /// own.
    pub(super) stamp: NonZeroU64,
}

/// A timer.
pub(super) struct Entry<T> {
    pub(super) at: u64,
    pub(super) stamp: NonZeroU64,
    pub(super) value: T,
    /// Its neighbours in the list of its slot.
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) slot: u16,
}

pub(super) struct Slab<T> {
    entries: ChunkedSlab<Entry<T>, CHUNK, SPARES>,
    last_stamp: NonZeroU64,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Slab<T> {
        Slab { entries: ChunkedSlab::new(), last_stamp: NonZeroU64::MIN }
    }

    /// Returns the entry at a number that there is.
    #[inline]
    pub(super) fn entry(&mut self, index: u32) -> &mut Entry<T> {
        self.entries.get_mut(index as usize).expect("a list has no other entries")
    }

    /// Makes an entry that is in no list.
    pub(super) fn insert(&mut self, at: u64, value: T) -> Key {
        let stamp = self.last_stamp.saturating_add(1);
        self.last_stamp = stamp;
        let entry = Entry { at, stamp, value, previous: NONE, next: NONE, slot: u16::MAX };
        let number = self.entries.insert_with(|_| entry);
        let index = u32::try_from(number).ok().filter(|index| *index != NONE);
        Key { index: index.expect("more timers than any memory holds"), stamp }
    }

    /// Takes an entry out. None if the timer is gone.
    #[inline]
    pub(super) fn remove(&mut self, key: Key) -> Option<Entry<T>> {
        self.entries.remove_if(key.index as usize, |entry| entry.stamp == key.stamp)
    }

    /// Puts another value in a timer's place and returns the one before; or gives it back, if the
    /// timer is gone.
    pub(super) fn replace(&mut self, key: Key, value: T) -> Result<T, T> {
        match self.entries.get_mut(key.index as usize) {
            Some(entry) if entry.stamp == key.stamp => Ok(mem::replace(&mut entry.value, value)),
            _ => Err(value),
        }
    }

    /// Takes the slab apart, into what is in it.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.entries.into_values().map(|entry| entry.value)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }
}
