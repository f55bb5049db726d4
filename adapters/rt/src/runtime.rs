//! The handle that bundles what a runtime can do.

use crate::lent::{lent_blocking, lent_timer};
use crate::{Job, Spawn, SpawnBlocking, Task, Timer};
use std::fmt;
use std::sync::Arc;

/// A runtime: a name and its capabilities, behind one pointer. Cloning costs one increment.
///
/// Adapters and executors convert into it through [`IntoRuntime`]. For a runtime of your own, call
/// [`Runtime::new`] or, if it has more than [`Spawn`], [`Runtime::builder`]. What it lacks of
/// a timer and a blocking pool, it is [lent](crate#what-is-lent).
///
/// # Examples
///
/// ```
/// use allhome_rt::{Runtime, Spawn, Task};
///
/// struct Discard;
/// impl Spawn for Discard {
///     fn spawn(&self, task: Task) { drop(task) }
/// }
///
/// let runtime = Runtime::new("discard", Discard);
/// assert_eq!(runtime.name(), "discard");
/// // It cannot tell the time, so it is lent a timer that can.
/// assert!(runtime.timer().now() <= runtime.timer().now());
/// ```
#[derive(Clone)]
pub struct Runtime {
    parts: Arc<Parts>,
}

struct Parts {
    name: &'static str,
    threads: usize,
    task_per_child: bool,
    spawn: Box<dyn Spawn>,
    timer: Arc<dyn Timer>,
    blocking: Box<dyn SpawnBlocking>,
}

impl Runtime {
    /// Makes a runtime of what can only spawn.
    pub fn new(name: &'static str, spawn: impl Spawn + 'static) -> Runtime {
        Runtime::builder(name, spawn).build()
    }

    /// Starts a builder, which can add more capabilities.
    pub fn builder(name: &'static str, spawn: impl Spawn + 'static) -> RuntimeBuilder {
        let threads = spawn.threads().max(1);
        let task_per_child = spawn.task_per_child();
        let spawn = Box::new(spawn);
        let (timer, blocking) = (lent_timer().clone(), lent_blocking());
        RuntimeBuilder { parts: Parts { name, threads, task_per_child, spawn, timer, blocking } }
    }

    /// Returns the name that error messages and dumps use.
    pub fn name(&self) -> &'static str {
        self.parts.name
    }

    /// Returns how many tasks it can poll at once; at least 1.
    pub fn threads(&self) -> usize {
        self.parts.threads
    }

    /// Returns `true` if every child gets a task of its own, from its first poll.
    pub fn task_per_child(&self) -> bool {
        self.parts.task_per_child
    }

    /// Returns the timer: the runtime's own, or the one that it is [lent](crate#what-is-lent).
    pub fn timer(&self) -> &Arc<dyn Timer> {
        &self.parts.timer
    }

    /// Returns the blocking pool: the runtime's own, or the one that it is
    /// [lent](crate#what-is-lent).
    pub fn blocking(&self) -> &dyn SpawnBlocking {
        &*self.parts.blocking
    }

    /// Hands a task to the runtime.
    pub fn spawn(&self, task: Task) {
        self.parts.spawn.spawn(task);
    }

    /// Returns `true` if the task that this thread is polling has budget left in this poll; see
    /// [`Spawn::has_budget`].
    pub fn has_budget(&self) -> bool {
        self.parts.spawn.has_budget()
    }

    /// Calls `poll` with the budget that a poll of a task begins with. Returns `false` if `poll`
    /// has used it up; see [`Spawn::with_budget`].
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_rt::{Runtime, Spawn, Task};
    ///
    /// /// It knows no budgets.
    /// struct Discard;
    /// impl Spawn for Discard {
    ///     fn spawn(&self, task: Task) { drop(task) }
    /// }
    ///
    /// let (runtime, mut polls) = (Runtime::new("discard", Discard), 0);
    /// assert!(runtime.with_budget(&mut || polls += 1), "some is left");
    /// assert_eq!(polls, 1);
    /// ```
    pub fn with_budget(&self, poll: &mut dyn FnMut()) -> bool {
        self.parts.spawn.with_budget(poll)
    }

    /// Hands a job to the [blocking pool](Runtime::blocking).
    pub fn spawn_blocking(&self, job: Job) {
        self.parts.blocking.spawn_blocking(job);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("name", &self.parts.name).finish_non_exhaustive()
    }
}

