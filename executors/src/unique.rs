//! Whether a waker is the only one of its task.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Returns `true` if the caller has all counts of an `Arc`, which are that many.
///
/// It stays true: another count can only come from one of these.
pub(crate) fn is_unique<T>(arc: &Arc<T>, counts: usize) -> bool {
    let is_unique = Arc::strong_count(arc) == counts;
    // Acquire: pairs with the drop of the last of the others, so that what was done with it comes
    // before what the caller does from here on.
    fence(Ordering::Acquire);
    is_unique
}
