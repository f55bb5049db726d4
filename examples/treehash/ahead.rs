//! The walk as children: reading folders blocks, so it is done where that does no harm.

use crate::error::Error;
use crate::walk::{Found, Walk};
use allhome::{Child, Nursery, is_cancelled};
use std::path::Path;
use std::vec;

/// How many paths one child reads.
const PIECE: usize = 256;

/// A walk that runs ahead of its reader by one piece.
///
/// Each piece is one child, which gives the walk back with what it found, so that the next child
/// can go on. It is tempting to have one child for the whole walk and a channel; but that child
/// would keep a thread for blocking work all the time, mostly to wait for its reader.
pub(crate) struct ReadAhead<'a> {
    nursery: &'a Nursery<Error>,
    piece: vec::IntoIter<Found>,
    next: Child<(Walk, Vec<Found>), Error>,
}

impl<'a> ReadAhead<'a> {
    pub(crate) fn new(nursery: &'a Nursery<Error>, start: &Path) -> ReadAhead<'a> {
        let next = read(nursery, Walk::new(start));
        ReadAhead { nursery, piece: Vec::new().into_iter(), next }
    }

    /// Waits for the next path. None at the end of the walk, or of the nursery.
    pub(crate) async fn next(&mut self) -> Option<Found> {
        if is_cancelled() {
            return None;
        }
        if self.piece.as_slice().is_empty() {
            // An error means that it was cancelled: reading ahead has no errors of its own, for
            // those of the walk are among what it found.
            let Ok((walk, found)) = (&mut self.next).await else { return None };
            if found.is_empty() {
                return None;
            }
            self.piece = found.into_iter();
            self.next = read(self.nursery, walk);
        }
        self.piece.next()
    }
}

fn read(nursery: &Nursery<Error>, mut walk: Walk) -> Child<(Walk, Vec<Found>), Error> {
    nursery.task("walk").blocking(move |_| {
        let found = walk.by_ref().take(PIECE).take_while(|_| !is_cancelled()).collect();
        Ok((walk, found))
    })
}