/// Adds capabilities to a [`Runtime`]; made by [`Runtime::builder`].
#[must_use = "nothing is made until `build` is called"]
pub struct RuntimeBuilder {
    parts: Parts,
}

impl RuntimeBuilder {
    /// Adds a timer, in place of the one that is lent.
    pub fn timer(mut self, timer: impl Timer + 'static) -> RuntimeBuilder {
        self.parts.timer = Arc::new(timer);
        self
    }

    /// Adds a blocking pool, in place of the one that is lent.
    pub fn blocking(mut self, blocking: impl SpawnBlocking + 'static) -> RuntimeBuilder {
        self.parts.blocking = Box::new(blocking);
        self
    }

    /// Makes the runtime.
    pub fn build(self) -> Runtime {
        Runtime { parts: Arc::new(self.parts) }
    }
}

impl fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder").field("name", &self.parts.name).finish_non_exhaustive()
    }
}

/// A place to open a nursery on: a [`Runtime`], or a value that finds one.
///
/// `Tokio`, for example, stands for the tokio runtime whose context the caller is in, and there may
/// be none.
pub trait IntoRuntime {
    /// Returns the runtime.
    ///
    /// # Errors
    ///
    /// [`NoRuntime`] if the value names a runtime that does not exist.
    fn into_runtime(self) -> Result<Runtime, NoRuntime>;

    /// Returns the runtime, or how to look for it when it is needed. The default looks now.
    ///
    /// A value that names the runtime around its user returns [`RuntimeSource::Later`]: a nursery
    /// that is built in one place and awaited in another is opened where it is awaited.
    fn source(self) -> RuntimeSource
    where
        Self: Sized,
    {
        RuntimeSource::Now(self.into_runtime())
    }
}

/// A runtime, or how to look for it: what [`IntoRuntime::source`] returns.
///
/// # Examples
///
/// ```
/// use allhome_rt::{IntoRuntime, NoRuntime, Runtime, RuntimeSource};
///
/// /// Stands for the runtime around its user; here there is none.
/// struct Around;
/// impl IntoRuntime for Around {
///     fn into_runtime(self) -> Result<Runtime, NoRuntime> {
///         Err(NoRuntime::new("no runtime is around: name one"))
///     }
///     fn source(self) -> RuntimeSource {
///         RuntimeSource::Later(|| Around.into_runtime())
///     }
/// }
///
/// let later = Around.source();
/// assert_eq!(later.find().unwrap_err().to_string(), "no runtime is around: name one");
/// ```
#[derive(Debug, Clone)]
pub enum RuntimeSource {
    /// It was looked for.
    Now(Result<Runtime, NoRuntime>),
    /// It is looked for by this function when it is needed.
    Later(fn() -> Result<Runtime, NoRuntime>),
}

impl RuntimeSource {
    /// Returns the runtime; looks for it if that was not done.
    ///
    /// # Errors
    ///
    /// [`NoRuntime`] if there is none.
    pub fn find(self) -> Result<Runtime, NoRuntime> {
        match self {
            RuntimeSource::Now(found) => found,
            RuntimeSource::Later(find) => find(),
        }
    }
}

impl IntoRuntime for Runtime {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Ok(self)
    }
}

impl IntoRuntime for &Runtime {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Ok(self.clone())
    }
}

/// The error of [`IntoRuntime`]: there is no such runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRuntime {
    message: &'static str,
}

impl NoRuntime {
    /// Makes the error. The message says what was looked for and what to do: lower case, no full
    /// stop.
    pub const fn new(message: &'static str) -> NoRuntime {
        NoRuntime { message }
    }
}

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for NoRuntime {}
