//! The reference executor: the whole of an executor in one file, for reading.
//!
//! A task's states and its waker are `async-task`'s, the queue is `concurrent-queue`'s, and a worker
//! sleeps in `event-listener`. What is left is what an executor owes a nursery: the owner of each
//! task, and the end of everything.
//!
//! # A task
//!
//! A [`Runnable`] is the right to poll a task, and there is at most one of each. The executor has a
//! *handle* of each task: a dropped handle cancels the task.
//!
//! | state   | its `Runnable` is          | a wake               | the shutdown drops the handle      |
//! |---------|----------------------------|----------------------|------------------------------------|
//! | queued  | in the queue, or to be put there by a waker | does nothing | a worker drops the future and does not poll it |
//! | polled  | a worker's                 | queues it after the poll | the worker drops the future after the poll |
//! | waiting | not there                  | queues it            | queues it, and a worker drops the future |
//! | ended   | not there                  | does nothing         | does nothing                       |
//!
//! # Invariants
//!
//! 1. `live` has an entry for each future that has not been dropped. The entry is made before the
//!    first `Runnable`, and goes after the future's destructor. So `live` is empty when the last
//!    task is destroyed, wherever it is: also that of a waker which has changed the task's state
//!    and has not put it into the queue yet.
//! 2. When `closed` is set, no entry is made any more, and all handles are dropped. So each task
//!    comes to the queue once more, is not polled, and is dropped by a worker.
//! 3. A worker ends when `closed` is set and `live` is empty, and not before. So the queue is empty
//!    then, and stays so: no `Runnable` is ever dropped without having run.
//! 4. A worker listens before it looks for the last time, and a change comes before its
//!    notification. So a worker that sleeps has missed none.
//! 5. No panic gets to `async-task`, which would end the process for one in a destructor: a
//!    [`Member`] contains those of its task's poll, which end the task, and of its destructor.
//!
//! # Lock order
//!
//! There are two locks, and none is taken under the other. The user's code runs, and `async-task` is
//! called with a `Runnable` or a handle, after `tasks` is released. `workers` is held while they are
//! joined; a worker never takes it.

use crate::current::{self, PoolId, Role};
use crate::guarded::{Foreign, Guarded};
use crate::panics::contain;
use allhome_rt::{IntoRuntime, NoRuntime, Runtime, Spawn, Task};
use async_task::Runnable;
use concurrent_queue::ConcurrentQueue;
use event_listener::{Event, Listener, listener};
use slab::Slab;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

/// Runs tasks on a fixed number of threads, and is as short as an executor can be that keeps every
/// rule of the conformance suite.
///
/// It has neither a timer nor threads for blocking work. It ends when it is dropped: see
/// [`shutdown`](ReferenceExecutor::shutdown). Its [`Runtime`]s do not keep it.
///
/// # `ReferenceExecutor` or `ThreadPool`?
///
/// Read this one, and use a [`ThreadPool`](crate::ThreadPool): that one is faster, and a nursery on
/// it has deadlines and blocking work.
///
/// # Examples
///
/// ```
/// use allhome_executors::ReferenceExecutor;
/// use allhome_rt::{IntoRuntime, Task};
///
/// let executor = ReferenceExecutor::new(2)?;
/// let (tx, rx) = std::sync::mpsc::channel();
/// executor.into_runtime()?.spawn(Task::from_future(async move { tx.send(7).unwrap() }));
/// assert_eq!(rx.recv(), Ok(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReferenceExecutor {
    spawner: Spawner,
    workers: Guarded<Vec<JoinHandle<()>>>,
}

