//! The local executor: one thread, which runs tasks while it waits for a future.
//!
//! # Invariants
//!
//! 1. Only the owner keeps the tasks: a [`LocalExecutor`]. Spawners, handles, wakers and sleeps do
//!    not.
//! 2. The owner cannot leave its thread, nor can the state that has its tasks; so `scheduler.rs`
//!    needs no lock, and tasks are polled and dropped here.

mod inbox;
mod scheduler;
mod waker_cell;

use crate::blocking::Blocking;
use crate::current::{self, PoolId};
use crate::guarded::Foreign;
use crate::timer::Driver;
use allhome_rt::Instant;
use allhome_rt::{
    BoxSleep, IntoLocalRuntime, IntoRuntime, Job, LocalRuntime, LocalTask, NoRuntime, Runtime,
    Spawn, SpawnBlocking, SpawnLocal, Task, Timer,
};
use inbox::Inbox;
use scheduler::{AnyTask, Ran, Scheduler};
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

const NAME: &str = "local";

const BLOCKING_LIMIT: usize = 64;

const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Runs tasks on one thread, including those that are not `Send`, while it waits for a future
/// there.
///
/// Tasks run inside [`run`](LocalExecutor::run), and nowhere else. It implements [`SpawnLocal`].
/// Its [`handle`](LocalExecutor::handle) may go to other threads, and nurseries are opened on it.
/// Sleeps and blocking jobs have threads of their own, which start when they are needed.
///
/// # How it ends
///
/// [`shutdown`](LocalExecutor::shutdown), or a drop, ends the executor: every task is dropped,
/// once, on this thread.
///
/// # `LocalExecutor` or `ThreadPool`?
///
/// A [`ThreadPool`](crate::ThreadPool) uses several cores, and goes on while the caller does
/// something else. A `LocalExecutor` is cheaper: a wake on its own thread is no read-modify-write,
/// a spawn allocates only the future once the executor is warm, and tasks may hold an `Rc`.
///
/// # Fairness
///
/// First come, first served, including the future of `run`: tasks that wake themselves for ever
/// delay neither other tasks nor the wakes of other threads.
///
/// # Examples
///
/// ```
/// use allhome_executors::LocalExecutor;
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// let executor = LocalExecutor::new();
/// let log = Rc::new(RefCell::new(Vec::new()));
/// for number in 0..3 {
///     let log = log.clone();
///     executor.spawn_future(async move { log.borrow_mut().push(number) });
/// }
/// let mut turns = 0;
/// executor.run(std::future::poll_fn(|cx| {
///     turns += 1;
///     cx.waker().wake_by_ref();
///     if turns == 2 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
/// }));
/// assert_eq!(*log.borrow(), [0, 1, 2]);
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail,E0277
/// let executor = allhome_executors::LocalExecutor::new();
/// std::thread::spawn(move || executor.run(async {}));
/// ```
pub struct LocalExecutor {
    scheduler: Rc<Scheduler>,
    handle: LocalHandle,
    runtime: Runtime,
    running: Cell<bool>,
}

/// Spawns tasks on a [`LocalExecutor`], from its own thread; made by
/// [`LocalExecutor::spawner`]. It does not keep the executor.
#[derive(Clone)]
pub struct LocalSpawner {
    scheduler: Weak<Scheduler>,
}

/// Spawns tasks that are `Send` on a [`LocalExecutor`], from any thread; made by
/// [`LocalExecutor::handle`]. It does not keep the executor.
#[derive(Clone)]
pub struct LocalHandle {
    inbox: Arc<Inbox>,
    timer: Driver,
    blocking: Blocking,
}

impl LocalSpawner {
    /// Spawns a future that need not be `Send`, or drops it if the executor has ended.
    pub fn spawn_future(&self, future: impl Future<Output = ()> + 'static) {
        self.spawn(AnyTask::Future(Box::pin(future)));
    }

    fn spawn(&self, task: AnyTask) {
        let task = Foreign::new(task);
        let refused = match self.scheduler.upgrade() {
            Some(scheduler) => scheduler.spawn(task),
            None => Some(task),
        };
        refused.into_iter().for_each(Foreign::discard);
    }
}

impl LocalExecutor {
    /// Makes an executor on the current thread.
    pub fn new() -> LocalExecutor {
        let id = PoolId::next();
        let scheduler = Scheduler::new(id);
        let handle = LocalHandle {
            inbox: Arc::clone(&scheduler.inbox),
            timer: Driver::new(id, NAME),
            blocking: Blocking::new(id, NAME, BLOCKING_LIMIT, KEEP_ALIVE),
        };
        let runtime = Runtime::builder(NAME, handle.clone())
            .timer(handle.timer.clone())
            .blocking(handle.blocking.clone())
            .build();
        LocalExecutor { scheduler, handle, runtime, running: Cell::new(false) }
    }

