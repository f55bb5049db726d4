//! What the inbox gives the slots, and what it gets back.

use super::mode::Mode;
use super::placed::{Piece, Placed};
use super::seats::Seat;

/// A child that no poll has seen yet.
pub(super) struct New<'a, M: Mode> {
    pub(super) seat: Seat,
    pub(super) task: Placed<'a, M>,
}

/// The seats of children that have ended, and memory that is free.
#[derive(Default)]
pub(super) struct Freed {
    pub(super) seats: Vec<Seat>,
    pub(super) pieces: Vec<Piece>,
}
