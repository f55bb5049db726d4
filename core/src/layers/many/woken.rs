//! Which slots were woken, and the task that polls them.
//!
//! # Invariants
//!
//! 1. To be woken is a mark. The owner takes the marks before it polls, so a wake during a poll
//!    leads to one more.
//! 2. A wake sets its mark, puts its block into the line, and then takes the task's waker, if the
//!    line was empty. [`Woken::park`] looks at the line and keeps the waker in one hold
//!    of the lock. So either it sees the mark, or the wake finds the waker.
//! 3. A slot has one waker, for all futures that come into it. One that an earlier future has kept
//!    leads to a poll of the later one that was not needed, and to nothing else.

use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::marks::{Line, MOST, Marks};
use crate::layers::base::sync::Arc;
use std::mem;
use std::task::{Wake, Waker};

pub(super) struct Woken {
    shared: Arc<Shared>,
    blocks: Vec<Arc<Block>>,
    /// Those of `block` that were woken, and not polled since.
    turn: u64,
    block: usize,
    /// The next block of the line that was taken.
    next: Option<u32>,
}

struct Shared {
    line: Line,
    /// What wakes the task, while that waits.
    waker: Guarded<Option<Foreign<Waker>>>,
}

struct Block {
    marks: Marks,
    number: u32,
    shared: Arc<Shared>,
}

struct SlotWaker {
    block: Arc<Block>,
    seat: u32,
}

impl Wake for SlotWaker {
    fn wake(self: Arc<SlotWaker>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<SlotWaker>) {
        let Block { marks, number, shared } = &*self.block;
        if marks.set(self.seat, *number, &shared.line) {
            shared.unpark().into_iter().for_each(Foreign::wake);
        }
    }
}

impl Shared {
    #[must_use = "it is woken, or dropped where no lock is held"]
    fn unpark(&self) -> Option<Foreign<Waker>> {
        self.waker.locked(Option::take)
    }
}

impl Woken {
    pub(super) fn new() -> Woken {
        let shared = Arc::new(Shared { line: Line::new(), waker: Guarded::new(None) });
        Woken { shared, blocks: Vec::new(), turn: 0, block: 0, next: None }
    }

    /// Makes the waker of one more slot. The slots have the numbers from 0 on, in this order.
    pub(super) fn add(&mut self, slot: usize) -> Waker {
        let (block, seat) = (slot / MOST, (slot % MOST) as u32);
        if block == self.blocks.len() {
            let number = u32::try_from(block).expect("there is no memory for so many futures");
            let shared = self.shared.clone();
            self.blocks.push(Arc::new(Block { marks: Marks::new(), number, shared }));
        }
        let block = self.blocks[block].clone();
        Waker::from(Arc::new(SlotWaker { block, seat }))
    }

    /// Takes a slot that was woken.
    #[inline]
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.turn == 0 {
            let number = self.next.take().or_else(|| self.shared.line.take())?;
            self.block = number as usize;
            (self.turn, self.next) = self.blocks[self.block].marks.take();
        }
        let seat = self.turn.trailing_zeros() as usize;
        self.turn &= self.turn - 1;
        Some(self.block * MOST + seat)
    }

    /// Keeps the waker, unless there is a slot to poll. The caller has taken all that there were.
    pub(super) fn park(&self, waker: &Waker) -> bool {
        let same = |kept: &Foreign<Waker>| kept.will_wake(waker);
        let Shared { line, waker: kept } = &*self.shared;
        let kept_still = kept.locked(|kept| line.is_empty() && kept.as_ref().is_some_and(same));
        if kept_still {
            return true;
        }
        let mut waker = Some(Foreign::cloned(waker));
        let (parked, _old) = kept.locked(|kept| match line.is_empty() {
            true => (true, mem::replace(kept, waker.take())),
            false => (false, None),
        });
        parked
    }

    /// No wake leads to anything any more.
    pub(super) fn leave(&self) {
        drop(self.shared.unpark());
    }
}
