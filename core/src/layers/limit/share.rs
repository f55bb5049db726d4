//! Permits on their way from one to another.

use super::holders::Key;

/// So many permits of somebody.
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
