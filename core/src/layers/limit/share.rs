//! Permits on their way from one to another.

use super::book::Booked;

/// A number of permits, and their row in the book.
#[derive(Clone, Copy)]
pub(super) struct Share {
    pub(super) count: usize,
    pub(super) booked: Booked,
}

impl Share {
    /// Permits that are in no book.
    pub(super) fn unbooked(count: usize) -> Share {
        Share { count, booked: Booked::NONE }
    }
}