    /// Returns a spawner for use inside tasks.
    pub fn spawner(&self) -> LocalSpawner {
        LocalSpawner { scheduler: Rc::downgrade(&self.scheduler) }
    }

    /// Returns a spawner for use on other threads.
    pub fn handle(&self) -> LocalHandle {
        self.handle.clone()
    }

    fn spawn_kind(&self, task: AnyTask) {
        self.scheduler.spawn(Foreign::new(task)).into_iter().for_each(Foreign::discard);
    }

    /// Spawns a future that need not be `Send`: one allocation, for the future.
    pub fn spawn_future(&self, future: impl Future<Output = ()> + 'static) {
        self.spawn_kind(AnyTask::Future(Box::pin(future)));
    }

    /// Returns the number of tasks, without those that other threads have sent and that have not
    /// arrived.
    pub fn tasks(&self) -> usize {
        self.scheduler.len()
    }

    /// Runs a future and the tasks until the future is ready. The thread sleeps while there is
    /// nothing to poll.
    ///
    /// The future need neither be `Send` nor `'static`; it is dropped before `run` returns. Tasks
    /// that are not done by then wait for the next `run`.
    ///
    /// # Panics
    ///
    /// A panic of the future reaches the caller; the executor stays usable. `run` panics if it is
    /// called inside one of the executor's own tasks, or in the future: it would poll tasks inside
    /// polls. It also panics where [`block_on`](crate::block_on()) does.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut total = 1;
    /// assert_eq!(allhome_executors::LocalExecutor::new().run(async { total += 1; total }), 2);
    /// ```
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        assert!(
            !self.running.replace(true),
            "LocalExecutor::run was called inside itself: it would poll tasks inside of polls; \
             spawn the future, or await it"
        );
        let _running = Running(&self.running);
        current::assert_may_hold("LocalExecutor::run");
        let _entered = self.scheduler.enter();
        // Before the future, so that it goes after the future is dropped.
        let root = self.scheduler.root_cell();
        let mut future = pin!(future);
        let mut cx = Context::from_waker(&root.waker);
        loop {
            match self.scheduler.run_next() {
                Ran::Root => {
                    root.dequeue();
                    root.receive();
                    if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                        return output;
                    }
                }
                Ran::Task => {}
                Ran::Nothing => self.scheduler.inbox.sleep(),
            }
        }
    }

    /// Ends the executor: drops every task on this thread and ends the timer, whose pending sleeps
    /// then never end. Blocking jobs that have not begun are dropped, and the call waits for the
    /// others. From then on only the future of `run` is polled.
    ///
    /// Destructors may spawn, wake and call `shutdown` meanwhile; their panics are contained. If a
    /// task calls `shutdown`, it is dropped after its poll. A second call does nothing.
    pub fn shutdown(&self) {
        self.scheduler.close();
        self.handle.timer.stop(true);
        self.handle.blocking.stop(true);
    }
}

struct Running<'a>(&'a Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Default for LocalExecutor {
    fn default() -> LocalExecutor {
        LocalExecutor::new()
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl SpawnLocal for LocalExecutor {
    fn spawn_local(&self, task: LocalTask) {
        self.spawn_kind(AnyTask::Local(task));
    }
}

impl SpawnLocal for LocalSpawner {
    /// Takes the task, or drops it if the executor has ended.
    fn spawn_local(&self, task: LocalTask) {
        self.spawn(AnyTask::Local(task));
    }
}

impl Spawn for LocalHandle {
    fn spawn(&self, task: Task) {
        let mut task = Some(task);
        let here = scheduler::here(self.inbox.id(), |scheduler| {
            task.take().and_then(|task| scheduler.spawn(Foreign::new(AnyTask::Any(task))))
        });
        here.flatten().into_iter().for_each(Foreign::discard);
        let sent = task.and_then(|task| self.inbox.spawn(Foreign::new(task)));
        sent.into_iter().for_each(Foreign::discard);
    }

    fn threads(&self) -> usize {
        1
    }
}

impl SpawnBlocking for LocalHandle {
    fn spawn_blocking(&self, job: Job) {
        self.blocking.spawn_blocking(job);
    }
}

impl Timer for LocalHandle {
    fn sleep_until(&self, at: Instant) -> BoxSleep {
        self.timer.sleep_until(at)
    }
}

impl IntoRuntime for &LocalExecutor {
    /// Clones the executor's runtime, which does not keep it.
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Ok(self.runtime.clone())
    }
}

impl IntoLocalRuntime for &LocalExecutor {
    /// Makes one that does not keep the executor.
    fn into_local_runtime(self) -> LocalRuntime {
        LocalRuntime::new(self, Rc::new(self.spawner()))
    }
}

impl fmt::Debug for LocalExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalExecutor").field("tasks", &self.tasks()).finish_non_exhaustive()
    }
}

impl fmt::Debug for LocalSpawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSpawner").finish_non_exhaustive()
    }
}

impl fmt::Debug for LocalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalHandle").finish_non_exhaustive()
    }
}
