//! The clock by which ages are known.

use crate::layers::base::tick::{self, Counting};
use std::fmt;

/// Has ages known while the result is kept: of tasks and nurseries, and of the last poll of each task
/// that waits ([`TaskInfo::age`](crate::task::TaskInfo::age),
/// [`since_poll`](crate::task::TaskInfo::since_poll)).
///
/// A program that wants them in its dumps keeps one from the beginning of `main`. A task that was
/// spawned, or polled last, when there was none is *at least* as old as the oldest one that is kept.
/// In a [`Simulator`](crate::Simulator) ages are always known, by its virtual clock.
///
/// A thread looks at the clock twenty times a second for that, and ends with the last `Clock`: so ages
/// are right to 50 milliseconds, and cost a task one load in a spawn and one in a park, whether they
/// are known or not. Where no thread can be started ages stay unknown: on wasm, for example.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery, see};
/// use std::convert::Infallible;
///
/// let _clock = see::clock();
/// block_on(nursery().run(async |n: Nursery<Infallible>| {
///     n.task("idle").go(std::future::pending());
///     let age = n.tree().root().tasks[0].age;
///     assert!(age.is_some_and(|age| age.is_exact()));
///     n.abort();
///     Ok(())
/// }))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clock() -> Clock {
    Clock { _counting: tick::count() }
}

/// Has ages known while it is kept: what [`clock`] returns.
#[must_use = "ages are known only while it is kept"]
pub struct Clock {
    _counting: Counting,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}
