//! One worker's share of the pool: its queue, and the tasks that it has polled.
//!
//! The first shard belongs to no worker: its queue is the injector, for what other threads spawn
//! and wake. A task that has never been polled is in a queue itself. Its first poll gives it a slot
//! in the shard of the worker that polls it; from then on queues have its key. When another worker
//! wakes it or takes it over, its slot moves to that worker's shard.
//!
//! So one lock is enough for a spawn, and one for a turn: it puts back the task that was polled and
//! takes the next. A lock-free queue beside a registry looks better. It was here before, and cost
//! 26 read-modify-writes a task; this costs 4.
//!
//! # Invariants
//!
//! 1. A task is in one queue, or in its slot, or in the hands of the worker that polls it, or gone.
//! 2. Once closed, a shard has no tasks and takes none. What is polled when its shard is closed
//!    finds no slot to go back to, and is dropped by its worker.
//! 3. A queue is first in, first out; all that is woken or spawned goes to its back.
//! 4. A task that a worker polls has its slot in that worker's shard. A task whose key is in a
//!    worker's queue has its slot there too, or it came through the injector.
//! 5. A key in a queue is good: only the worker that takes it out moves the slot, since a wake
//!    leaves a queued task alone. After a close it may find nothing.
//!
//! # Lock order
//!
//! One shard at a time, or two, the one with the lower number first. Innermost: tasks, which are
//! foreign code, are moved under it and never polled or dropped.

use super::cell::{Cell, TaskKey};
use super::contents::{Contents, Hands, PutBack, QueueItem, Started, Woken};
use super::shared::Shared;
use crate::guarded::{Foreign, Guard, Guarded};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of the injector, the shard that belongs to no worker.
pub(super) const INJECTOR: usize = 0;

// Two cache lines, since processors fetch them in pairs: workers must not slow each other down.
#[repr(align(128))]
pub(super) struct Shard {
    number: usize,
    /// The length of the queue, for a look without the lock. It may be out of date.
    length: AtomicUsize,
    contents: Guarded<Contents>,
}

/// What a worker's turn in its own shard leaves it to do.
pub(super) struct AfterTurn {
    pub(super) next: Started,
    /// The task that was put back waits behind another task's poll: another worker may take it.
    pub(super) keeps_waiting: bool,
}

impl Shard {
    pub(super) fn new(number: usize) -> Shard {
        Shard { number, length: AtomicUsize::new(0), contents: Guarded::default() }
    }

