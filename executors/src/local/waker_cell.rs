//! A task's waker, and what it needs to find the task again.
//!
//! The waker may go to any thread, the task may not. So the waker has the task's place in the
//! executor's list, and never the task.
//!
//! | flag     | set by                                        | cleared by                            |
//! |----------|-----------------------------------------------|---------------------------------------|
//! | `queued` | the owner thread: a spawn, a wake, an arrival | the owner thread, just before a poll  |
//! | `sent`   | other threads: a wake                         | the owner thread, when the wake comes |
//!
//! # Invariants
//!
//! 1. `queued` is read and written on the owner thread only: loads and stores, no
//!    read-modify-write. The task's key is in the ready queue if and only if it is set, or the task
//!    is gone.
//! 2. A key is of one task: numbers are never used again. Code that finds another number in its
//!    place, or no entry, leaves it alone.
//! 3. A waker cell is given to another task only when no other waker exists; so no old waker wakes
//!    a new task.
//!
//! # Memory ordering
//!
//! `sent` is swapped with AcqRel on both sides: what a waker's caller wrote before the wake is seen
//! by the poll that follows its arrival, also if the wake found the flag set. The rest is Relaxed:
//! one thread writes it, and others see it through whatever gave them the waker.

use super::inbox::Inbox;
use super::scheduler;
use crate::unique::is_unique;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Where a task is, as long as the number there is the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TaskKey {
    pub(super) key: usize,
    pub(super) number: u64,
}

/// A task's waker, as its executor has it.
pub(super) struct WakerCell {
    pub(super) waker: Waker,
    cell: Arc<Cell>,
}

struct Cell {
    queued: AtomicBool,
    sent: AtomicBool,
    key: AtomicUsize,
    number: AtomicU64,
    inbox: Arc<Inbox>,
}

impl WakerCell {
    pub(super) fn new(inbox: &Arc<Inbox>) -> WakerCell {
        let cell = Arc::new(Cell {
            queued: AtomicBool::new(false),
            sent: AtomicBool::new(false),
            key: AtomicUsize::new(0),
            number: AtomicU64::new(0),
            inbox: Arc::clone(inbox),
        });
        WakerCell { waker: Waker::from(Arc::clone(&cell)), cell }
    }

    /// Returns `true` if no other waker exists.
    pub(super) fn is_free(&self) -> bool {
        // This one and the waker's.
        is_unique(&self.cell, 2)
    }

    /// Gives the waker cell to a task, which the caller queues. No other waker exists (invariant
    /// 3).
    pub(super) fn assign(&self, task_key: TaskKey) {
        self.cell.key.store(task_key.key, Ordering::Relaxed);
        self.cell.number.store(task_key.number, Ordering::Relaxed);
        self.cell.sent.store(false, Ordering::Relaxed);
    }

    /// Scheduler only. Returns `false` if the task is queued already; otherwise the caller queues
    /// it.
    pub(super) fn enqueue(&self) -> bool {
        self.cell.enqueue()
    }

    /// Scheduler only: the task is out of the queue and is going to be polled.
    pub(super) fn dequeue(&self) {
        self.cell.queued.store(false, Ordering::Relaxed);
    }

    /// Scheduler only: a wake from another thread has arrived.
    pub(super) fn receive(&self) {
        self.cell.sent.swap(false, Ordering::AcqRel);
    }
}

impl Cell {
    fn enqueue(&self) -> bool {
        let is_news = !self.queued.load(Ordering::Relaxed);
        if is_news {
            self.queued.store(true, Ordering::Relaxed);
        }
        is_news
    }

    fn task_key(&self) -> TaskKey {
        let number = self.number.load(Ordering::Relaxed);
        TaskKey { key: self.key.load(Ordering::Relaxed), number }
    }
}

impl Wake for Cell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let woken = scheduler::here(self.inbox.id(), |scheduler| {
            if self.enqueue() {
                scheduler.push(self.task_key());
            }
        });
        if woken.is_none() && !self.sent.swap(true, Ordering::AcqRel) {
            self.inbox.wake(self.task_key());
        }
    }
}
