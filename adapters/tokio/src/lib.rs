//! Runs [allhome](https://docs.rs/allhome)'s nurseries on tokio.
//!
//! [`Tokio`] stands for the runtime that the caller is in, [`Tokio::on`] for a given one. Children
//! are tasks of that runtime: multi-thread and current-thread alike. [`Tokio::local`] is a
//! [`LocalSet`], for tasks that stay on their thread.
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
    BoxSleep, IntoRuntime, Job, LocalTask, NoRuntime, Runtime, Spawn, SpawnBlocking, SpawnLocal,
    Task, Timer,
};
use std::panic::catch_unwind;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::LocalSet;

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

    /// Stands for a local set that the application runs, for tasks that stay on its thread.
    ///
    /// It does not keep the set: when that is dropped, its tasks are, and so is what is spawned from
    /// then on. So a task of the set may have it.
    pub fn local(set: &Rc<LocalSet>) -> TokioLocal {
        TokioLocal(Rc::downgrade(set))
    }
}

impl IntoRuntime for Tokio {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        match Handle::try_current() {
            Ok(handle) => TokioHandle(handle).into_runtime(),
            Err(error) if error.is_thread_local_destroyed() => Err(gone()),
            Err(_) => Err(NoRuntime::new(
                "the caller is not inside a tokio runtime: name one with Tokio::on",
            )),
        }
    }
}

fn gone() -> NoRuntime {
    NoRuntime::new(
        "tokio cannot be used in the destructor of this thread-local value: the thread's tokio \
         context has been destroyed before it; open the nursery earlier",
    )
}

/// A given tokio runtime; made by [`Tokio::on`].
#[derive(Debug, Clone)]
pub struct TokioHandle(Handle);

impl IntoRuntime for TokioHandle {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        let TokioHandle(handle) = self;
        if Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed()) {
            return Err(gone());
        }
        let has_timer = has_timer(&handle);
        let runtime = Runtime::builder("tokio", OnTokio(handle.clone()));
        let runtime = runtime.blocking(OnTokio(handle.clone()));
        let runtime = if has_timer { runtime.timer(OnTokio(handle)) } else { runtime };
        Ok(runtime.build())
    }
}

/// A local set, for tasks that stay on the thread that runs it; made by [`Tokio::local`].
///
/// Its tasks run while the set does: inside [`LocalSet::block_on`], or while
/// [`LocalSet::run_until`] or the set itself is awaited. What is spawned into it waits until then.
///
/// # Examples
///
/// ```
/// use allhome_rt::{LocalTask, SpawnLocal};
/// use allhome_tokio::Tokio;
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use tokio::task::LocalSet;
///
/// let (set, done) = (Rc::new(LocalSet::new()), Rc::new(Cell::new(false)));
/// let (local, seen) = (Tokio::local(&set), done.clone());
/// local.spawn_local(LocalTask::from_future(async move { seen.set(true) }));
///
/// let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// set.block_on(&tokio, tokio::task::yield_now());
/// assert!(done.get());
///
/// drop(set);
/// let seen = done.clone();
/// local.spawn_local(LocalTask::from_future(async move { seen.set(false) }));
/// assert_eq!((done.get(), Rc::strong_count(&done)), (true, 1), "dropped with all that it owned");
/// ```
#[derive(Debug, Clone)]
pub struct TokioLocal(Weak<LocalSet>);

impl SpawnLocal for TokioLocal {
    /// Takes the task, or drops it if the set is gone.
    fn spawn_local(&self, task: LocalTask) {
        match self.0.upgrade() {
            Some(set) => drop(set.spawn_local(task)),
            None => drop(task),
        }
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