impl ReferenceExecutor {
    /// Starts an executor with that many threads; 0 counts as 1.
    ///
    /// # Errors
    ///
    /// The system's, if it cannot start a thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::ReferenceExecutor;
    ///
    /// use allhome_rt::IntoRuntime;
    ///
    /// let executor = ReferenceExecutor::new(2)?;
    /// assert_eq!(executor.into_runtime().map(|runtime| runtime.threads()).ok(), Some(2));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(threads: usize) -> io::Result<ReferenceExecutor> {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            id: PoolId::next(),
            threads,
            queue: ConcurrentQueue::unbounded(),
            changed: Event::new(),
            tasks: Guarded::default(),
        });
        // An error drops it, which ends the workers that were started before.
        let executor = ReferenceExecutor { spawner: Spawner(shared), workers: Guarded::default() };
        for index in 0..threads {
            let shared = Arc::clone(&executor.spawner.0);
            let named = thread::Builder::new().name(format!("reference-{index}"));
            executor.workers.lock().push(named.spawn(move || shared.work(index))?);
        }
        Ok(executor)
    }

    /// Ends the executor: drops every task, and waits until its threads have ended.
    ///
    /// Destructors may spawn, wake and call `shutdown` meanwhile. A task that is spawned from then
    /// on is dropped unpolled. A second call does nothing.
    ///
    /// On one of the executor's own threads, the call waits for nothing: the threads drop the tasks
    /// when the present polls have returned, and end.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::ReferenceExecutor;
    /// use allhome_rt::{IntoRuntime, Task};
    /// use std::sync::Arc;
    ///
    /// let executor = ReferenceExecutor::new(1)?;
    /// let held = Arc::new(());
    /// let by_task = Arc::clone(&held);
    /// executor.into_runtime()?.spawn(Task::from_future(async move {
    ///     std::future::pending::<()>().await;
    ///     drop(by_task);
    /// }));
    /// executor.shutdown();
    /// assert_eq!(Arc::strong_count(&held), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self) {
        let shared = &self.spawner.0;
        let handles: Vec<_> = shared.tasks.locked(|tasks| {
            tasks.closed = true;
            tasks.live.iter_mut().filter_map(|(_, handle)| handle.take()).collect()
        });
        drop(handles);
        // There may have been none.
        shared.changed.notify(usize::MAX);
        if !current::belongs_to(shared.id) {
            // They contain every panic, so there is none to report.
            self.workers.lock().drain(..).for_each(|worker| drop(worker.join()));
        }
    }
}

impl Drop for ReferenceExecutor {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl fmt::Debug for ReferenceExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceExecutor").finish_non_exhaustive()
    }
}

impl IntoRuntime for &ReferenceExecutor {
    /// Makes a runtime that does not keep the executor.
    fn into_runtime(self) -> Result<Runtime, NoRuntime> {
        Ok(Runtime::new("reference", self.spawner.clone()))
    }
}

#[derive(Clone)]
struct Spawner(Arc<Shared>);

/// What the workers, the tasks and the spawners share.
struct Shared {
    id: PoolId,
    threads: usize,
    queue: ConcurrentQueue<Runnable>,
    /// There is one more in the queue, or all is over.
    changed: Event,
    tasks: Guarded<Tasks>,
}

#[derive(Default)]
struct Tasks {
    closed: bool,
    /// Their handles, until the shutdown takes them.
    live: Slab<Option<async_task::Task<()>>>,
}

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        let task = Foreign::new(task);
        let [shared, queues] = [&self.0, &self.0].map(Arc::clone);
        let added = self.0.tasks.locked(|tasks| {
            if tasks.closed {
                return Err(task);
            }
            let entry = tasks.live.vacant_entry();
            let member = Member { task: Some(task), key: entry.key(), shared };
            let (first, handle) = async_task::spawn(member, move |next| queues.push(next));
            entry.insert(Some(handle));
            Ok(first)
        });
        match added {
            Ok(first) => self.0.push(first),
            Err(refused) => refused.discard(),
        }
    }

    fn threads(&self) -> usize {
        self.0.threads
    }
}

impl Shared {
    fn push(&self, runnable: Runnable) {
        // It has no limit and is never closed: the result has nothing in it.
        let _ = self.queue.push(runnable);
        // Additional: the worker that an earlier push notified has that one's task to poll.
        self.changed.notify_additional(1);
    }

    fn work(&self, index: usize) {
        current::enter(self.id, Role::Worker(index));
        while let Some(runnable) = self.queue.pop().ok().or_else(|| self.wait_for_next()) {
            // Polls the task; or drops it, if it is cancelled.
            runnable.run();
        }
    }

    /// Returns `None` if there will never be a next (invariant 3).
    fn wait_for_next(&self) -> Option<Runnable> {
        loop {
            listener!(self.changed => listener);
            match self.queue.pop() {
                Ok(runnable) => return Some(runnable),
                Err(_) if self.tasks.locked(|tasks| tasks.is_over()) => return None,
                Err(_) => listener.wait(),
            }
        }
    }
}

impl Tasks {
    fn is_over(&self) -> bool {
        self.closed && self.live.is_empty()
    }
}

/// A task as `async-task` has it: with an entry of its own, and without panics.
struct Member {
    task: Option<Foreign<Task>>,
    key: usize,
    shared: Arc<Shared>,
}

impl Future for Member {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(task) = &mut self.task else { return Poll::Ready(()) };
        contain(|| Pin::new(&mut **task).poll(cx)).unwrap_or(Poll::Ready(()))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // First: the entry stands for it (invariant 1).
        self.task.take().into_iter().for_each(Foreign::discard);
        let leave = |tasks: &mut Tasks| (tasks.live.remove(self.key), tasks.is_over());
        let (handle, is_over) = self.shared.tasks.locked(leave);
        // A drop would cancel the task, which is over.
        handle.into_iter().for_each(async_task::Task::detach);
        if is_over {
            self.shared.changed.notify(usize::MAX);
        }
    }
}
