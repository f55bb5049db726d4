//! The thread pool: the handle, and how a pool starts and ends.
//!
//! # Invariants
//!
//! 1. Only handles own a pool: a [`ThreadPool`], and a [`Runtime`] made of one by value. Threads,
//!    tasks, wakers, sleeps and all other runtimes do not keep it running.
//! 2. Every step of a shutdown can be repeated, and can run in several threads at once: each
//!    takes what it ends out of a locked place first.
//!
//! # Lock order
//!
//! The lock of the worker handles is held while they are joined, and is never taken on a thread
//! of the pool.

mod builder;
mod cell;
mod contents;
mod idle;
mod shard;
mod shared;
mod task_slot;
mod worker;

pub use builder::ThreadPoolBuilder;

use crate::blocking::Blocking;
use crate::current::{self, PoolId};
use crate::timer::Driver;
use allhome_rt::Instant;
use allhome_rt::{
    BoxSleep, IntoRuntime, Job, NoRuntime, Runtime, Spawn, SpawnBlocking, Task, Timer,
};
use parking_lot::Mutex;
use shared::{Shared, Spawner};
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use worker::Worker;

/// The name that the runtimes of all pools have.
const RUNTIME_NAME: &str = "pool";

/// A fixed number of threads that run tasks, with a timer and threads for blocking jobs.
///
/// A `ThreadPool` is a cheap handle: clones name the same pool. It implements [`Spawn`],
/// [`SpawnBlocking`] and [`Timer`], and nurseries can be opened on it.
///
/// # How a pool ends
///
/// A pool ends with [`shutdown`](ThreadPool::shutdown), or, in the same way, when its last handle
/// is dropped. These are handles:
///
/// | value                                      | keeps the pool running |
/// |--------------------------------------------|------------------------|
/// | a `ThreadPool`                             | yes                    |
/// | a [`Runtime`] made by value, of `pool`     | yes: it has the handle |
/// | a [`Runtime`] made by reference, of `&pool`| no                     |
/// | a task, a waker, a sleep                   | no                     |
///
/// So as a rule, open nurseries on `&pool`. It is also cheaper, since its runtime is made once and
/// cloned. A task that itself holds a handle and never ends keeps its own pool running: give it a
/// runtime made by reference.
///
/// # `ThreadPool` or `block_on`?
///
/// [`block_on`](crate::block_on) runs one future on the calling thread; the pool runs any number of
/// tasks on its own. A program often uses both: its main thread waits in `block_on` for the pool's
/// tasks.
///
/// # Fairness
///
/// Tasks that wake themselves for ever do not keep others from running, even if there are more of
/// them than threads. A task that does not return from its poll keeps its thread.
///
/// # Examples
///
/// ```
/// use allhome_executors::ThreadPool;
/// use allhome_rt::{Spawn, Task};
///
/// let pool = ThreadPool::new(2)?;
/// let (tx, rx) = std::sync::mpsc::channel();
/// for number in 0..3 {
///     let tx = tx.clone();
///     pool.spawn(Task::from_future(async move { tx.send(number).unwrap() }));
/// }
/// drop(tx);
/// assert_eq!(rx.iter().sum::<i32>(), 3);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct ThreadPool {
    owner: Arc<Owner>,
}

struct Owner {
    name: String,
    shared: Arc<Shared>,
    timer: Driver,
    blocking: Blocking,
    /// Made by reference: it does not own the pool (invariant 1).
    runtime: Runtime,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl ThreadPool {
    /// Starts a pool with that many worker threads and otherwise the settings of
    /// [`builder`](ThreadPool::builder).
    ///
    /// # Errors
    ///
    /// Those of [`ThreadPoolBuilder::build`]; a pool of 0 threads is
    /// [`io::ErrorKind::InvalidInput`].
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::ThreadPool;
    ///
    /// assert_eq!(ThreadPool::new(2)?.threads(), 2);
    /// assert_eq!(ThreadPool::new(0).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(threads: usize) -> io::Result<ThreadPool> {
        ThreadPool::builder().threads(threads).build()
    }

    /// Begins to set up a pool.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::ThreadPool;
    ///
    /// let pool = ThreadPool::builder().threads(1).name("io").blocking_limit(8).build()?;
    /// assert_eq!(pool.threads(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }

