//! Where the wheel's entries are: they stay at their numbers while lists go through them.
//!
//! Entries stand in chunks. So it grows without moving what it has; and a chunk that has become
//! empty gives its memory back, so that a slab which once held a million is as small afterwards as
//! the remaining entries allow. One such chunk is kept for the entries to come.
//!
//! `chunked_slab.rs` does nearly that, but adding and cancelling take a third longer with it: its
//! slab copies an entry out as a whole, and is asked for it twice, first for its stamp.
//!
//! # Invariants
//!
//! 1. An entry is vacant if it has no value. Its `next` is then the next vacant of its chunk.
//! 2. No two entries ever have the same stamp: a key of a timer that is gone fits no entry.
//! 3. A chunk is in `open`, once, if it has a vacant entry or room for one.
//! 4. No chunk but `spare` has memory and no entry in use.

use std::mem;
use std::num::NonZeroU64;

const CHUNK_BITS: u32 = 12;

const CHUNK: u32 = 1 << CHUNK_BITS;

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

/// A timer, or room for one.
pub(super) struct Entry<T> {
    pub(super) at: u64,
    pub(super) stamp: NonZeroU64,
    value: Option<T>,
    /// Its neighbours in the list of its slot.
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) slot: u16,
}

struct Chunk<T> {
    entries: Vec<Entry<T>>,
    in_use: u32,
    /// The first vacant entry.
    vacant: u32,
}

pub(super) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    open: Vec<u32>,
    spare: Option<u32>,
    last_stamp: NonZeroU64,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Slab<T> {
        Slab { chunks: Vec::new(), open: Vec::new(), spare: None, last_stamp: NonZeroU64::MIN }
    }

    /// Returns the entry at a number that there is.
    #[inline]
    pub(super) fn entry(&mut self, index: u32) -> &mut Entry<T> {
        &mut self.chunks[(index >> CHUNK_BITS) as usize].entries[(index % CHUNK) as usize]
    }

    /// Makes an entry that is in no list.
    pub(super) fn insert(&mut self, at: u64, value: T) -> Key {
        let number = self.open.last().copied().unwrap_or_else(|| self.add_chunk());
        let chunk = &mut self.chunks[number as usize];
        let stamp = self.last_stamp.saturating_add(1);
        self.last_stamp = stamp;
        let entry =
            Entry { at, stamp, value: Some(value), previous: NONE, next: NONE, slot: u16::MAX };
        let index = chunk.insert(entry) | number << CHUNK_BITS;
        if chunk.in_use == CHUNK {
            self.open.pop();
        }
        Key { index, stamp }
    }

    /// Makes an entry vacant, and returns what was in it with its value. None if the timer is gone.
    pub(super) fn remove(&mut self, key: Key) -> Option<(Entry<()>, T)> {
        let number = key.index >> CHUNK_BITS;
        let chunk = self.chunks.get_mut(number as usize)?;
        let (vacant, was_full) = (chunk.vacant, chunk.in_use == CHUNK);
        let entry = chunk.find(key)?;
        let value = entry.value.take()?;
        let Entry { at, stamp, previous, next, slot, .. } = *entry;
        entry.next = vacant;
        chunk.vacant = key.index % CHUNK;
        chunk.in_use -= 1;
        if chunk.in_use == 0 {
            self.emptied(number);
        }
        if was_full {
            self.open.push(number);
        }
        Some((Entry { at, stamp, value: None, previous, next, slot }, value))
    }

    /// Puts another value in a timer's place and returns the one before; or gives it back, if the
    /// timer is gone.
    pub(super) fn replace(&mut self, key: Key, value: T) -> Result<T, T> {
        let chunk = self.chunks.get_mut((key.index >> CHUNK_BITS) as usize);
        match chunk.and_then(|chunk| chunk.find(key)?.value.as_mut()) {
            Some(held) => Ok(mem::replace(held, value)),
            None => Err(value),
        }
    }

    /// Takes the slab apart, into what is in it.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        let entries = self.chunks.into_iter().flat_map(|chunk| chunk.entries);
        entries.filter_map(|entry| entry.value)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.in_use as usize).sum()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.entries.capacity()).sum()
    }

    #[cold]
    fn add_chunk(&mut self) -> u32 {
        let number = self.chunks.len() as u32;
        assert!(number < NONE >> CHUNK_BITS, "more timers than any memory holds");
        self.chunks.push(Chunk { entries: Vec::new(), in_use: 0, vacant: NONE });
        self.open.push(number);
        number
    }

    /// Keeps the chunk as the spare one, and gives back what was that before.
    #[cold]
    fn emptied(&mut self, number: u32) {
        let Some(before) = self.spare.replace(number) else { return };
        let chunk = &mut self.chunks[before as usize];
        if before != number && chunk.in_use == 0 {
            *chunk = Chunk { entries: Vec::new(), in_use: 0, vacant: NONE };
        }
    }
}

impl<T> Chunk<T> {
    fn insert(&mut self, entry: Entry<T>) -> u32 {
        self.in_use += 1;
        let within = self.vacant;
        match self.entries.get_mut(within as usize) {
            Some(vacant) => {
                self.vacant = vacant.next;
                *vacant = entry;
                within
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        }
    }

    #[inline]
    fn find(&mut self, key: Key) -> Option<&mut Entry<T>> {
        self.entries.get_mut((key.index % CHUNK) as usize).filter(|entry| entry.stamp == key.stamp)
    }
}
