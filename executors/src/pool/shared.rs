//! What the workers, the tasks and the handles of a pool share: queues, registry, sleepers.
//!
//! A worker has a bounded queue of its own, for what its tasks spawn and wake; everything else,
//! and what does not fit, goes into the injector. All are first in, first out.
//!
//! # Invariants
//!
//! 1. `ending` is set before any queue or shard is closed, and never cleared.
//! 2. A queue holds entries, not futures: one that is dropped, or refused by a closed queue,
//!    loses nothing, because the registry has the task (cell, invariant 2).
//! 3. A closed queue takes no entry. So nothing is left in a queue for ever, which would keep
//!    this memory alive through its own tasks.
//! 4. Nothing here refers to a handle. A task or a `Runtime` that is kept does not keep a pool
//!    running.

use super::cell::Cell;
use super::idle::Idle;
use super::registry::Registry;
use crate::current::{self, PoolId};
use crate::panics::contain;
use allhome_rt::{Spawn, Task};
use concurrent_queue::ConcurrentQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most entries in a worker's own queue.
const LOCAL_CAPACITY: usize = 256;

pub(super) type Entry = Arc<Cell>;

pub(super) struct Shared {
    id: PoolId,
    injector: ConcurrentQueue<Entry>,
    locals: Box<[ConcurrentQueue<Entry>]>,
    idle: Idle,
    registry: Registry,
    ending: AtomicBool,
}

impl Shared {
    pub(super) fn new(id: PoolId, workers: usize) -> Shared {
        Shared {
            id,
            injector: ConcurrentQueue::unbounded(),
            locals: (0..workers).map(|_| ConcurrentQueue::bounded(LOCAL_CAPACITY)).collect(),
            idle: Idle::new(workers),
            registry: Registry::new(workers),
            ending: AtomicBool::new(false),
        }
    }

    pub(super) fn id(&self) -> PoolId {
        self.id
    }

    pub(super) fn workers(&self) -> usize {
        self.locals.len()
    }

    pub(super) fn injector(&self) -> &ConcurrentQueue<Entry> {
        &self.injector
    }

    pub(super) fn local(&self, index: usize) -> &ConcurrentQueue<Entry> {
        &self.locals[index]
    }

    pub(super) fn idle(&self) -> &Idle {
        &self.idle
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    pub(super) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.locals.iter().any(|queue| !queue.is_empty())
    }

    /// Takes a new task, or drops it if the pool is ending.
    pub(super) fn spawn(self: &Arc<Self>, task: Task) {
        match self.register(task) {
            Ok(cell) => self.enqueue(cell),
            Err(task) => {
                contain(|| drop(task));
            }
        }
    }

    fn register(self: &Arc<Self>, task: Task) -> Result<Entry, Task> {
        // The registry closes later, when the workers have ended. A task that slips in between is
        // dropped then.
        if self.is_ending() {
            return Err(task);
        }
        let worker = current::worker_of(self.id);
        self.registry.add(worker, task, |task, key| Cell::new(task, Arc::clone(self), key))
    }

    /// Queues a task that was spawned or woken, and wakes a worker for it.
    pub(super) fn enqueue(&self, entry: Entry) {
        self.push(entry);
        self.idle.notify();
    }

    /// Queues a task that was woken during its poll, on the worker that has just polled it.
    pub(super) fn requeue(&self, entry: Entry) {
        // Nobody is woken: this worker goes on to its queue at once.
        self.push(entry);
    }

    /// Puts an entry into the current worker's queue, or into the injector.
    pub(super) fn push(&self, entry: Entry) {
        let entry = match current::worker_of(self.id) {
            None => entry,
            Some(index) => match self.locals[index].push(entry) {
                Ok(()) => return,
                Err(refused) => refused.into_inner(),
            },
        };
        // Refused only at the end of the pool: by invariant 2 the entry can go.
        drop(self.injector.push(entry));
    }

    /// Stops taking and polling tasks, and tells every worker.
    pub(super) fn close(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.injector.close();
        for queue in &self.locals {
            queue.close();
        }
        self.idle.wake_all();
    }

    /// Drops every task that is not being polled at this moment, and every queue entry.
    ///
    /// A task that is being polled is dropped by its worker after the poll (cell, invariant 3).
    pub(super) fn sweep(&self) {
        debug_assert!(self.is_ending());
        // No lock is held from here on: destructors may wake and spawn.
        for cell in self.registry.close() {
            cell.abandon();
        }
        for queue in self.locals.iter().chain([&self.injector]) {
            while queue.pop().is_ok() {}
        }
    }
}

/// Spawns without being a handle: what a `Runtime` made of a borrowed pool holds.
pub(super) struct Spawner(pub(super) Arc<Shared>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }
}
