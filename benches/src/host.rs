//! The tokio runtime that all sides of a case share.

use std::fmt;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;

/// Which runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// tokio's current-thread runtime; the scenario is the `block_on` future.
    CurrentThread,
    /// tokio's multi-thread runtime with two workers; the scenario is a spawned task.
    MultiThread,
    /// The same with eight workers: more than a small machine has cores.
    EightThreads,
}

/// The flavors that most cases run on.
pub const FLAVORS: [Flavor; 2] = [Flavor::CurrentThread, Flavor::MultiThread];

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flavor::CurrentThread => "current_thread",
            Flavor::MultiThread => "multi_thread",
            Flavor::EightThreads => "8_threads",
        })
    }
}

/// A runtime, and how a scenario is put on it.
#[derive(Debug)]
pub struct Host {
    flavor: Flavor,
    runtime: Runtime,
}

impl Host {
    /// Starts a runtime.
    ///
    /// # Panics
    ///
    /// Panics when the operating system refuses the threads.
    pub fn new(flavor: Flavor) -> Self {
        let workers =
            |threads| Builder::new_multi_thread().worker_threads(threads).enable_time().build();
        let runtime = match flavor {
            Flavor::CurrentThread => Builder::new_current_thread().enable_time().build(),
            Flavor::MultiThread => workers(2),
            Flavor::EightThreads => workers(8),
        };
        Self { flavor, runtime: runtime.expect("a tokio runtime") }
    }

    /// Runs a scenario to its end.
    ///
    /// # Panics
    ///
    /// Panics when the scenario does.
    pub fn run<F>(&self, scenario: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self.flavor {
            Flavor::CurrentThread => self.runtime.block_on(scenario),
            Flavor::MultiThread | Flavor::EightThreads => {
                let task = self.runtime.spawn(scenario);
                self.runtime.block_on(task).expect("the scenario ended")
            }
        }
    }

    /// Calls a function in the runtime's context, which its timers need.
    pub fn inside<R>(&self, call: impl FnOnce() -> R) -> R {
        let _entered = self.runtime.enter();
        call()
    }
}

/// Returns how many tasks the current runtime holds.
///
/// # Panics
///
/// Panics outside of tokio.
pub fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits until the current runtime holds no more than `base` tasks.
///
/// # Panics
///
/// Panics outside of tokio.
pub async fn until_alive(base: usize) {
    while alive() > base {
        yield_now().await;
    }
}
