//! All tasks that a pool still has, so that a shutdown can find those that only a waker, or
//! nothing at all, knows of.
//!
//! A worker adds and removes mostly in a shard of its own; all other threads share the first.
//!
//! # Invariants
//!
//! 1. A closed shard takes no task: what `add` has accepted, `close` returns or `remove` removes.
//! 2. Once closed, a shard stays closed and empty.
//!
//! # Lock order
//!
//! One shard at a time; a cell is made and cloned under its lock, never polled or dropped.

use super::cell::{Cell, Key};
use allhome_rt::Task;
use parking_lot::Mutex;
use slab::Slab;
use std::sync::Arc;

pub(super) struct Registry {
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    cells: Slab<Arc<Cell>>,
    closed: bool,
}

impl Registry {
    /// Makes a registry for that many workers.
    pub(super) fn new(workers: usize) -> Registry {
        Registry { shards: (0..=workers).map(|_| Mutex::default()).collect() }
    }

    /// Adds the task that `make` makes a cell of, or gives it back if the registry is closed.
    pub(super) fn add(
        &self,
        worker: Option<usize>,
        task: Task,
        make: impl FnOnce(Task, Key) -> Cell,
    ) -> Result<Arc<Cell>, Task> {
        let shard = worker.map_or(0, |index| index + 1);
        let mut shard_state = self.shards[shard].lock();
        if shard_state.closed {
            drop(shard_state);
            return Err(task);
        }
        let entry = shard_state.cells.vacant_entry();
        let cell = Arc::new(make(task, Key { shard, index: entry.key() }));
        entry.insert(Arc::clone(&cell));
        Ok(cell)
    }

    /// Removes a task. Finds nothing if the registry was closed meanwhile (invariant 2).
    pub(super) fn remove(&self, key: Key) -> Option<Arc<Cell>> {
        self.shards[key.shard].lock().cells.try_remove(key.index)
    }

    /// Closes every shard and returns all that was in them.
    pub(super) fn close(&self) -> Vec<Arc<Cell>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.closed = true;
            let mut cells = std::mem::take(&mut shard.cells);
            all.extend(cells.drain());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared::Shared;
    use crate::current::PoolId;
    use allhome_rt::Task;
    use std::sync::Arc;

    /// A pool without threads: the test does their work.
    fn pool() -> Arc<Shared> {
        Arc::new(Shared::new(PoolId::next(), 1))
    }

    fn live(pool: &Shared) -> usize {
        pool.registry().shards.iter().map(|shard| shard.lock().cells.len()).sum()
    }

    #[test]
    fn spawn_then_run_to_the_end_then_nothing_is_left() {
        let pool = pool();
        pool.spawn(Task::from_future(async {}));
        pool.spawn(Task::from_future(async { panic!("a task's panic") }));
        pool.spawn(Task::from_future(std::future::pending()));
        assert_eq!(live(&pool), 3);
        while let Ok(entry) = pool.injector().pop() {
            entry.run(&pool);
        }
        assert_eq!(live(&pool), 1, "the one that waits");
        pool.close();
        pool.sweep();
    }

    #[test]
    fn close_then_add_gives_the_task_back() {
        let pool = pool();
        assert!(pool.registry().close().is_empty());
        let task = Task::from_future(async {});
        let added = pool.registry().add(None, task, |_, _| unreachable!("the shard is closed"));
        assert!(added.is_err());
    }

    #[test]
    fn sweep_then_late_push_then_the_pools_memory_is_freed() {
        let pool = pool();
        pool.spawn(Task::from_future(std::future::pending()));
        // A wake that has changed the state, and whose push comes after the sweep.
        let late = pool.injector().pop().unwrap();
        pool.close();
        pool.sweep();
        pool.enqueue(late);
        let memory = Arc::downgrade(&pool);
        drop(pool);
        assert!(memory.upgrade().is_none());
    }
}
