//! Runs [allhome](https://docs.rs/allhome)'s nurseries on smol.
//!
//! [`Smol`] names the executor behind [`smol::spawn`], which starts its own threads; [`Smol::on`]
//! one that the application runs; and [`Smol::local`] a [`LocalExecutor`], for tasks that stay on
//! their thread.
//!
//! # Examples
//!
//! ```
//! use allhome_rt::{IntoRuntime, Task};
//! use allhome_smol::Smol;
//! use std::sync::Arc;
//!
//! let executor = Arc::new(smol::Executor::new());
//! let runtime = Smol::on(&executor).into_runtime().unwrap();
//! let (tx, rx) = smol::channel::bounded(1);
//! runtime.spawn(Task::from_future(async move { tx.send(7).await.unwrap() }));
//! assert_eq!(smol::block_on(executor.run(rx.recv())), Ok(7));
//! ```

#![forbid(unsafe_code)]

use allhome_rt::{
    BoxSleep, Instant, IntoLocalRuntime, IntoRuntime, Job, LocalRuntime, LocalTask, NoRuntime,
    Runtime, Spawn, SpawnBlocking, SpawnLocal, Task, Timer,
};
use smol::{Executor, LocalExecutor};
use std::rc::{self, Rc};
use std::sync::{Arc, Weak};

/// The executor behind [`smol::spawn`]; or a given one, by [`Smol::on`].
///
/// It has smol's timer and smol's blocking pool. The whole process shares both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Smol;

impl Smol {
    /// Names an executor that the application runs on its own threads.
    ///
    /// It does not keep the executor alive. When the executor is dropped, its tasks are dropped,
    /// and every task that is spawned after that. The executor does not know how many threads run
    /// it: say so with [`SmolExecutor::threads`].
    pub fn on(executor: &Arc<Executor<'static>>) -> SmolExecutor {
        SmolExecutor { executor: Arc::downgrade(executor), threads: None }
    }

    /// Names a local executor that the application runs, for tasks that stay on its thread.
    ///
    /// It does not keep the executor alive, so a task of the executor may hold it. When the
    /// executor is dropped, its tasks are dropped, and every task that is spawned after that.
    pub fn local(executor: &Rc<LocalExecutor<'static>>) -> SmolLocal {
        SmolLocal(Rc::downgrade(executor))
    }
}

impl IntoRuntime for Smol {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Ok(bundle(Global))
    }
}

/// A given executor; made by [`Smol::on`].
#[derive(Debug, Clone)]
pub struct SmolExecutor {
    executor: Weak<Executor<'static>>,
    threads: Option<usize>,
}

impl SmolExecutor {
    /// Sets how many threads run the executor. Default: one for each core.
    pub fn threads(self, threads: usize) -> SmolExecutor {
        SmolExecutor { threads: Some(threads), ..self }
    }
}

impl IntoRuntime for SmolExecutor {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Ok(bundle(self))
    }
}

fn bundle(spawn: impl Spawn + 'static) -> Runtime {
    Runtime::builder("smol", spawn).timer(Reactor).blocking(BlockingPool).build()
}

struct Global;

impl Spawn for Global {
    fn spawn(&self, task: Task) {
        // smol's handle is not kept: the task itself notifies its nursery when it ends.
        smol::spawn(task).detach();
    }

    fn threads(&self) -> usize {
        // smol itself reads it in the same way when it starts its threads.
        std::env::var("SMOL_THREADS").ok().and_then(|threads| threads.parse().ok()).unwrap_or(1)
    }
}

impl Spawn for SmolExecutor {
    fn spawn(&self, task: Task) {
        match self.executor.upgrade() {
            Some(executor) => executor.spawn(task).detach(),
            None => drop(task),
        }
    }

    fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(cores)
    }
}

/// A local executor, for tasks that stay on the thread that runs it; made by [`Smol::local`].
///
/// # Examples
///
/// ```
/// use allhome_rt::{LocalTask, SpawnLocal};
/// use allhome_smol::Smol;
/// use smol::LocalExecutor;
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// let (executor, done) = (Rc::new(LocalExecutor::new()), Rc::new(Cell::new(false)));
/// let (local, seen) = (Smol::local(&executor), done.clone());
/// local.spawn_local(LocalTask::from_future(async move { seen.set(true) }));
/// smol::block_on(executor.run(smol::future::yield_now()));
/// assert!(done.get());
///
/// drop(executor);
/// let seen = done.clone();
/// local.spawn_local(LocalTask::from_future(async move { seen.set(false) }));
/// assert_eq!((done.get(), Rc::strong_count(&done)), (true, 1), "dropped with all that it owned");
/// ```
#[derive(Debug, Clone)]
pub struct SmolLocal(rc::Weak<LocalExecutor<'static>>);

impl SpawnLocal for SmolLocal {
    /// Takes the task, or drops it if the executor is gone.
    fn spawn_local(&self, task: LocalTask) {
        match self.0.upgrade() {
            Some(executor) => executor.spawn(task).detach(),
            None => drop(task),
        }
    }
}

impl IntoLocalRuntime for SmolLocal {
    /// The runtime beside the executor is [`Smol`].
    fn into_local_runtime(self) -> LocalRuntime {
        LocalRuntime::new(Smol, Rc::new(self))
    }
}

struct Reactor;

impl Timer for Reactor {
    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let timer = smol::Timer::at(at);
        Box::pin(async move {
            timer.await;
        })
    }
}

struct BlockingPool;

impl SpawnBlocking for BlockingPool {
    fn spawn_blocking(&self, job: Job) {
        smol::unblock(job).detach();
    }
}
