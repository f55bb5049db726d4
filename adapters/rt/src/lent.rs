//! What a runtime without a timer or a blocking pool is lent: with std alone, and once a process.
//!
//! Threads start with the first sleep and the first job, so a process that lends nothing has none
//! of them. They are detached: nothing waits for them when the process ends, and what they have not
//! done by then is not done.

mod blocking;
mod timer;

use crate::{SpawnBlocking, Timer};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// Returns the timer that runtimes without one are lent: the system's monotonic clock, and one
/// thread, which starts with the first sleep that has to wait.
///
/// It is for code that is in no runtime's context. A [`Runtime`](crate::Runtime) that was built
/// without a timer has it already.
///
/// The thread calls wakers, one after the other; a waker that blocks it holds up every other sleep.
///
/// # Panics
///
/// [`sleep_until`](Timer::sleep_until) panics if the thread cannot be started, as on a target
/// without threads: a runtime there brings a timer of its own. Its next call tries again.
///
/// # Examples
///
/// ```
/// use std::task::{Context, Waker};
/// use std::time::Duration;
///
/// let timer = allhome_rt::lent_timer();
/// let mut sleep = timer.sleep_until(timer.now() + Duration::from_secs(60));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(sleep.as_mut().poll(&mut cx).is_pending());
/// ```
pub fn lent_timer() -> &'static Arc<dyn Timer> {
    static TIMER: OnceLock<Arc<dyn Timer>> = OnceLock::new();
    TIMER.get_or_init(|| Arc::new(timer::Lent::new(timer::start)))
}

/// Returns the blocking pool that runtimes without one are lent.
pub(crate) fn lent_blocking() -> Box<dyn SpawnBlocking> {
    static POOL: OnceLock<blocking::Lent> = OnceLock::new();
    let new = || blocking::Lent::new(blocking::LIMIT, blocking::KEEP_ALIVE, blocking::start);
    Box::new(POOL.get_or_init(new).clone())
}

/// Calls foreign code, with no lock held; the threads survive its panics.
fn contain(f: impl FnOnce()) {
    let Err(mut payload) = catch_unwind(AssertUnwindSafe(f)) else { return };
    // A payload is a user's value: its destructor may panic, with a payload that does the same. The
    // chain is cut in the end, at the price of one leaked value.
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}