    /// Returns the pool that the whole process shares. The first call starts it, with as many
    /// threads as the system can run in parallel.
    ///
    /// It never ends by itself. After a [`shutdown`](ThreadPool::shutdown) it remains, and drops
    /// every task that it is given.
    ///
    /// # Panics
    ///
    /// Panics if the system cannot start its threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::ThreadPool;
    /// use allhome_rt::{Spawn, Task};
    ///
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// ThreadPool::global().spawn(Task::from_future(async move { tx.send(7).unwrap() }));
    /// assert_eq!(rx.recv(), Ok(7));
    /// ```
    pub fn global() -> &'static ThreadPool {
        static GLOBAL: OnceLock<ThreadPool> = OnceLock::new();
        GLOBAL.get_or_init(|| {
            let started = ThreadPool::builder().build();
            started.expect("the threads of the global pool must start")
        })
    }

    /// Returns the number of worker threads.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(allhome_executors::ThreadPool::new(2)?.threads(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn threads(&self) -> usize {
        self.owner.shared.workers()
    }

    /// Ends the pool: nothing is polled from then on, and nothing is left over.
    ///
    /// In this order, the call
    ///
    /// 1. stops taking tasks: `spawn` drops them unpolled;
    /// 2. waits for the polls that are going on, and ends the workers;
    /// 3. drops every task, on the calling thread, whether it was queued or waited for a wake;
    /// 4. ends the timer, whose pending sleeps then never end;
    /// 5. drops the blocking jobs that have not begun, waits for those that have, and ends their
    ///    threads.
    ///
    /// Destructors may spawn, wake and call `shutdown` meanwhile; their panics are contained.
    /// Wakers and handles may be used and dropped at any time afterwards and do nothing.
    ///
    /// A second call does nothing. A call that another thread makes at the same time waits for the
    /// threads to end, but may return before the first has dropped the last task.
    ///
    /// # On one of the pool's own threads
    ///
    /// A thread cannot wait for itself, nor for another that may wait for it. So in a task, a
    /// blocking job or a waker that the timer wakes, `shutdown` waits for no thread: it drops all
    /// tasks and jobs that are not running and returns. Tasks that are being polled at that moment,
    /// the caller's among them, are dropped when their polls return, and then the threads end. To
    /// wait for them as well, call it once more from elsewhere. The drop of the last handle does
    /// the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::ThreadPool;
    /// use allhome_rt::{Spawn, Task};
    /// use std::sync::Arc;
    ///
    /// let pool = ThreadPool::new(1)?;
    /// let held = Arc::new(());
    /// let by_task = Arc::clone(&held);
    /// pool.spawn(Task::from_future(async move {
    ///     std::future::pending::<()>().await;
    ///     drop(by_task);
    /// }));
    /// pool.shutdown();
    /// assert_eq!(Arc::strong_count(&held), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self) {
        self.owner.shutdown();
    }

    pub(super) fn start(settings: &ThreadPoolBuilder, threads: usize) -> io::Result<ThreadPool> {
        let id = PoolId::next();
        let name = settings.name.clone();
        let shared = Arc::new(Shared::new(id, threads));
        let timer = Driver::new(id, &name);
        let blocking =
            Blocking::new(id, &name, settings.blocking_limit, settings.blocking_keep_alive);
        let runtime = Runtime::builder(RUNTIME_NAME, Spawner(Arc::clone(&shared)))
            .timer(timer.clone())
            .blocking(blocking.clone())
            .build();
        let workers = Mutex::new(Vec::with_capacity(threads));
        let owner = Arc::new(Owner { name, shared, timer, blocking, runtime, workers });
        // An error drops the owner, which ends the workers that were started before.
        owner.start_workers()?;
        Ok(ThreadPool { owner })
    }
}

impl Owner {
    fn start_workers(&self) -> io::Result<()> {
        let mut workers = self.workers.lock();
        for index in 0..self.shared.workers() {
            let worker = Worker::new(Arc::clone(&self.shared), index);
            let name = format!("{}-{index}", self.name);
            workers.push(thread::Builder::new().name(name).spawn(move || worker.run())?);
        }
        Ok(())
    }

    fn shutdown(&self) {
        let join = !current::belongs_to(self.shared.id());
        self.shared.close();
        if join {
            for worker in self.workers.lock().drain(..) {
                // A worker contains every panic, so there is none to report.
                let _ = worker.join();
            }
        }
        self.shared.sweep();
        self.timer.stop(join);
        self.blocking.stop(join);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("name", &self.owner.name)
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

impl Spawn for ThreadPool {
    fn spawn(&self, task: Task) {
        self.owner.shared.spawn(task);
    }

    fn threads(&self) -> usize {
        self.owner.shared.workers()
    }
}

impl SpawnBlocking for ThreadPool {
    /// Takes the job and calls it on a blocking thread. Drops it after the end of the pool, or if
    /// it would need the first blocking thread and the system cannot start one.
    fn spawn_blocking(&self, job: Job) {
        self.owner.blocking.spawn_blocking(job);
    }
}

impl Timer for ThreadPool {
    fn sleep_until(&self, at: Instant) -> BoxSleep {
        self.owner.timer.sleep_until(at)
    }
}

impl IntoRuntime for ThreadPool {
    /// Moves the handle into a new runtime, which keeps the pool running.
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        let runtime = Runtime::builder(RUNTIME_NAME, self.clone())
            .timer(self.owner.timer.clone())
            .blocking(self.owner.blocking.clone())
            .build();
        Ok(runtime)
    }
}

impl IntoRuntime for &ThreadPool {
    /// Clones the pool's runtime, which does not keep the pool running.
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Ok(self.owner.runtime.clone())
    }
}
