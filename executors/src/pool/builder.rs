//! The settings of a pool, and how it starts.

use super::ThreadPool;
use std::io;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

const DEFAULT_NAME: &str = "allhome";

/// Enough for jobs that mostly wait for a disk, few enough that their stacks are no burden.
const DEFAULT_BLOCKING_LIMIT: usize = 64;

const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Sets up a [`ThreadPool`]; made by [`ThreadPool::builder`].
///
/// # Examples
///
/// ```
/// use allhome_executors::ThreadPool;
/// use allhome_rt::{Spawn, Task};
///
/// let pool = ThreadPool::builder().threads(1).name("io").build()?;
/// let (tx, rx) = std::sync::mpsc::channel();
/// pool.spawn(Task::from_future(async move {
///     tx.send(std::thread::current().name().map(String::from)).unwrap();
/// }));
/// assert_eq!(rx.recv().unwrap().as_deref(), Some("io-0"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "nothing is started until `build` is called"]
#[derive(Debug, Clone)]
pub struct ThreadPoolBuilder {
    pub(super) threads: Option<usize>,
    pub(super) name: String,
    pub(super) blocking_limit: usize,
    pub(super) blocking_keep_alive: Duration,
}

impl ThreadPoolBuilder {
    pub(super) fn new() -> ThreadPoolBuilder {
        ThreadPoolBuilder {
            threads: None,
            name: DEFAULT_NAME.to_owned(),
            blocking_limit: DEFAULT_BLOCKING_LIMIT,
            blocking_keep_alive: DEFAULT_KEEP_ALIVE,
        }
    }

    /// Sets the number of worker threads. Without this call it is what the system can run in
    /// parallel, or 1 if the system does not say.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = allhome_executors::ThreadPool::builder().threads(3).build()?;
    /// assert_eq!(pool.threads(), 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> ThreadPoolBuilder {
        self.threads = Some(threads);
        self
    }

    /// Sets the first part of the threads' names: `name-0`, `name-timer`, `name-blocking-0`. The
    /// default is `allhome`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = allhome_executors::ThreadPool::builder().threads(1).name("web").build()?;
    /// assert!(format!("{pool:?}").contains("web"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> ThreadPoolBuilder {
        self.name = name.into();
        self
    }

    /// Sets how many blocking jobs run at once; more wait in a queue, first in, first out. The
    /// default is 64. The threads start as they are needed.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::ThreadPool;
    /// use allhome_rt::SpawnBlocking;
    ///
    /// let pool = ThreadPool::builder().threads(1).blocking_limit(1).build()?;
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// for number in 0..3 {
    ///     let tx = tx.clone();
    ///     pool.spawn_blocking(Box::new(move || tx.send(number).unwrap()));
    /// }
    /// drop(tx);
    /// assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn blocking_limit(mut self, limit: usize) -> ThreadPoolBuilder {
        self.blocking_limit = limit;
        self
    }

    /// Sets how long a blocking thread waits for another job before it ends. The default is five
    /// seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = allhome_executors::ThreadPool::builder().threads(1);
    /// let pool = builder.blocking_keep_alive(Duration::from_millis(100)).build()?;
    /// assert_eq!(pool.threads(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn blocking_keep_alive(mut self, keep_alive: Duration) -> ThreadPoolBuilder {
        self.blocking_keep_alive = keep_alive;
        self
    }

    /// Starts the worker threads.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the number of threads or of blocking threads is zero, or
    /// the name contains a null byte. Otherwise the system's error if it cannot start a thread. The
    /// threads that were started before the error have ended when this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = allhome_executors::ThreadPool::builder().threads(0).build().unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    /// ```
    pub fn build(self) -> io::Result<ThreadPool> {
        let threads = self.threads.unwrap_or_else(parallelism);
        let problem = if threads == 0 {
            "a thread pool needs at least one thread: nothing would ever poll its tasks"
        } else if self.blocking_limit == 0 {
            "a thread pool needs at least one blocking thread: no blocking job would ever run"
        } else if self.name.contains('\0') {
            "the name of a thread pool must not contain a null byte"
        } else {
            return ThreadPool::start(&self, threads);
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}

fn parallelism() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}
