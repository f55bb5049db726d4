//! Runs [allhome](https://docs.rs/allhome)'s nurseries on tokio.
//!
//! [`Tokio`] stands for the runtime that the caller is in, [`Tokio::on`] for a given one. Children
//! run in tasks of that runtime: multi-thread and current-thread alike. [`Tokio::local`] is a
//! [`LocalSet`], for tasks that stay on their thread.
//!
//! # Tasks and children
//!
//! Children that wait share tasks of tokio's, so that a child costs no more than its future and 64
//! bytes. A child can see this in [`tokio::task::id`]: siblings have the same id, and it may change
//! from one poll to the next. A tool that lists tasks, such as tokio's console, does not list
//! children. [`Tokio::task_per_child`] gives each child a task of its own.
//!
//! Tokio's budget of 128 units of work in a poll of a task ([`tokio::task::coop`]) is not shared:
//! each poll of a child begins with 127 units, whatever its siblings have used. (The adapter takes
//! one unit to restore the others.)
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

mod clock;

use allhome_rt::{
    BoxSleep, Instant, IntoLocalRuntime, IntoRuntime, Job, LocalRuntime, LocalTask, NoRuntime,
    Runtime, RuntimeSource, Spawn, SpawnBlocking, SpawnLocal, Task, Timer,
};
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{LocalSet, coop};

/// The tokio runtime that the caller is in, as [`Handle::current`] finds it; or a given one, by
/// [`Tokio::on`].
///
/// It has tokio's blocking pool and tokio's timer, also where its clock is paused. On a runtime that
/// was built without [`enable_time`](tokio::runtime::Builder::enable_time), nurseries run, and what
/// asks for a sleep gets tokio's own panic, which says what to do: a `sleep`, or a nursery that is
/// opened with a deadline or a grace. Tokio has no call that says if there is a timer, so
/// none is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokio;

impl Tokio {
    /// Names a given runtime, from inside or outside of it.
    pub fn on(handle: &Handle) -> TokioHandle {
        TokioHandle(handle.clone())
    }

    /// Names the runtime that the caller is in, with a tokio task for each child.
    ///
    /// Then [`tokio::task::id`] is the child's own and stays the same, and tools that look at
    /// tokio's tasks see children. It costs a task for each child: about what `tokio::spawn` costs,
    /// in time and in memory. Without it, a child that never waits shares a task and one that waits
    /// has none.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_rt::IntoRuntime;
    /// use allhome_tokio::Tokio;
    ///
    /// let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// let runtime = Tokio::on(tokio.handle()).task_per_child().into_runtime().unwrap();
    /// assert!(runtime.task_per_child());
    ///
    /// let inside = tokio.block_on(async { Tokio.task_per_child().into_runtime() });
    /// assert!(inside.unwrap().task_per_child());
    /// ```
    pub fn task_per_child(self) -> TokioTaskPerChild {
        TokioTaskPerChild(None)
    }

    /// Names a local set that the application runs, for tasks that stay on its thread.
    ///
    /// It does not keep the set alive, so a task of the set may hold it. When the set is dropped,
    /// its tasks are dropped, and every task that is spawned after that.
    pub fn local(set: &Rc<LocalSet>) -> TokioLocal {
        TokioLocal(Rc::downgrade(set))
    }
}

impl IntoRuntime for Tokio {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        runtime(current()?, false)
    }

    /// Looks later: where the nursery is awaited for the first time.
    fn source(self) -> RuntimeSource {
        RuntimeSource::Later(|| Tokio.into_runtime())
    }
}

fn current() -> Result<Handle, NoRuntime> {
    Handle::try_current().map_err(|error| {
        if error.is_thread_local_destroyed() {
            return gone();
        }
        NoRuntime::new("the caller is not inside a tokio runtime: name one with Tokio::on")
    })
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

impl TokioHandle {
    /// Names the same runtime, with a tokio task for each child; see [`Tokio::task_per_child`].
    pub fn task_per_child(self) -> TokioTaskPerChild {
        TokioTaskPerChild(Some(self.0))
    }
}

impl IntoRuntime for TokioHandle {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        runtime(self.0, false)
    }
}

