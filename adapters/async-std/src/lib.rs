//! Runs [allhome](https://docs.rs/allhome)'s nurseries on async-std.
//!
//! async-std has one runtime a process, which starts with its first task; [`AsyncStd`] names it.
//! Its authors recommend smol instead: this adapter is for programs that still use async-std.
//!
//! # Examples
//!
//! ```
//! use allhome_async_std::AsyncStd;
//! use allhome_rt::{IntoRuntime, Task};
//!
//! let runtime = AsyncStd.into_runtime().unwrap();
//! let (tx, rx) = async_std::channel::bounded(1);
//! runtime.spawn(Task::from_future(async move { tx.send(7).await.unwrap() }));
//! assert_eq!(async_std::task::block_on(rx.recv()), Ok(7));
//! ```

#![forbid(unsafe_code)]

use allhome_rt::{
    BoxSleep, Instant, IntoLocalRuntime, IntoRuntime, Job, LocalRuntime, LocalTask, NoRuntime,
    Runtime, Spawn, SpawnBlocking, SpawnLocal, Task, Timer,
};
use async_std::task;
use std::num::NonZero;
use std::rc::Rc;
use std::time::Duration;

/// async-std's runtime, with its timer and its blocking pool.
///
/// Tasks that are [spawned locally](SpawnLocal) run while their thread is in
/// [`block_on`](async_std::task::block_on).
///
/// # Examples
///
/// ```
/// use allhome_async_std::AsyncStd;
/// use allhome_rt::{LocalTask, SpawnLocal};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// let done = Rc::new(Cell::new(false));
/// let seen = done.clone();
/// async_std::task::block_on(async {
///     AsyncStd.spawn_local(LocalTask::from_future(async move { seen.set(true) }));
///     while !done.get() {
///         async_std::task::yield_now().await;
///     }
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AsyncStd;

impl IntoRuntime for AsyncStd {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Ok(Runtime::builder("async-std", self).timer(Reactor).blocking(self).build())
    }
}

impl Spawn for AsyncStd {
    fn spawn(&self, task: Task) {
        // async-std's handle is not kept: the task itself notifies its nursery when it ends.
        drop(task::spawn(task));
    }

    fn threads(&self) -> usize {
        // async-std itself reads it in the same way when it starts its threads.
        let asked = std::env::var("ASYNC_STD_THREAD_COUNT").ok();
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        asked.and_then(|threads| threads.parse().ok()).unwrap_or_else(cores)
    }
}

impl SpawnBlocking for AsyncStd {
    fn spawn_blocking(&self, job: Job) {
        drop(task::spawn_blocking(job));
    }
}

impl SpawnLocal for AsyncStd {
    fn spawn_local(&self, task: LocalTask) {
        drop(task::spawn_local(task));
    }
}

impl IntoLocalRuntime for AsyncStd {
    fn into_local_runtime(self) -> LocalRuntime {
        LocalRuntime::new(self, Rc::new(self))
    }
}

struct Reactor;

impl Timer for Reactor {
    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(async move {
            // async-std counts from the first poll of a sleep, and takes only durations.
            loop {
                match at.saturating_duration_since(Instant::now()) {
                    Duration::ZERO => return,
                    left => task::sleep(left).await,
                }
            }
        })
    }
}
