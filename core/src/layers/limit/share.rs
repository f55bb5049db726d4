//! Permits on their way from one to another.

use super::holders::Key;

/// A number of permits, and their entry in the book.
#[derive(Clone, Copy)]
pub(super) struct Share {
    pub(super) count: usize,
    pub(super) key: Key,
}

impl Share {
    /// Permits that are in no book.
    pub(super) fn unbooked(count: usize) -> Share {
        Share { count, key: Key::NONE }
    }
}
