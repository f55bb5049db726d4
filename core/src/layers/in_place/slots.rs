//! The children that the scope's future owns, each in a slot.
//!
//! | slot    | from                        | to                                             |
//! |---------|-----------------------------|------------------------------------------------|
//! | free    | -                           | new: a child is taken from the inbox           |
//! | new     | free                        | waiting: polled; free: cancelled before that   |
//! | waiting | new, waiting                | waiting: polled; free: returned, panicked, cut |
//!
//! A child whose future was dropped leaves its slot before its outcome is given out.

use super::hand_over::{Freed, New};
use super::inbox::Shared;
use super::join::Giver;
use super::mode::Mode;
use super::part::Part;
use super::placed::{Piece, Placed, Running};
use super::seats::{BlockRef, Seat};
use crate::layers::base::reason::Reason;
use crate::layers::record::Ended;
use std::pin::Pin;

/// So many seats are given back at once, if no child is new. A handle that is dropped before that
/// counts its reach down, and nothing more: the bodies that join their children drop them then.
const GIVEN_BACK: usize = 1024;

pub(super) struct Slot<'a, M: Mode> {
    pub(super) part: Part,
    pub(super) task: Placed<'a, M>,
    /// When its future is gone.
    pub(super) join: Option<Giver<M::Join<'a>>>,
    pub(super) started: bool,
    /// Its own grace has begun.
    pub(super) graced: bool,
}

impl<M: Mode> Slot<'_, M> {
    /// Drops its future where it waits.
    pub(super) fn cut(&mut self, reason: &Reason) -> Ended {
        let Slot { part, task, join, .. } = self;
        part.cut(Pin::new(&mut Some(Running { task, join })), reason)
    }
}

pub(super) struct Slots<'a, M: Mode> {
    /// For each block of seats, those of its children.
    rows: Vec<Vec<Option<Slot<'a, M>>>>,
    /// All that have a seat of a child that was taken in, or of the body.
    pub(super) blocks: Vec<BlockRef>,
    /// Of children that are home: they are given back, many at once.
    freed: Freed,
    /// Empty, for the next new ones.
    spare: Vec<New<'a, M>>,
}

impl<'a, M: Mode> Slots<'a, M> {
    /// The body has its seat already.
    pub(super) fn new(shared: &Shared<'a, M>) -> Slots<'a, M> {
        let (mut blocks, mut freed) = (Vec::new(), Freed::default());
        let spare = shared.take_new(Vec::new(), &mut blocks, &mut freed);
        Slots { rows: Vec::new(), blocks, freed, spare }
    }

    /// Takes the new children in, and gives back the seats of those that are home. No child that was
    /// woken before is in turn any more. Calls `f` with where each is.
    pub(super) fn take_in(&mut self, shared: &Shared<'a, M>, mut f: impl FnMut(u32)) {
        let mut new =
            shared.take_new(std::mem::take(&mut self.spare), &mut self.blocks, &mut self.freed);
        for child in new.drain(..) {
            f(self.insert(child));
        }
        self.spare = new;
    }

    /// Returns `true` if it is worth it to give seats back.
    pub(super) fn has_freed(&self) -> bool {
        self.freed.pieces.len() >= GIVEN_BACK
    }

    #[inline(always)]
    fn insert(&mut self, new: New<'a, M>) -> u32 {
        let New { seat, task } = new;
        let index = seat.index();
        let (row, at) = split(index);
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Vec::new);
        }
        let slots = &mut self.rows[row];
        if slots.len() <= at {
            slots.reserve_exact(seat.block().seats() - slots.len());
            slots.resize_with(at + 1, || None);
        }
        let part = Part::new(seat);
        slots[at] = Some(Slot { part, task, join: None, started: false, graced: false });
        index
    }

    #[inline]
    pub(super) fn get(&mut self, index: u32) -> Option<&mut Slot<'a, M>> {
        let (row, at) = split(index);
        self.rows.get_mut(row)?.get_mut(at)?.as_mut()
    }

    #[inline]
    pub(super) fn remove(&mut self, index: u32) -> Option<Slot<'a, M>> {
        let (row, at) = split(index);
        self.rows.get_mut(row)?.get_mut(at)?.take()
    }

    /// Keeps the seat and the memory of a child that is home, until they are given back.
    #[inline(always)]
    pub(super) fn free(&mut self, seat: Seat, piece: Piece) {
        seat.unschedule();
        self.freed.seats.push(seat);
        self.freed.pieces.push(piece);
    }

    /// Returns where children may be: below this.
    pub(super) fn end(&self) -> u32 {
        (self.rows.len() as u32) << 6
    }
}

fn split(index: u32) -> (usize, usize) {
    ((index >> 6) as usize, (index & 63) as usize)
}
