//! The blocks of a scope, for what goes through its children from elsewhere.

use super::{BlockRef, Core, Free, Seat};
use crate::layers::base::outcome::TaskState;

/// All blocks of a scope, under a lock of their own: that of the inbox is not within reach, since the
/// inbox knows what the children borrow.
pub(in super::super) struct Blocks(Vec<BlockRef>);

impl Blocks {
    pub(in super::super) fn new() -> Blocks {
        Blocks(Vec::new())
    }

    pub(super) fn add(&mut self, block: BlockRef) {
        self.0.push(block);
    }

    /// Takes all: the pool is gone, and no seat is taken any more. They have the scope's control,
    /// which has these.
    pub(super) fn take(&mut self) -> Vec<BlockRef> {
        std::mem::take(&mut self.0)
    }

    /// Gives a seat up. Returns it if it is free already.
    #[inline(always)]
    pub(in super::super) fn give_up(&mut self, seat: Seat) -> Option<Free> {
        seat.give_up()
    }

    /// Calls `f` with each child that has not ended, and with the body if that is there.
    pub(in super::super) fn each(&self, mut f: impl FnMut(&BlockRef, &Core)) {
        for block in &self.0 {
            // By invariant 6 these have a life until the lock is released.
            let there = block.cores.iter().filter(|core| core.state() != TaskState::Ended);
            there.for_each(|core| f(block, core));
        }
    }
}
