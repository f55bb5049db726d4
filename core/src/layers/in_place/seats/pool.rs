//! The free seats of a scope, under the lock of its inbox.

use super::{BlockRef, Blocks, Free, Reach, Seat, release};
use crate::layers::base::marks::MOST;
use crate::layers::base::sync::{Arc, Ordering};
use crate::layers::in_place::control::{Control, Life};
use std::mem;

/// The first block is small, as most scopes are. One of its seats is the body's.
const FIRST: usize = if cfg!(loom) { MOST } else { 7 };

pub(in super::super) struct Pool {
    control: Arc<Control>,
    rows: Vec<Row>,
    /// The row that has had a free seat last.
    at: usize,
    free: usize,
}

struct Row {
    block: BlockRef,
    /// The seats that are the pool's. Each is a holder of the block.
    free: u64,
}

impl Pool {
    pub(in super::super) fn new(control: Arc<Control>) -> Pool {
        Pool { control, rows: Vec::new(), at: 0, free: 0 }
    }

    /// Gives a seat to a child, or to the body; with a reach, if there is a handle.
    pub(in super::super) fn take(&mut self, life: Life, reached: bool) -> (Seat, Option<Reach>) {
        if self.free == 0 {
            self.find_freed();
        }
        if self.free == 0 {
            self.grow();
        }
        while self.rows[self.at].free == 0 {
            self.at = (self.at + 1) % self.rows.len();
        }
        let row = &mut self.rows[self.at];
        let seat = row.free.trailing_zeros();
        row.free &= row.free - 1;
        self.free -= 1;
        // What a late wake has left there.
        row.block.woken.clear(seat);
        Free { block: row.block.0, seat }.fill(life, reached)
    }

    /// Takes a seat back.
    #[inline(always)]
    pub(in super::super) fn put(&mut self, free: Free) {
        // SAFETY: invariant 1: a free seat is a holder.
        let number = unsafe { free.block.as_ref() }.number;
        // One of another pool is dropped.
        let Some(row) = self.rows.get_mut(number as usize) else { return };
        if row.block.0 == free.block {
            row.free |= 1 << free.seat;
            self.free += 1;
            mem::forget(free);
        }
    }

    /// Adds the blocks that the caller lacks.
    pub(in super::super) fn show(&self, blocks: &mut Vec<BlockRef>) {
        blocks.extend(self.rows[blocks.len()..].iter().map(|row| row.block.clone()));
    }

    fn grow(&mut self) {
        let seats = if self.rows.is_empty() { FIRST } else { MOST };
        let number = u32::try_from(self.rows.len()).expect("no four thousand million children");
        assert!(number < 1 << 26, "no four thousand million children");
        let block = BlockRef::new(self.control.clone(), number, seats);
        self.control.blocks.locked(|blocks| blocks.add(block.clone()));
        self.at = self.rows.len();
        self.rows.push(Row { block, free: u64::MAX >> (64 - seats) });
        self.free += seats;
    }

    /// Takes back what the last waker, or handle, has left.
    fn find_freed(&mut self) {
        let mut next = self.control.freed.take();
        while let Some(number) = next {
            let row = &mut self.rows[number as usize];
            let (seats, after) = row.block.freed.take();
            let count = seats.count_ones() as usize;
            // Relaxed: the row has a holder meanwhile.
            row.block.holders.fetch_add(count, Ordering::Relaxed);
            row.free |= seats;
            self.free += count;
            self.at = number as usize;
            next = after;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.control.blocks.locked(Blocks::take));
        for row in &mut self.rows {
            let seats = mem::take(&mut row.free).count_ones() as usize;
            if seats > 0 {
                // SAFETY: the free seats are the pool's, and no code will use them again.
                unsafe { release(row.block.0, seats) }
            }
        }
    }
}
