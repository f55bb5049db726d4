//! Whether a nursery's polls are looked at.

use super::Builder;
use crate::layers::nursery::mode::NurseryMode;

impl<P: NurseryMode> Builder<P> {
    /// Sets whether the polls of this nursery's tasks and body are looked at, so that
    /// [`TaskInfo::stacks`](crate::task::TaskInfo::stacks) has where each task waits; also those of the
    /// nurseries that are opened inside, unless they say otherwise. Default: as of the nursery around,
    /// and of an outermost one as [`arm`](crate::see::stacks::arm) says.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery, see, yield_now};
    /// use std::convert::Infallible;
    ///
    /// block_on(nursery().stacks(true).run(async |n: Nursery<Infallible>| {
    ///     n.go(allhome::sleep(std::time::Duration::from_secs(60)));
    ///     while n.tree().root().tasks[0].waits.is_none() {
    ///         yield_now().await;
    ///     }
    ///     let stacks = n.tree().root().tasks[0].stacks;
    ///     assert_eq!(stacks.is_empty(), !see::stacks::is_possible());
    ///     n.abort();
    ///     Ok(())
    /// }))?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stacks(mut self, are_seen: bool) -> Self {
        self.config.stacks = Some(are_seen);
        self
    }
}
