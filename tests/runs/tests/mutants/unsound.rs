//! What it takes unsafe code to do wrong: to poll on another thread what is not `Send`, and to poll
//! a task twice at a time. An executor that has unsafe code of its own may do either, so there are
//! rules against it, and each rule must be seen to fail.
//!
//! None of it is undefined behaviour *here*:
//!
//! # Invariants
//!
//! 1. A thread that lends a value to another waits until that thread has ended. So there is no
//!    access to it at the same time from two threads, which `Send` exists to prevent. Values
//!    that depend on their thread in another way (a guard of a lock, a thread-local) are in no
//!    rule.
//! 2. A [`Twin`] has the same `Arc` as its task, uncounted. It is polled only while its task is
//!    polled or waits, both of which have the `Arc` counted; it is never dropped; and at most one
//!    of the two ever becomes ready, which is when a task lets go of its `Arc`. If that was the
//!    twin, the task is forgotten.
//! 3. The last half of 2 is a promise of the work: it is ready once, and it is polled on two
//!    threads at once by `&self`. The work of `Task::from_future` does not keep it, so an executor
//!    with twins is examined by rule R21 alone, whose own work does.

use allhome_rt::Task;
use std::mem::{ManuallyDrop, forget};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

/// A value that goes to another thread.
struct Lent<T>(T);

// SAFETY: invariant 1.
unsafe impl<T> Send for Lent<T> {}

impl<T> Lent<T> {
    fn value(self) -> T {
        self.0
    }
}

/// Calls this on another thread, and waits for it.
pub(crate) fn elsewhere<T>(f: impl FnOnce() -> T) -> T {
    let f = Lent(f);
    let call = move || Lent(catch_unwind(AssertUnwindSafe(f.value())));
    let called = thread::scope(|scope| scope.spawn(call).join());
    called.expect("panics are caught").value().unwrap_or_else(|panic| resume_unwind(panic))
}

/// A task once more.
pub(crate) struct Twin {
    task: ManuallyDrop<Task>,
    ready: bool,
}

impl Twin {
    /// Makes a twin.
    ///
    /// # Safety
    ///
    /// Invariants 2 and 3: the task is given to [`part`](Twin::part) when it was polled, or is
    /// spent before the twin; its work is ready once.
    pub(crate) unsafe fn of(task: &Task) -> Twin {
        // SAFETY: the pointer is that of a reference. The copy is never dropped: invariant 2.
        let task = unsafe { std::ptr::read(task) };
        Twin { task: ManuallyDrop::new(task), ready: false }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        if !self.ready {
            self.ready = matches!(Pin::new(&mut *self.task).poll(cx), Poll::Ready(()));
        }
    }

    /// Ends the twin, after the poll of its task: gives that back, unless it is over.
    pub(crate) fn part(self, task: Task) -> Option<Task> {
        if self.ready {
            forget(task);
            return None;
        }
        Some(task)
    }
}
