//! Runs [allhome](https://docs.rs/allhome)'s nurseries on tokio.
//!
//! [`Tokio`] stands for the runtime that the caller is in, [`Tokio::on`] for a given one. Children
//! are tasks of that runtime: multi-thread and current-thread alike.
//!
//! # Examples
//!
//! ```
//! use allhome_rt::{IntoRuntime, Task};
//! use allhome_tokio::Tokio;
//!
//! let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! assert!(Tokio.into_runtime().is_err(), "not inside a runtime");
//!
//! let runtime = Tokio::on(tokio.handle()).into_runtime().unwrap();
//! let (tx, rx) = tokio::sync::oneshot::channel();
//! runtime.spawn(Task::from_future(async { tx.send(7).unwrap() }));
//! assert_eq!(tokio.block_on(rx), Ok(7));
//! ```

#![forbid(unsafe_code)]

use allhome_rt::{
    BoxSleep, IntoRuntime, Job, NoRuntime, Runtime, Spawn, SpawnBlocking, Task, Timer,
};
use std::panic::catch_unwind;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};

/// The tokio runtime that the caller is in, as [`Handle::current`] finds it; or a given one, by
/// [`Tokio::on`].
///
/// It has a timer if the runtime was built with time enabled, and always a blocking pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokio;

impl Tokio {
    /// Stands for a given runtime, from inside or outside of it.
    pub fn on(handle: &Handle) -> TokioHandle {
        TokioHandle(handle.clone())
    }
}

impl IntoRuntime for Tokio {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        match Handle::try_current() {
            Ok(handle) => TokioHandle(handle).into_runtime(),
            Err(_) => Err(NoRuntime::new(
                "the caller is not inside a tokio runtime: name one with Tokio::on",
            )),
        }
    }
}

/// A given tokio runtime; made by [`Tokio::on`].
#[derive(Debug, Clone)]
pub struct TokioHandle(Handle);

impl IntoRuntime for TokioHandle {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        let TokioHandle(handle) = self;
        let has_timer = has_timer(&handle);
        let runtime = Runtime::builder("tokio", OnTokio(handle.clone()));
        let runtime = runtime.blocking(OnTokio(handle.clone()));
        let runtime = if has_timer { runtime.timer(OnTokio(handle)) } else { runtime };
        Ok(runtime.build())
    }
}

/// Tells whether the runtime was built with time enabled.
///
/// Tokio has no question for that: making a sleep panics if it was not. (The panic hook prints
/// then; a runtime without time that must be silent can be wrapped in a `Spawn` of one's own.)
fn has_timer(handle: &Handle) -> bool {
    let _context = handle.enter();
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

struct OnTokio(Handle);

impl Spawn for OnTokio {
    fn spawn(&self, task: Task) {
        // Tokio's handle is not kept: the task tells its nursery itself when it ends.
        drop(self.0.spawn(task));
    }

    fn threads(&self) -> usize {
        let workers = self.0.metrics().num_workers();
        match self.0.runtime_flavor() {
            RuntimeFlavor::CurrentThread => workers,
            // `block_in_place` puts another thread in the place of the only worker.
            _ => workers.max(2),
        }
    }
}

impl SpawnBlocking for OnTokio {
    fn spawn_blocking(&self, job: Job) {
        drop(self.0.spawn_blocking(job));
    }
}

impl Timer for OnTokio {
    fn now(&self) -> Instant {
        // The paused clock of tokio's tests, where that is on.
        let _context = self.0.enter();
        tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let _context = self.0.enter();
        Box::pin(tokio::time::sleep_until(at.into()))
    }
}
