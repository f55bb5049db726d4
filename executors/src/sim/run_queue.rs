//! A queue from which any place can be taken, not only the first.
//!
//! Of a hundred thousand ready tasks, a seed takes one out of the middle at each step. In one ring,
//! that moves a quarter of them each time. So the queue is cut into pieces, and only the tasks in
//! the same piece move up.
//!
//! # Invariants
//!
//! 1. The pieces, one after the other, are the queue. None has more than [`MOST`].
//! 2. No piece but the last is empty. There is always a last.

use std::collections::VecDeque;

/// How many there are in a piece: about as long to move half of them as to count the pieces of a
/// queue of a hundred thousand.
const MOST: usize = 512;

pub(super) struct RunQueue<T> {
    pieces: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T> RunQueue<T> {
    pub(super) fn new() -> RunQueue<T> {
        RunQueue { pieces: VecDeque::from([VecDeque::new()]), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    pub(super) fn push_back(&mut self, item: T) {
        let last = self.pieces.len() - 1;
        if self.pieces[last].len() < MOST {
            self.pieces[last].push_back(item);
        } else {
            let mut piece = VecDeque::with_capacity(MOST);
            piece.push_back(item);
            self.pieces.push_back(piece);
        }
        self.len += 1;
    }

    /// Takes out the one at that place, if there is one; those behind it move up.
    pub(super) fn remove(&mut self, mut at: usize) -> Option<T> {
        if at >= self.len {
            return None;
        }
        let mut piece = 0;
        while at >= self.pieces[piece].len() {
            at -= self.pieces[piece].len();
            piece += 1;
        }
        let item = self.pieces[piece].remove(at);
        if self.pieces[piece].is_empty() && piece + 1 < self.pieces.len() {
            self.pieces.remove(piece);
        }
        self.len -= 1;
        item
    }

    /// Takes out all, the first first.
    pub(super) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::replace(self, RunQueue::new()).pieces.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Rng;

    #[test]
    fn random_places_as_in_a_plain_queue() {
        let (mut rng, mut queue, mut plain) = (Rng::new(7), RunQueue::new(), VecDeque::new());
        for round in 0..20_000 {
            // It grows to some pieces, and then to nothing again.
            if round < 8_000 && rng.below(4) > 0 {
                queue.push_back(round);
                plain.push_back(round);
            }
            let at = rng.below(plain.len() + 1);
            if rng.below(3) > 0 {
                assert_eq!(queue.remove(at), plain.remove(at));
            }
            assert_eq!((queue.len(), queue.is_empty()), (plain.len(), plain.is_empty()));
            let pieces = queue.pieces.len();
            let whole = |(at, piece): (usize, &VecDeque<_>)| {
                piece.len() <= MOST && (!piece.is_empty() || at + 1 == pieces)
            };
            assert!(queue.pieces.iter().enumerate().all(whole));
        }
        assert!(plain.is_empty(), "{} are left", plain.len());
        (0..3_000).for_each(|item| queue.push_back(item));
        assert!(queue.iter().copied().eq(0..3_000));
        assert!(queue.take().eq(0..3_000) && queue.is_empty() && queue.remove(0).is_none());
    }
}