    /// Returns about how many stand in the queue.
    pub(super) fn length(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Looks under the lock: a thread that adds later sees what the caller wrote before.
    pub(super) fn has_work(&self) -> bool {
        self.contents.locked(|contents| !contents.queue.is_empty())
    }

    fn with<R>(&self, change: impl FnOnce(&mut Contents) -> R) -> R {
        self.contents.locked(|contents| {
            let result = change(contents);
            self.note(contents);
            result
        })
    }

    fn note(&self, contents: &Contents) {
        // Relaxed: a look without the lock decides nothing that must be right.
        self.length.store(contents.queue.len(), Ordering::Relaxed);
    }

    /// Puts something in the queue, or gives it back if the shard is closed.
    pub(super) fn push(&self, item: QueueItem) -> Result<(), QueueItem> {
        self.with(|contents| {
            if contents.closed {
                return Err(item);
            }
            contents.queue.push_back(item);
            Ok(())
        })
    }

    /// Wakes the task of a cell, unless its slot is in another shard. Its key goes into this
    /// queue if `here`; else the caller has it.
    pub(super) fn wake(&self, cell: &Arc<Cell>, here: bool) -> Woken {
        self.with(|contents| {
            let woken = contents.wake(cell, self.number);
            if let (true, Woken::Queued(task_key)) = (here, woken) {
                contents.queue.push_back(QueueItem::Again(task_key));
            }
            woken
        })
    }

    /// Wakes the task of a cell, unless its slot is not in the other shard any more. If it waits,
    /// it moves, and stands in this queue.
    pub(super) fn wake_from(&self, from: &Shard, cell: &Arc<Cell>) -> Woken {
        let (mut own, mut other) = self.lock_with(from);
        let woken = other.wake(cell, from.number);
        if let Woken::Queued(task_key) = woken {
            if let Some(task_key) = own.adopt(task_key, self.number, &mut other) {
                own.queue.push_back(QueueItem::Again(task_key));
                self.note(&own);
            }
        }
        woken
    }

    /// Puts back a task of this shard.
    pub(super) fn put_back(&self, hands: &mut Hands) -> PutBack {
        self.with(|contents| contents.put_back(hands))
    }

    /// The turn of a worker in its own shard: puts back the task that was polled, and takes the
    /// next.
    pub(super) fn turn(&self, hands: &mut Hands, pool: &Arc<Shared>) -> AfterTurn {
        self.with(|contents| {
            let put_back = contents.put_back(hands);
            if put_back == PutBack::Refused {
                // Then the queue is closed as well.
                return AfterTurn { next: Started::Nothing, keeps_waiting: false };
            }
            let next = match contents.pop() {
                None => Started::Nothing,
                Some(QueueItem::New(task)) => contents.admit(task, self.number, pool, hands),
                Some(QueueItem::Again(task_key)) => contents.start(task_key, self.number, hands),
            };
            let again = put_back == PutBack::Again;
            AfterTurn { next, keeps_waiting: again && !contents.queue.is_empty() }
        })
    }

    /// Takes up to `most` out of another queue: the first into the empty hands, the others into
    /// this one.
    pub(super) fn take_over(
        &self,
        from: &Shard,
        most: usize,
        pool: &Arc<Shared>,
        hands: &mut Hands,
    ) -> Started {
        let (mut own, mut other) = self.lock_with(from);
        if own.closed {
            return Started::Nothing;
        }
        let Some(first) = other.pop() else { return Started::Nothing };
        for _ in 1..most {
            match other.pop() {
                None => break,
                Some(QueueItem::Again(task_key)) if task_key.shard == from.number => {
                    let moved = own.adopt(task_key, self.number, &mut other);
                    own.queue.extend(moved.map(QueueItem::Again));
                }
                Some(item) => own.queue.push_back(item),
            }
        }
        self.note(&own);
        from.note(&other);
        match first {
            QueueItem::New(task) => own.admit(task, self.number, pool, hands),
            QueueItem::Again(task_key) if task_key.shard == from.number => {
                own.adopt_and_start(task_key, self.number, &mut other, hands)
            }
            QueueItem::Again(task_key) => own.start(task_key, self.number, hands),
        }
    }

    fn lock_with<'a>(&'a self, other: &'a Shard) -> (Guard<'a, Contents>, Guard<'a, Contents>) {
        if self.number < other.number {
            let own = self.contents.lock();
            (own, other.contents.lock())
        } else {
            let theirs = other.contents.lock();
            (self.contents.lock(), theirs)
        }
    }

    /// Takes a task whose slot is in another shard: it moves.
    pub(super) fn start_from(&self, from: &Shard, task_key: TaskKey, hands: &mut Hands) -> Started {
        let (mut own, mut other) = self.lock_with(from);
        own.adopt_and_start(task_key, self.number, &mut other, hands)
    }

    /// Takes no more, and drops every task that is not being polled at this moment.
    pub(super) fn close(&self) {
        let contents = self.with(|contents| {
            std::mem::replace(contents, Contents { closed: true, ..Contents::default() })
        });
        // No lock is held from here on: destructors may wake and spawn.
        contents.queue.into_iter().for_each(QueueItem::discard);
        for slot in contents.slots.into_values() {
            let (cell, task) = slot.into_parts();
            task.into_iter().for_each(Foreign::discard);
            drop(cell);
        }
    }

    #[cfg(test)]
    pub(super) fn tasks(&self) -> usize {
        self.contents.locked(|contents| contents.slots.len())
    }

    /// The cell of one of its tasks.
    #[cfg(test)]
    pub(super) fn first_cell(&self) -> Arc<Cell> {
        self.contents.locked(|all| all.slots.values().next().expect("it has one").cell())
    }

    #[cfg(test)]
    pub(super) fn waker_cells(&self) -> usize {
        self.contents.locked(|contents| contents.waker_cells.len())
    }
}