/// A tokio runtime on which each child has a task of its own; made by [`Tokio::task_per_child`] and
/// [`TokioHandle::task_per_child`].
#[derive(Debug, Clone)]
pub struct TokioTaskPerChild(Option<Handle>);

impl IntoRuntime for TokioTaskPerChild {
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        let handle = self.0.map_or_else(current, Ok)?;
        runtime(handle, true)
    }

    /// Looks later, as [`Tokio`] does, unless the runtime was given.
    fn source(self) -> RuntimeSource {
        match self.0 {
            Some(_) => RuntimeSource::Now(self.into_runtime()),
            None => RuntimeSource::Later(|| Tokio.task_per_child().into_runtime()),
        }
    }
}

fn runtime(handle: Handle, task_per_child: bool) -> Result<Runtime, NoRuntime> {
    if Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed()) {
        return Err(gone());
    }
    let on = OnTokio { handle, task_per_child };
    Ok(Runtime::builder("tokio", on.clone()).blocking(on.clone()).timer(on).build())
}

/// A local set, for tasks that stay on the thread that runs it; made by [`Tokio::local`].
///
/// Its tasks run while the set does: inside [`LocalSet::block_on`], or while
/// [`LocalSet::run_until`] or the set itself is awaited. A task that is spawned into it waits until
/// then.
///
/// # Examples
///
/// ```
/// use allhome_rt::{LocalTask, SpawnLocal};
/// use allhome_tokio::Tokio;
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use tokio::task::{LocalSet, coop};
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

impl IntoLocalRuntime for TokioLocal {
    /// The runtime beside the set is the one that the caller is in, looked for when it is needed.
    fn into_local_runtime(self) -> LocalRuntime {
        LocalRuntime::new(Tokio, Rc::new(self))
    }
}

#[derive(Clone)]
struct OnTokio {
    handle: Handle,
    /// Whether each child has a task of its own.
    task_per_child: bool,
}

impl Spawn for OnTokio {
    fn spawn(&self, task: Task) {
        // Tokio's handle is not kept: the task itself notifies its nursery when it ends.
        drop(self.handle.spawn(task));
    }

    fn threads(&self) -> usize {
        let workers = self.handle.metrics().num_workers();
        match self.handle.runtime_flavor() {
            RuntimeFlavor::CurrentThread => workers,
            // `block_in_place` puts another thread in the place of the only worker.
            _ => workers.max(2),
        }
    }

    fn task_per_child(&self) -> bool {
        self.task_per_child
    }

    fn has_budget(&self) -> bool {
        coop::has_budget_remaining()
    }

    fn with_budget(&self, poll: &mut dyn FnMut()) -> bool {
        // Tokio shows only whether the budget is used up, and sets it only to a former value: a
        // unit that was taken and not used restores the budget from before.
        let before = coop::poll_proceed(&mut Context::from_waker(Waker::noop()));
        poll();
        let left = coop::has_budget_remaining();
        drop(before);
        left
    }
}

impl SpawnBlocking for OnTokio {
    fn spawn_blocking(&self, job: Job) {
        drop(self.handle.spawn_blocking(job));
    }
}

impl OnTokio {
    /// Calls `f` in the runtime's context, where tokio's timer and the paused clock of tokio's tests
    /// are found.
    ///
    /// The caller is there already, as a rule: to see that is half of what it costs to enter it.
    fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        let is_inside = Handle::try_current().is_ok_and(|here| here.id() == self.handle.id());
        let _context = (!is_inside).then(|| self.handle.enter());
        f()
    }
}

impl Timer for OnTokio {
    fn now(&self) -> Instant {
        if !clock::CAN_BE_PAUSED {
            return Instant::now();
        }
        self.inside(|| tokio::time::Instant::now().into_std())
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        self.inside(|| Box::pin(tokio::time::sleep_until(at.into())) as BoxSleep)
    }

    fn sleep_after(&self, duration: Duration) -> Option<(Instant, BoxSleep)> {
        self.inside(|| {
            let at = tokio::time::Instant::now().checked_add(duration)?;
            Some((at.into_std(), Box::pin(tokio::time::sleep_until(at)) as BoxSleep))
        })
    }
}
