//! What the workers, the wakers and the handles of a pool share: shards and sleepers.
//!
//! # Invariants
//!
//! 1. `ending` is set before any shard is closed, and never cleared.
//! 2. Every task is in a shard, or in the hands of the worker that polls it (shard, invariant 1).
//!    So a shutdown reaches each.
//! 3. Closed shards have no waker cells, whose wakers refer to this memory. So the tasks of a pool
//!    that has ended do not keep it.
//! 4. Nothing here refers to a handle. A task or a `Runtime` that is kept does not keep a pool
//!    running.

use super::cell::Cell;
use super::contents::{Hands, PutBack, QueueItem, Started, TaskInHand, Woken};
use super::idle::Idle;
use super::shard::{AfterTurn, INJECTOR, Shard};
use crate::current::{self, PoolId};
use crate::guarded::Foreign;
use allhome_rt::{Spawn, Task};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most that are taken over at once: more would leave the next thief nothing.
const MOST_AT_ONCE: usize = 32;

pub(super) struct Shared {
    id: PoolId,
    /// The injector, then that of each worker.
    shards: Box<[Shard]>,
    idle: Idle,
    ending: AtomicBool,
}

impl Shared {
    pub(super) fn new(id: PoolId, workers: usize) -> Shared {
        Shared {
            id,
            shards: (0..=workers).map(Shard::new).collect(),
            idle: Idle::new(workers),
            ending: AtomicBool::new(false),
        }
    }

    pub(super) fn id(&self) -> PoolId {
        self.id
    }

    pub(super) fn workers(&self) -> usize {
        self.shards.len() - 1
    }

    pub(super) fn idle(&self) -> &Idle {
        &self.idle
    }

    #[cfg(test)]
    pub(super) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// Looks into every queue, under its lock (idle, invariant 3).
    pub(super) fn has_work(&self) -> bool {
        self.shards.iter().any(Shard::has_work)
    }

    /// The shard whose queue takes what this thread spawns and wakes.
    fn here(&self) -> &Shard {
        &self.shards[self.number_here()]
    }

    fn number_here(&self) -> usize {
        current::worker_of(self.id).map_or(INJECTOR, |index| index + 1)
    }

    /// Takes a new task, or drops it if the pool is ending.
    pub(super) fn spawn(&self, task: Task) {
        // The shards close later, when the workers have ended. A task that slips in between is
        // dropped then.
        let item = QueueItem::New(Foreign::new(task));
        let pushed = if self.is_ending() { Err(item) } else { self.here().push(item) };
        match pushed {
            Ok(()) => self.idle.notify(),
            Err(refused) => refused.discard(),
        }
    }

    /// Queues the task of a cell unless it is queued, or gone, and wakes a worker for it, unless
    /// this one polls it next.
    pub(super) fn wake(&self, cell: &Arc<Cell>) {
        while !self.wake_in(cell.shard(), cell) {}
    }

    /// As [`wake`](Shared::wake), if the cell's slot is in that shard. Returns `false` if it is
    /// not: it has moved meanwhile, and the cell says where to.
    pub(super) fn wake_in(&self, shard: usize, cell: &Arc<Cell>) -> bool {
        let here = self.number_here();
        let woken = if here == shard {
            self.shards[here].wake(cell, true)
        } else if here == INJECTOR {
            self.shards[shard].wake(cell, false)
        } else {
            self.shards[here].wake_from(&self.shards[shard], cell)
        };
        match woken {
            Woken::Elsewhere => return false,
            Woken::Left => {}
            Woken::Queued(task_key) if here == INJECTOR => {
                // Refused only at the end of the pool, where the shard of its slot drops it.
                drop(self.shards[INJECTOR].push(QueueItem::Again(task_key)));
                self.idle.notify();
            }
            Woken::Queued(_) if self.shards[here].length() <= 1 => {
                self.idle.notify_unless_watched();
            }
            Woken::Queued(_) => self.idle.notify(),
        }
        true
    }

    /// A worker's turn in its own shard: puts back the task that was polled, and takes the next.
    /// Returns `true` if there is one in its hands.
    ///
    /// A task that was woken during its poll and is next wakes no other worker: this worker goes on
    /// with it at once.
    pub(super) fn turn(self: &Arc<Self>, own: usize, hands: &mut Hands) -> bool {
        let AfterTurn { next, keeps_waiting } = self.shards[own].turn(hands, self);
        if keeps_waiting {
            self.idle.notify();
        }
        if matches!(next, Started::Nothing) {
            // Empty, unless it was refused.
            hands.take().into_iter().for_each(TaskInHand::discard);
        }
        self.resolve(own, next, hands)
    }

    /// Puts back the task that was polled by the worker with that shard. Returns `true` if the task
    /// stands in its queue now; no worker was woken for it.
    pub(super) fn put_back(&self, own: usize, hands: &mut Hands) -> bool {
        match self.shards[own].put_back(hands) {
            PutBack::Done => false,
            PutBack::Again => true,
            PutBack::Refused => {
                hands.take().into_iter().for_each(TaskInHand::discard);
                false
            }
        }
    }

    /// Takes over a share of the injector.
    pub(super) fn take_injected(
        self: &Arc<Self>,
        own: usize,
        most: usize,
        hands: &mut Hands,
    ) -> bool {
        let share = self.shards[INJECTOR].length() / self.workers() + 1;
        self.take_over(own, INJECTOR, share.min(most), hands)
    }

    /// Takes over half of another worker's queue.
    pub(super) fn steal(self: &Arc<Self>, own: usize, hands: &mut Hands) -> bool {
        let workers = self.workers();
        (1..workers).any(|offset| {
            let victim = (own - 1 + offset) % workers + 1;
            self.take_over(own, victim, self.shards[victim].length().div_ceil(2), hands)
        })
    }

    fn take_over(
        self: &Arc<Self>,
        own: usize,
        from: usize,
        most: usize,
        hands: &mut Hands,
    ) -> bool {
        // A task that comes in after this look is seen by the look before the worker rests.
        if self.shards[from].length() == 0 {
            return false;
        }
        let most = most.clamp(1, MOST_AT_ONCE);
        let next = self.shards[own].take_over(&self.shards[from], most, self, hands);
        if most > 1 && self.shards[own].length() > 0 {
            // A worker that looked here before the move and there after it has missed these.
            self.idle.notify();
        }
        self.resolve(own, next, hands)
    }

    /// Returns `true` if there is a task in the hands, fetched from elsewhere if necessary.
    #[inline]
    fn resolve(&self, own: usize, next: Started, hands: &mut Hands) -> bool {
        let next = match next {
            Started::Elsewhere(task_key) => {
                self.shards[own].start_from(&self.shards[task_key.shard], task_key, hands)
            }
            next => next,
        };
        matches!(next, Started::Held)
    }

    /// Stops taking and polling tasks, and notifies every worker.
    pub(super) fn close(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.idle.wake_all();
    }

    /// Drops every task that is not being polled at this moment.
    ///
    /// One that is being polled is dropped by its worker after the poll (shard, invariant 2).
    pub(super) fn sweep(&self) {
        debug_assert!(self.is_ending());
        for shard in &self.shards {
            shard.close();
        }
    }
}

/// Spawns without being a handle: what a `Runtime` made of a borrowed pool holds.
pub(super) struct Spawner(pub(super) Arc<Shared>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }

    fn threads(&self) -> usize {
        self.0.workers()
    }
}
