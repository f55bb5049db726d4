//! The present instant, and the timer, for code that may be in a nursery or not.
//!
//! No clock of the system is read in this crate: time is the runtime's, so that it stands still
//! where a test's clock does. In a nursery the runtime is the nursery's. Elsewhere it is that of a
//! runtime whose own context the caller is in, and else the timer that the boundary lends.

use super::entered;
use crate::layers::base::guarded;
use crate::layers::base::sync::Arc;
use allhome_rt::{Instant, Timer, lent_timer};

/// Returns the present instant by the clock that holds for the caller.
///
/// It calls the timer of a runtime, which is foreign code, so no lock of this crate is held.
pub(crate) fn now() -> Instant {
    guarded::assert_none("a clock is read");
    super::now().unwrap_or_else(|| outside().now())
}

/// Returns the timer that holds outside of any nursery.
///
/// Inside `block_on` it is the one that the boundary lends: the thread may be one of another runtime,
/// whose timer stands still for as long as the call holds the thread.
pub(crate) fn outside() -> Arc<dyn Timer> {
    let found = match entered::is_inside() {
        true => None,
        false => crate::AROUND.iter().find_map(|find| find()),
    };
    found.map_or_else(|| lent_timer().clone(), |runtime| runtime.timer().clone())
}
