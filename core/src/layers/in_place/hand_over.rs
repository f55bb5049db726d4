//! What the inbox gives the slots, and what it gets back.

use super::mode::Mode;
use super::placed::{Piece, Placed};
use super::seats::{Free, Seat};
use crate::layers::base::sync::Arc;

/// A child that no poll has seen yet.
pub(super) struct New<'a, M: Mode> {
    pub(super) seat: Seat,
    pub(super) task: Placed<'a, M>,
    pub(super) join: Option<Arc<M::Join<'a>>>,
}

/// Seats, and memory, that are free.
#[derive(Default)]
pub(super) struct Freed {
    pub(super) seats: Vec<Free>,
    pub(super) pieces: Vec<Piece>,
}
