//! A slab that grows by chunks: what is in it never moves, and a burst gives its memory back.
//!
//! One slab for all would double when it is full, so that just after that half of it is empty, and
//! keep its size for ever.
//!
//! It has chunks of its own and not those of the crate `slab`, which can look at a value or take it
//! out, but not both at one look: adding and cancelling a sleep took a third longer with it.
//!
//! # Invariants
//!
//! 1. A key is the number of a chunk and a place in it. No chunk has more than `CHUNK` places.
//! 2. The vacant places of a chunk are a list, from its `vacant` on.
//! 3. `open` has the number of each chunk with a vacant place or room for one, once. The last one
//!    is filled first.
//! 4. No chunk but those in `spare` has memory and no value. With none, a load that goes up and down
//!    at the edge of a chunk would allocate at each turn; with one, a load that goes from nothing to
//!    over the edge, and back.

use std::mem;

/// The index of no place.
const NONE: u32 = u32::MAX;

/// Values by their keys, in chunks of so many. So many empty chunks keep their memory.
pub(crate) struct ChunkedSlab<T, const CHUNK: usize, const SPARES: usize> {
    chunks: Vec<Chunk<T>>,
    open: Vec<usize>,
    /// Those that were emptied last, the last one first. They may have values again.
    spare: [Option<usize>; SPARES],
}

struct Chunk<T> {
    places: Vec<Place<T>>,
    taken: usize,
    /// The first vacant place.
    vacant: u32,
}

enum Place<T> {
    Taken(T),
    /// The next vacant place.
    Vacant(u32),
}

impl<T, const CHUNK: usize, const SPARES: usize> ChunkedSlab<T, CHUNK, SPARES> {
    pub(crate) const fn new() -> ChunkedSlab<T, CHUNK, SPARES> {
        ChunkedSlab { chunks: Vec::new(), open: Vec::new(), spare: [None; SPARES] }
    }

    /// Returns how many values there are, by a look at each chunk.
    pub(crate) fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.taken).sum()
    }

    /// Puts in the value that `make` returns for its key.
    #[inline]
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(usize) -> T) -> usize {
        let number = match self.open.last() {
            Some(&number) => number,
            None => self.add_chunk(),
        };
        let chunk = &mut self.chunks[number];
        // The first one may be small: many an executor has few tasks.
        if number > 0 && chunk.places.capacity() == 0 {
            chunk.places.reserve_exact(CHUNK);
        }
        let key = number * CHUNK + chunk.next_place();
        chunk.put(make(key));
        if chunk.taken == CHUNK {
            self.open.pop();
        }
        key
    }

    #[inline]
    pub(crate) fn get(&self, key: usize) -> Option<&T> {
        match self.chunks.get(key / CHUNK)?.places.get(key % CHUNK)? {
            Place::Taken(value) => Some(value),
            Place::Vacant(_) => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        match self.chunks.get_mut(key / CHUNK)?.places.get_mut(key % CHUNK)? {
            Place::Taken(value) => Some(value),
            Place::Vacant(_) => None,
        }
    }

    pub(crate) fn try_remove(&mut self, key: usize) -> Option<T> {
        self.remove_if(key, |_| true)
    }

    /// Removes the value of a key if `fits` returns `true` for it.
    #[inline]
    pub(crate) fn remove_if(&mut self, key: usize, fits: impl FnOnce(&T) -> bool) -> Option<T> {
        let number = key / CHUNK;
        let chunk = self.chunks.get_mut(number)?;
        let was_full = chunk.taken == CHUNK;
        let value = chunk.take_if(key % CHUNK, fits)?;
        if chunk.taken == 0 {
            self.emptied(number);
        }
        if was_full {
            self.open.push(number);
        }
        Some(value)
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        let places = self.chunks.into_iter().flat_map(|chunk| chunk.places);
        places.filter_map(|place| match place {
            Place::Taken(value) => Some(value),
            Place::Vacant(_) => None,
        })
    }

    #[cold]
    fn add_chunk(&mut self) -> usize {
        let number = self.chunks.len();
        self.chunks.push(Chunk::new());
        self.open.push(number);
        number
    }

    /// Keeps the chunk as a spare one, and gives back the one that was emptied before the last.
    #[cold]
    fn emptied(&mut self, number: usize) {
        if self.spare.contains(&Some(number)) {
            return;
        }
        self.spare.rotate_right(1);
        let before = self.spare[0].replace(number);
        if let Some(before) = before.filter(|before| self.chunks[*before].taken == 0) {
            self.chunks[before] = Chunk::new();
        }
    }

    #[cfg(test)]
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        let places = self.chunks.iter().flat_map(|chunk| &chunk.places);
        places.filter_map(|place| match place {
            Place::Taken(value) => Some(value),
            Place::Vacant(_) => None,
        })
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.places.capacity()).sum()
    }
}

impl<T, const CHUNK: usize, const SPARES: usize> Default for ChunkedSlab<T, CHUNK, SPARES> {
    fn default() -> ChunkedSlab<T, CHUNK, SPARES> {
        ChunkedSlab::new()
    }
}

impl<T> Chunk<T> {
    const fn new() -> Chunk<T> {
        Chunk { places: Vec::new(), taken: 0, vacant: NONE }
    }

    /// Returns the index that the next value gets.
    #[inline]
    fn next_place(&self) -> usize {
        if self.vacant == NONE { self.places.len() } else { self.vacant as usize }
    }

    #[inline]
    fn put(&mut self, value: T) {
        self.taken += 1;
        match self.places.get_mut(self.vacant as usize) {
            Some(place) => {
                if let Place::Vacant(next) = mem::replace(place, Place::Taken(value)) {
                    self.vacant = next;
                }
            }
            None => self.places.push(Place::Taken(value)),
        }
    }

    #[inline]
    fn take_if(&mut self, index: usize, fits: impl FnOnce(&T) -> bool) -> Option<T> {
        let place = self.places.get_mut(index)?;
        if !matches!(place, Place::Taken(value) if fits(value)) {
            return None;
        }
        let Place::Taken(value) = mem::replace(place, Place::Vacant(self.vacant)) else {
            unreachable!("it was looked at")
        };
        self.vacant = index as u32;
        self.taken -= 1;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const CHUNK: usize = 256;
    const SPARES: usize = 2;

    type Chunks<T> = ChunkedSlab<T, CHUNK, SPARES>;

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
            let (mut chunks, mut model) = (Chunks::default(), HashMap::new());
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
                        prop_assert_eq!(chunks.remove_if(key, |_| false), None);
                        prop_assert_eq!(chunks.try_remove(key), model.remove(&key));
                        prop_assert_eq!(chunks.try_remove(key), None);
                        prop_assert_eq!(chunks.get(key), None);
                    },
                }
                prop_assert_eq!(chunks.len(), model.len());
                let with_values = chunks.chunks.iter().filter(|chunk| chunk.taken > 0).count();
                prop_assert!(chunks.capacity() <= (with_values + SPARES) * CHUNK, "invariant 4");
                prop_assert!(chunks.chunks.iter().all(|chunk| chunk.places.len() <= CHUNK));
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
        let mut chunks = Chunks::default();
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
        let mut chunks = Chunks::default();
        chunks.insert_with(|_| 0_u8);
        assert!(chunks.capacity() < 16);
    }
}
