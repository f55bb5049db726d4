//! A slab that grows by chunks: what is in it never moves, and a burst gives its memory back.
//!
//! One slab for all would double when it is full, so that just after that half of it is empty, and
//! keep its size for ever.
//!
//! # Invariants
//!
//! 1. A key is the number of a chunk and a place in it. No chunk has more than [`CHUNK`] values.
//! 2. `open` has the number of each chunk with room, once. The last one is filled first.
//! 3. Of the empty chunks only two have memory: the last open one, and the spare. With fewer, a
//!    load that goes up and down at the edge of a chunk would allocate at each turn.

use slab::Slab;

/// The values in a chunk.
const CHUNK: usize = 256;

pub(crate) struct ChunkedSlab<T> {
    chunks: Vec<Slab<T>>,
    open: Vec<usize>,
    spare: Option<usize>,
    length: usize,
}

impl<T> Default for ChunkedSlab<T> {
    fn default() -> ChunkedSlab<T> {
        ChunkedSlab { chunks: Vec::new(), open: Vec::new(), spare: None, length: 0 }
    }
}

impl<T> ChunkedSlab<T> {
    /// Returns how many values there are.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Puts in the value that `make` returns for its key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(usize) -> T) -> usize {
        let number = self.with_room();
        let chunk = &mut self.chunks[number];
        // The first one may be small: many an executor has few tasks.
        if number > 0 && chunk.capacity() == 0 {
            chunk.reserve_exact(CHUNK);
        }
        let place = chunk.vacant_entry();
        let key = number * CHUNK + place.key();
        place.insert(make(key));
        self.length += 1;
        if chunk.len() == CHUNK {
            self.open.pop();
        }
        if self.spare == Some(number) {
            self.spare = None;
        }
        key
    }

    pub(crate) fn get(&self, key: usize) -> Option<&T> {
        self.chunks.get(key / CHUNK)?.get(key % CHUNK)
    }

    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        self.chunks.get_mut(key / CHUNK)?.get_mut(key % CHUNK)
    }

    pub(crate) fn try_remove(&mut self, key: usize) -> Option<T> {
        let number = key / CHUNK;
        let chunk = self.chunks.get_mut(number)?;
        let was_full = chunk.len() == CHUNK;
        let value = chunk.try_remove(key % CHUNK)?;
        let is_empty = chunk.is_empty();
        self.length -= 1;
        if was_full {
            if let Some(last) = self.open.last().copied() {
                self.give_back(last);
            }
            self.open.push(number);
        } else if is_empty && self.open.last() != Some(&number) {
            self.give_back(number);
        }
        Some(value)
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.chunks.into_iter().flatten().map(|(_, value)| value)
    }

    fn with_room(&mut self) -> usize {
        if let Some(&number) = self.open.last() {
            return number;
        }
        let number = self.chunks.len();
        self.chunks.push(Slab::new());
        self.open.push(number);
        number
    }

    /// Gives back the memory of a chunk if that is empty and there is a spare one.
    fn give_back(&mut self, number: usize) {
        if !self.chunks[number].is_empty() || self.spare == Some(number) {
            return;
        }
        match self.spare {
            None => self.spare = Some(number),
            Some(_) => self.chunks[number] = Slab::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten().map(|(_, value)| value)
    }

    #[cfg(test)]
    fn capacity(&self) -> usize {
        self.chunks.iter().map(Slab::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Debug, Clone)]
    enum Step {
        /// Puts in so many.
        Insert(usize),
        /// Takes out so many: the oldest if `true`, the latest otherwise.
        Remove(usize, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let some = || prop_oneof![1..4_usize, 1..3 * CHUNK];
        prop_oneof![
            some().prop_map(Step::Insert),
            (some(), any::<bool>()).prop_map(|(count, oldest)| Step::Remove(count, oldest)),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_map_and_keeps_little(steps in vec(step(), 1..40)) {
            let (mut chunks, mut model) = (ChunkedSlab::default(), HashMap::new());
            let (mut keys, mut next) = (Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Insert(count) => for _ in 0..count {
                        next += 1;
                        let mut given = None;
                        let key = chunks.insert_with(|key| { given = Some(key); next });
                        prop_assert_eq!(given, Some(key));
                        prop_assert!(model.insert(key, next).is_none(), "a key of two values");
                        keys.push(key);
                    },
                    Step::Remove(count, oldest) => for _ in 0..count.min(keys.len()) {
                        let key = keys.remove(if oldest { 0 } else { keys.len() - 1 });
                        prop_assert_eq!(chunks.get_mut(key).copied(), model.get(&key).copied());
                        prop_assert_eq!(chunks.try_remove(key), model.remove(&key));
                        prop_assert_eq!(chunks.try_remove(key), None);
                        prop_assert_eq!(chunks.get(key), None);
                    },
                }
                prop_assert_eq!(chunks.len(), model.len());
                let with_values = chunks.chunks.iter().filter(|chunk| !chunk.is_empty()).count();
                prop_assert!(chunks.capacity() <= (with_values + 2) * CHUNK, "invariant 3");
                prop_assert!(chunks.chunks.iter().all(|chunk| chunk.len() <= CHUNK));
            }
            let mut left: Vec<_> = chunks.into_values().collect();
            let mut expected: Vec<_> = model.into_values().collect();
            left.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn load_goes_up_and_down_at_the_edge_of_a_chunk_then_nothing_is_allocated() {
        let mut chunks = ChunkedSlab::default();
        let mut keys: Vec<_> = (0..2 * CHUNK).map(|_| chunks.insert_with(|key| key)).collect();
        let mut capacities = Vec::new();
        for _ in 0..10 {
            keys.extend([(); 2].map(|()| chunks.insert_with(|key| key)));
            capacities.push(chunks.capacity());
            for _ in 0..4 {
                let last = keys.pop().expect("there are many");
                chunks.try_remove(last);
            }
            capacities.push(chunks.capacity());
            keys.extend([(); 2].map(|()| chunks.insert_with(|key| key)));
        }
        capacities.dedup();
        assert_eq!(capacities, [3 * CHUNK]);
    }

    #[test]
    fn few_values_then_little_room() {
        let mut chunks = ChunkedSlab::default();
        chunks.insert_with(|_| 0_u8);
        assert!(chunks.capacity() < 16);
    }
}
