//! The future that the core hands to a runtime.
//!
//! A task is a pointer to the [`Work`] it does and one word that the work may use as it likes,
//! its [`TaskData`]. It is 24 bytes, so that a runtime's own cell round it stays in its smallest size
//! class (tokio's: 128 bytes), and making one allocates nothing.
//!
//! # Invariants
//!
//! 1. `work` is `Some` until the work returns `Ready`; then the task is spent, and polling or
//!    dropping it does nothing.
//! 2. [`Work::discard`] is called exactly once for a task that is dropped before that, and never
//!    otherwise.
//! 3. A task reaches the work of another only through its own data, which is never shared.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::AtomicPtr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// What a runtime runs: a future of output `()` that never panics.
///
/// It is `Send`, `Unpin` and `'static`, so an adapter's `spawn` calls the runtime's own spawn
/// function with it. [`Spawn`](crate::Spawn) has the contract.
///
/// # Cancel safety
///
/// Dropping a task before it is ready ends the work it runs: a nursery's child becomes `Lost`.
#[must_use = "a task that is dropped counts as lost in its nursery"]
pub struct Task {
    work: Option<Arc<dyn Work>>,
    data: TaskData,
}

/// The work of a [`Task`]. The core implements it; a runtime never calls it directly.
pub trait Work: Send + Sync {
    /// Continues the work.
    fn poll(&self, data: &mut TaskData, cx: &mut Context<'_>) -> Poll<()>;

    /// Ends the work: the task was dropped before it was ready. Must not panic.
    fn discard(&self, data: &mut TaskData);

    /// Returns what a report calls the task, if it has a name.
    fn label(&self, data: &mut TaskData) -> Option<String> {
        let _ = data;
        None
    }
}

/// One word that belongs to the [`Work`] of one task: a pointer that only the work reads.
#[derive(Default)]
pub struct TaskData(AtomicPtr<()>);

impl TaskData {
    /// Makes data that is a pointer.
    pub const fn new(value: *mut ()) -> TaskData {
        TaskData(AtomicPtr::new(value))
    }

    /// Returns the pointer.
    pub fn get(&mut self) -> *mut () {
        *self.0.get_mut()
    }

    /// Replaces the pointer.
    pub fn set(&mut self, value: *mut ()) {
        *self.0.get_mut() = value;
    }

    /// Returns the pointer and leaves null in its place.
    pub fn take(&mut self) -> *mut () {
        std::mem::replace(self.0.get_mut(), ptr::null_mut())
    }
}

impl Task {
    /// Makes a task from its work and its first data.
    pub fn new(work: Arc<dyn Work>, data: TaskData) -> Task {
        Task { work: Some(work), data }
    }

    /// Returns what a report of the runtime's calls the task: the name of a nursery's child, or
    /// where it was spawned. `None` for a task that several children share.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut task = allhome_rt::Task::from_future(async {});
    /// assert_eq!(task.label(), None);
    /// ```
    pub fn label(&mut self) -> Option<String> {
        let Task { work, data } = self;
        work.as_ref()?.label(data)
    }

    /// Makes a task from any future, boxed. The core does not use it; tests of executors do.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_rt::Task;
    /// use std::{future::Future, pin::Pin, task::{Context, Waker}};
    ///
    /// let mut task = Task::from_future(async {});
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(Pin::new(&mut task).poll(&mut cx).is_ready());
    /// assert!(Pin::new(&mut task).poll(&mut cx).is_ready(), "a spent task stays ready");
    /// ```
    pub fn from_future(future: impl Future<Output = ()> + Send + 'static) -> Task {
        let boxed: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(future);
        Task::new(Arc::new(Mutex::new(Some(boxed))), TaskData::default())
    }
}

impl Work for Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>> {
    fn poll(&self, _: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        // Locked once for all of it: one thread polls a task at a time, so this never waits.
        let mut place = self.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out while it is polled: a panic then drops it here and finds an empty place later.
        let Some(mut future) = place.take() else { return Poll::Ready(()) };
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            *place = Some(future);
        }
        poll
    }

    fn discard(&self, _: &mut TaskData) {
        let future = self.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(future);
    }
}

/// The `!Send` twin of [`Task`].
#[must_use = "a task that is dropped counts as lost in its nursery"]
pub struct LocalTask {
    work: Option<Rc<dyn LocalWork>>,
    data: TaskData,
}

/// The work of a [`LocalTask`]: the `!Send` twin of [`Work`].
pub trait LocalWork {
    /// Continues the work.
    fn poll(&self, data: &mut TaskData, cx: &mut Context<'_>) -> Poll<()>;

    /// Ends the work: the task was dropped before it was ready. Must not panic.
    fn discard(&self, data: &mut TaskData);

    /// Returns what a report calls the task, if it has a name.
    fn label(&self, data: &mut TaskData) -> Option<String> {
        let _ = data;
        None
    }
}

impl LocalTask {
    /// Makes a task from its work and its first data.
    pub fn new(work: Rc<dyn LocalWork>, data: TaskData) -> LocalTask {
        LocalTask { work: Some(work), data }
    }

    /// Returns what a report of the runtime's calls the task, as [`Task::label`] does.
    pub fn label(&mut self) -> Option<String> {
        let LocalTask { work, data } = self;
        work.as_ref()?.label(data)
    }

    /// Makes a task from any future, boxed.
    pub fn from_future(future: impl Future<Output = ()> + 'static) -> LocalTask {
        let boxed: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
        LocalTask::new(Rc::new(RefCell::new(Some(boxed))), TaskData::default())
    }
}

impl LocalWork for RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>> {
    fn poll(&self, _: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut future) = self.take() else { return Poll::Ready(()) };
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            self.replace(Some(future));
        }
        poll
    }

    fn discard(&self, _: &mut TaskData) {
        drop(self.take());
    }
}

/// What both kinds of task have in common: invariants 1 and 2.
macro_rules! task {
    ($task:ident) => {
        impl Future for $task {
            type Output = ();

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
                let task = &mut *self;
                let Some(work) = &task.work else { return Poll::Ready(()) };
                let poll = work.poll(&mut task.data, cx);
                if poll.is_ready() {
                    task.work = None;
                }
                poll
            }
        }

        impl Drop for $task {
            fn drop(&mut self) {
                if let Some(work) = self.work.take() {
                    work.discard(&mut self.data);
                }
            }
        }

        impl fmt::Debug for $task {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($task)).field("spent", &self.work.is_none()).finish()
            }
        }
    };
}

task!(Task);
task!(LocalTask);
