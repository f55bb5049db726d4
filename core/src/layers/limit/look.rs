//! A look at all that the [book](super::book) says: which tasks hold permits, and which wait for them.

use super::book::{self, Id};
use crate::layers::base::id::Owner;
use std::panic::Location;

/// Permits that are held, or waited for.
pub(crate) struct Request {
    /// Tells it from all others, also from later ones of the same row.
    pub(crate) id: RequestId,
    /// The semaphore's number.
    pub(crate) semaphore: u64,
    /// What acquired them, or does. A permit may have been handed on since.
    pub(crate) owner: Option<Owner>,
    /// Of the acquire.
    pub(crate) location: &'static Location<'static>,
    pub(crate) waits: bool,
    /// It waits, and the waker in the semaphore's line is the owner's own.
    pub(crate) itself: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RequestId(Id);

/// Returns those that were all there at one moment of the call, in no order.
pub(crate) fn requests() -> Vec<Request> {
    let seen = book::of(None).into_iter();
    let request = |seen: book::Seen| Request {
        id: RequestId(seen.id),
        semaphore: seen.semaphore,
        owner: seen.owner,
        location: seen.location,
        waits: seen.waits,
        itself: seen.itself,
    };
    seen.map(request).collect()
}
