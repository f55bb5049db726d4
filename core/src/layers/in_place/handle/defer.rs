//! What is deferred to the end of a scope.

use super::Scope;
use crate::layers::base::mode::{Local, Sendable};
use crate::layers::in_place::engine::finalize::Deferred;
use crate::layers::in_place::task::Spawned;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

impl<'a, E: Send + Sync + 'static> Scope<'a, E, Sendable> {
    /// Registers a finalizer: an async cleanup that runs when the body and all children are gone,
    /// before [`run`](crate::in_place::ScopeBuilder::run) is ready. It may borrow, as a child does.
    ///
    /// Finalizers run one after the other, the last registered first, also when the scope was
    /// cancelled or aborted; the cancel does not show in them. A finalizer that is not done within
    /// its `budget`, counted from its own start, is cut: it is polled once more with a cancel
    /// visible, and then dropped. An error, a panic or a cut in a finalizer is a
    /// [failure](crate::error::Failure) of the scope, beside the others.
    ///
    /// Other than a nursery's, a scope's finalizers are dropped unpolled if the scope's future is
    /// dropped: nothing else polls them.
    ///
    /// Returns `false` if the scope has ended already; the future is dropped unpolled then.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    /// use std::sync::Mutex;
    /// use std::time::Duration;
    ///
    /// let log = Mutex::new(Vec::new());
    /// let run = scope().run(async |s: Scope<'_>| {
    ///     for line in ["database closed", "server stopped"] {
    ///         let log = &log;
    ///         s.defer(Duration::from_secs(5), async move { Ok(log.lock().unwrap().push(line)) });
    ///     }
    ///     s.abort();
    ///     Ok(())
    /// });
    /// block_on(run)?;
    /// assert_eq!(log.into_inner()?, ["server stopped", "database closed"]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn defer<F>(&self, budget: Duration, future: F) -> bool
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
    {
        let task = Box::pin(Spawned::new(future));
        self.shared.defer(Deferred { task, budget, place: Location::caller() })
    }
}

impl<'a, E: Send + Sync + 'static> Scope<'a, E, Local> {
    /// Registers a finalizer, which need not be `Send`.
    #[track_caller]
    pub fn defer<F>(&self, budget: Duration, future: F) -> bool
    where
        F: Future<Output = Result<(), E>> + 'a,
    {
        let task = Box::pin(Spawned::new(future));
        self.shared.defer(Deferred { task, budget, place: Location::caller() })
    }
}
