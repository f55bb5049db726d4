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
//! 1. A cell is given to another task only when no waker but the pool's own exists, so no old waker
//!    wakes a new task. A caller of an old waker finds a slot by the cell's key and checks that the
//!    slot has this cell: after the task's end it has another, or there is no slot.
//! 2. So dropping a waker, even the last one, drops no future.
//! 3. `shard` and `key` say where the task's slot is. They are written while no other waker exists,
//!    or with both shards locked: the one that the slot leaves and the one that it enters. So while
//!    a shard's lock is held, a cell that names this shard is right.
//!
//! # Memory ordering
//!
//! Relaxed. Without a lock `shard` is a guess, at which shard to lock; with it, whatever was
//! written under the same lock, or before the waker was given away, is seen.

use super::shared::Shared;
use crate::unique::is_unique;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

pub(super) struct Cell {
    pool: Arc<Shared>,
    shard: AtomicUsize,
    key: AtomicUsize,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TaskKey {
    pub(super) shard: usize,
    pub(super) key: usize,
}

/// A cell and its waker, which is made once.
pub(super) struct WakerCell {
    pub(super) waker: Waker,
    pub(super) cell: Arc<Cell>,
}

impl WakerCell {
    pub(super) fn new(pool: &Arc<Shared>) -> WakerCell {
        let (shard, key) = Default::default();
        let cell = Arc::new(Cell { pool: Arc::clone(pool), shard, key });
        WakerCell { waker: Waker::from(Arc::clone(&cell)), cell }
    }

    /// Returns `true` if no other waker exists.
    pub(super) fn is_free(&self) -> bool {
        // This one and the waker's.
        is_unique(&self.cell, 2)
    }
}

impl Cell {
    /// Notes where its task's slot is (invariant 3).
    pub(super) fn assign(&self, task_key: TaskKey) {
        self.shard.store(task_key.shard, Ordering::Relaxed);
        self.key.store(task_key.key, Ordering::Relaxed);
    }

    /// The shard where its task's slot probably is.
    pub(super) fn shard(&self) -> usize {
        self.shard.load(Ordering::Relaxed)
    }

    /// The key of its task in a shard that is locked, unless it is elsewhere.
    pub(super) fn key_in(&self, shard: usize) -> Option<usize> {
        (self.shard() == shard).then(|| self.key.load(Ordering::Relaxed))
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
