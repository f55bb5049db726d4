//! What a task's waker is: how to find the task, and never the task.
//!
//! It is tempting to use a ready-made task allocation instead. But there the future can be
//! reached through the queue entry only: a wake that another thread has begun and not finished
//! keeps it out of a shutdown's reach, and a future that panics in its destructor aborts the
//! process. Here the shards have every task, and every drop is contained. The price is the lock of
//! a shard round each wake, which is held for a few moves.
//!
//! # Invariants
//!
//! 1. A cell stays in its shard. It is given to another task only when nobody else has its waker,
//!    so no old waker wakes a new task. Whoever has the waker finds the slot with the cell's key
//!    and looks whether it is this cell's: after the task's end it is another's, or nobody's.
//! 2. So dropping a waker, even the last one, drops no future.
//!
//! # Memory ordering
//!
//! `key` is written while nobody else has the waker, and read through a waker. Relaxed is enough:
//! whatever gave away the waker orders the two.

use super::shared::Shared;
use crate::sole::has_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

pub(super) struct Cell {
    pool: Arc<Shared>,
    shard: usize,
    key: AtomicUsize,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) shard: usize,
    pub(super) key: usize,
}

/// A cell and its waker, which is made once.
pub(super) struct Seat {
    pub(super) waker: Waker,
    pub(super) cell: Arc<Cell>,
}

impl Seat {
    pub(super) fn new(pool: &Arc<Shared>, shard: usize) -> Seat {
        let cell = Arc::new(Cell { pool: Arc::clone(pool), shard, key: AtomicUsize::new(0) });
        Seat { waker: Waker::from(Arc::clone(&cell)), cell }
    }

    /// Tells whether nobody else has the waker.
    pub(super) fn is_free(&self) -> bool {
        // This one and the waker's.
        has_all(&self.cell, 2)
    }
}

impl Cell {
    /// Gives it to the task with that key. Nobody else has its waker (invariant 1).
    pub(super) fn assign(&self, key: usize) {
        self.key.store(key, Ordering::Relaxed);
    }

    pub(super) fn ticket(&self) -> Ticket {
        Ticket { shard: self.shard, key: self.key.load(Ordering::Relaxed) }
    }
}

impl Wake for Cell {
    fn wake(self: Arc<Self>) {
        self.pool.wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.pool.wake(self);
    }
}
