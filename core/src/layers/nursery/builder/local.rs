//! Opening a nursery whose children stay on their thread.

use super::Builder;
use crate::layers::base::as_error::AsError;
use crate::layers::base::mode::Local;
use crate::layers::nursery::local::LocalNursery;
use crate::layers::nursery::run::Run;
use allhome_rt::IntoLocalRuntime;
use std::future::Future;

impl Builder {
    /// Has the nursery take children that are not `Send`: they run on the thread that opens the
    /// nursery, by the spawner that is given. Its future is not `Send` either, so no `tokio::spawn`
    /// takes it.
    ///
    /// | given                              | children run                    | the runtime beside it |
    /// |------------------------------------|---------------------------------|-----------------------|
    /// | `&local_executor`                  | inside its `run`                | its own               |
    /// | `Tokio::local(&set)`               | while the set is polled         | tokio's, around       |
    /// | `Smol::local(&executor)`           | while the executor is run       | `Smol`                |
    /// | `sim::SimLocal`                    | in the simulation around        | the simulation's      |
    /// | a [`LocalRuntime`](crate::runtime::LocalRuntime) | by any other `SpawnLocal` | the one named there |
    ///
    /// The runtime beside it has the clock and the blocking pool, and runs the nurseries inside that
    /// are not local; [`on`](Builder::on) names another.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::local::LocalNursery;
    /// use allhome::nursery;
    /// use allhome::runtime::LocalExecutor;
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// let (executor, total) = (LocalExecutor::new(), Rc::new(Cell::new(0)));
    /// let add = |number| {
    ///     let total = total.clone();
    ///     async move { Ok(total.set(total.get() + number)) }
    /// };
    /// executor.run(nursery().local(&executor).run(async |n: LocalNursery| {
    ///     n.spawn(add(1));
    ///     n.spawn(add(2));
    ///     Ok(())
    /// }))?;
    /// assert_eq!(total.get(), 3);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn local(self, on: impl IntoLocalRuntime) -> Builder<Local> {
        let Builder { config, inside, condition, runtime, on: () } = self;
        Builder { config, inside, condition, runtime, on: on.into_local_runtime() }
    }
}

impl Builder<Local> {
    /// Opens the nursery on the present thread, runs the body in it, and waits until every child has
    /// ended.
    ///
    /// Everything else is as for [`run`](Builder::run) of a nursery that is not local.
    ///
    /// # Errors
    ///
    /// Same as [`run`](Builder::run).
    ///
    /// # Panics
    ///
    /// Same as [`run`](Builder::run).
    ///
    /// # Cancel safety
    ///
    /// Same as [`run`](Builder::run): a future that is dropped cancels all children.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::local::LocalNursery;
    /// use allhome::nursery;
    /// use allhome::runtime::LocalExecutor;
    /// use std::rc::Rc;
    ///
    /// let executor = LocalExecutor::new();
    /// let word = executor.run(nursery().local(&executor).run(async |n: LocalNursery| {
    ///     let word: Rc<str> = n.fork(async { Ok(Rc::from("home")) }).await?;
    ///     Ok(word)
    /// }))?;
    /// assert_eq!(&*word, "home");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<R, E, M, F, Fut>(self, body: F) -> Run<E, R, F, Fut, Local>
    where
        F: FnOnce(LocalNursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
    {
        Run::new(self.setup::<E, M>(), body)
    }
}
