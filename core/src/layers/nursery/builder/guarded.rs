//! Asking for a guard.

use super::Builder;
use crate::layers::nursery::mode::NurseryMode;

impl<P: NurseryMode> Builder<P> {
    /// Guards the nursery, if it is opened in no other: when nothing is left that could wake its body
    /// or any of its tasks it fails, with [`Cause::Deadlock`](crate::error::Cause::Deadlock), instead
    /// of hanging.
    ///
    /// [`see::guard`](crate::see::guard) does so for all nurseries of a test, and says what is found
    /// and what is not; this is for one that another thread opens, or for a program that would rather
    /// end with an error. Its patience is a second.
    ///
    /// It costs a thread, which looks at the nursery at most a hundred times a second and for a
    /// hundredth of the time. A task that is woken often has no task of the runtime for its own then,
    /// and its wakes cost up to twice as much.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::error::Cause;
    /// use allhome::{Nursery, block_on, nursery};
    /// use std::convert::Infallible;
    ///
    /// let run = nursery().guarded().run(async |n: Nursery<Infallible>| {
    ///     std::future::pending::<()>().await;
    ///     Ok(n.close())
    /// });
    /// let error = block_on(run).unwrap_err();
    /// assert!(matches!(error.first().cause(), Cause::Deadlock(_)), "{error}");
    /// # }
    /// ```
    pub fn guarded(mut self) -> Self {
        self.config.guarded = true;
        self
    }
}
