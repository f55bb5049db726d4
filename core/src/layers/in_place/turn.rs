//! The children in turn: blocks, each with a bit for those of it.

use super::control::{BODY, Control, Woken};
use super::seats::BlockRef;
use std::collections::VecDeque;

/// In block 0.
const BODY_BIT: u64 = 1 << BODY;

pub(super) struct Turn(VecDeque<(u32, u64)>);

impl Turn {
    /// The body is the first.
    pub(super) fn new() -> Turn {
        Turn(VecDeque::from([(0, BODY_BIT)]))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// Has none in turn. Returns `true` if the body was.
    pub(super) fn clear(&mut self) -> bool {
        self.0.drain(..).any(|(block, seats)| block == 0 && seats & BODY_BIT != 0)
    }

    /// Takes the next.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u32> {
        let (block, seats) = self.0.front_mut()?;
        let index = *block << 6 | seats.trailing_zeros();
        *seats &= *seats - 1;
        if *seats == 0 {
            self.0.pop_front();
        }
        Some(index)
    }

    /// Adds a new child. They have their turns in the order in which they came.
    #[inline]
    pub(super) fn add(&mut self, index: u32) {
        let (block, seat) = (index >> 6, index & 63);
        match self.0.back_mut() {
            Some((last, seats)) if *last == block && *seats >> seat == 0 => *seats |= 1 << seat,
            _ => self.0.push_back((block, 1 << seat)),
        }
    }

    /// Adds those that were woken: the block that was woken first comes first, and the body last, so
    /// that it sees what the children did that were woken before it.
    pub(super) fn add_woken(&mut self, control: &Control, line: Woken, blocks: &[BlockRef]) {
        let (new, mut body) = (self.0.len(), 0);
        control.take_woken(line, blocks, |block, mut seats| {
            if block == 0 {
                body = seats & BODY_BIT;
                seats &= !BODY_BIT;
            }
            if seats != 0 {
                self.0.push_back((block, seats));
            }
        });
        if self.0.len() - new > 1 {
            self.0.make_contiguous()[new..].reverse();
        }
        if body != 0 {
            self.0.push_back((0, body));
        }
    }
}
