//! Marks on the seats of a block, a bit each, and the lines of the blocks that have some.
//!
//! A mark is set in one step, which says as well whether its block is in the line already. So a
//! wake from elsewhere is one read-modify-write, and a storm is taken with one for each block.
//!
//! # Invariants
//!
//! 1. QUEUED is set in the bits of a block that is in the line, or was taken from it and not emptied
//!    yet. The step that sets it is the one that puts the block in, so it is there once.
//! 2. `next` is written by that step alone, and read before QUEUED is taken back.
//! 3. [`Marks::set_alone`], [`Marks::clear_alone`] and the taking of what they have set are for one
//!    thread at a time: they load and store.

use crate::layers::base::sync::{AtomicU32, AtomicU64, Ordering};

/// So many seats may a block have.
pub(crate) const MOST: usize = if cfg!(loom) { 3 } else { 63 };

const QUEUED: u64 = 1 << 63;

/// No block.
const NONE: u32 = u32::MAX;

/// The marks of a block.
pub(crate) struct Marks {
    bits: AtomicU64,
    next: AtomicU32,
}

/// The blocks that have marks of a kind, by their numbers; the last comes first.
pub(crate) struct Line(AtomicU32);

impl Marks {
    pub(crate) fn new() -> Marks {
        Marks { bits: AtomicU64::new(0), next: AtomicU32::new(NONE) }
    }

    /// Marks a seat of this block. Returns `true` if the line was empty.
    pub(crate) fn set(&self, seat: u32, block: u32, line: &Line) -> bool {
        // AcqRel: pairs with `take` and `clear`; what was done before the mark is seen after them,
        // also if the mark was there.
        let before = self.bits.fetch_or(1 << seat | QUEUED, Ordering::AcqRel);
        if before & QUEUED != 0 {
            return false;
        }
        let mut first = line.0.load(Ordering::Relaxed);
        loop {
            self.next.store(first, Ordering::Relaxed);
            // Release: pairs with `Line::take`, for `next`.
            let put = line.0.compare_exchange(first, block, Ordering::Release, Ordering::Relaxed);
            match put {
                Ok(_) => return first == NONE,
                Err(now) => first = now,
            }
        }
    }

    /// As [`set`](Marks::set), where no other thread has this line.
    pub(crate) fn set_alone(&self, seats: u64, block: u32, line: &Line) {
        let before = self.bits.load(Ordering::Relaxed);
        self.bits.store(before | seats | QUEUED, Ordering::Relaxed);
        if before & QUEUED == 0 {
            self.next.store(line.0.load(Ordering::Relaxed), Ordering::Relaxed);
            line.0.store(block, Ordering::Relaxed);
        }
    }

    /// Takes the mark of one seat back.
    #[inline(always)]
    pub(crate) fn clear(&self, seat: u32) {
        if self.bits.load(Ordering::Relaxed) & 1 << seat != 0 {
            self.bits.fetch_and(!(1 << seat), Ordering::AcqRel);
        }
    }

    /// As [`clear`](Marks::clear), where no other thread has this line.
    #[inline(always)]
    pub(crate) fn clear_alone(&self, seat: u32) {
        let bits = self.bits.load(Ordering::Relaxed);
        if bits & 1 << seat != 0 {
            self.bits.store(bits & !(1 << seat), Ordering::Relaxed);
        }
    }

    /// Takes all marks of a block that was taken from the line. Returns the next one, too.
    pub(crate) fn take(&self) -> (u64, Option<u32>) {
        let next = self.next.load(Ordering::Relaxed);
        (self.bits.swap(0, Ordering::AcqRel) & !QUEUED, some(next))
    }

    /// As [`take`](Marks::take), where no other thread has this line.
    pub(crate) fn take_alone(&self) -> (u64, Option<u32>) {
        let (bits, next) = (self.bits.load(Ordering::Relaxed), self.next.load(Ordering::Relaxed));
        self.bits.store(0, Ordering::Relaxed);
        (bits & !QUEUED, some(next))
    }
}

impl Line {
    pub(crate) fn new() -> Line {
        Line(AtomicU32::new(NONE))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == NONE
    }

    /// Takes all blocks. Returns the first; each has the next.
    pub(crate) fn take(&self) -> Option<u32> {
        match self.is_empty() {
            true => None,
            // Acquire: pairs with `Marks::set`.
            false => some(self.0.swap(NONE, Ordering::Acquire)),
        }
    }

    /// As [`take`](Line::take), where no other thread has this line.
    pub(crate) fn take_alone(&self) -> Option<u32> {
        let first = self.0.load(Ordering::Relaxed);
        self.0.store(NONE, Ordering::Relaxed);
        some(first)
    }
}

fn some(block: u32) -> Option<u32> {
    Some(block).filter(|&block| block != NONE)
}
