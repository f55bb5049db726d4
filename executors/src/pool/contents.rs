//! What a shard has under its lock: its queue, its tasks' slots, and waker cells for new tasks.

use super::cell::{Cell, TaskKey, WakerCell};
use super::shared::Shared;
use super::task_slot::{Occupant, Requeue, TaskSlot};
use crate::chunked_slab::ChunkedSlab;
use crate::guarded::Foreign;
use crate::panics::contain;
use allhome_rt::Task;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The most waker cells that a shard keeps for new tasks: 64 bytes each.
const WAKER_CELLS: usize = 1024;

/// The slots of a chunk.
const CHUNK: usize = 256;

/// The chunks that keep their memory when they are empty.
const SPARES: usize = 2;

/// The most room, in items of 32 bytes, that an empty queue keeps.
const ROOM: usize = 256;

#[derive(Default)]
pub(super) struct Contents {
    pub(super) queue: VecDeque<QueueItem>,
    pub(super) slots: ChunkedSlab<TaskSlot, CHUNK, SPARES>,
    pub(super) waker_cells: Vec<WakerCell>,
    pub(super) closed: bool,
}

/// What stands in a queue.
pub(super) enum QueueItem {
    /// A task that has never been polled.
    New(Foreign<Task>),
    /// One that waits in its slot for its next poll.
    Again(TaskKey),
}

/// A task in the hands of a worker: to be polled, or just polled and to be put back.
///
/// It stays in one place of the worker's, and goes from there to its slot and back by one move:
/// handed through functions and returned by them, it cost a third of a turn's instructions.
pub(super) struct TaskInHand {
    task_key: TaskKey,
    waker: Waker,
    /// `None` if it has ended.
    task: Option<Foreign<Task>>,
}

/// What a worker has in its hands.
pub(super) type Hands = Option<TaskInHand>;

/// What the next entry of a queue has come to.
#[must_use = "one that is elsewhere is in no queue any more"]
pub(super) enum Started {
    /// There is no task.
    Nothing,
    /// It is in the worker's hands.
    Held,
    /// One whose slot is in a shard that is not locked.
    Elsewhere(TaskKey),
}

/// What has become of a wake.
#[must_use = "a queued task's key must go into a queue"]
#[derive(Clone, Copy)]
pub(super) enum Woken {
    /// The slot is in another shard.
    Elsewhere,
    /// Nothing: the task is in a queue, or will be, or has no reason to be.
    Left,
    /// The caller must put this key into a queue.
    Queued(TaskKey),
}

/// What has become of a task that was put back.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PutBack {
    Done,
    /// It was woken meanwhile, and its key is in the queue.
    Again,
    /// The pool has ended, and it is still in the worker's hands: to be dropped when no lock is
    /// held.
    Refused,
}

impl QueueItem {
    pub(super) fn discard(self) {
        if let QueueItem::New(task) = self {
            task.discard();
        }
    }
}

impl TaskInHand {
    /// Drops the task, when no lock is held.
    pub(super) fn discard(self) {
        self.task.into_iter().for_each(Foreign::discard);
    }

    /// Polls the task, and drops it if it has ended.
    pub(super) fn run(&mut self) {
        let TaskInHand { waker, task, .. } = self;
        let Some(polled) = task.as_mut() else { return };
        let poll = contain(|| Pin::new(&mut **polled).poll(&mut Context::from_waker(waker)));
        if poll != Some(Poll::Pending) {
            // Before its slot and its waker can be another's.
            task.take().into_iter().for_each(Foreign::discard);
        }
    }
}

impl Contents {
    #[inline]
    pub(super) fn pop(&mut self) -> Option<QueueItem> {
        let item = self.queue.pop_front()?;
        self.give_back_room();
        Some(item)
    }

    /// Gives back what a burst needed, when it is over.
    fn give_back_room(&mut self) {
        if self.queue.is_empty() && self.queue.capacity() > ROOM {
            self.queue = VecDeque::new();
        }
    }

    /// Gives a task that was never polled its slot.
    pub(super) fn admit(
        &mut self,
        task: Foreign<Task>,
        shard: usize,
        pool: &Arc<Shared>,
        hands: &mut Hands,
    ) -> Started {
        let WakerCell { waker, cell } =
            self.waker_cells.pop().unwrap_or_else(|| WakerCell::new(pool));
        let task_key = self.insert(TaskSlot::of_polled(cell), shard);
        *hands = Some(TaskInHand { task_key, waker, task: Some(task) });
        Started::Held
    }

    fn insert(&mut self, slot: TaskSlot, shard: usize) -> TaskKey {
        let key = self.slots.insert_with(|key| {
            slot.assign(TaskKey { shard, key });
            slot
        });
        TaskKey { shard, key }
    }

    pub(super) fn wake(&mut self, cell: &Arc<Cell>, shard: usize) -> Woken {
        let Some(key) = cell.key_in(shard) else { return Woken::Elsewhere };
        let slot = self.slots.get_mut(key).filter(|slot| slot.is_of(cell));
        match slot.map_or(Requeue::Leave, TaskSlot::wake) {
            Requeue::Push => Woken::Queued(TaskKey { shard, key }),
            Requeue::Leave => Woken::Left,
        }
    }

    /// Moves a slot to this shard, which has that number; returns its new key. When either is
    /// closed there is nothing to move, or nowhere to go, and the other one's end drops it.
    pub(super) fn adopt(
        &mut self,
        task_key: TaskKey,
        shard: usize,
        from: &mut Contents,
    ) -> Option<TaskKey> {
        if self.closed {
            return None;
        }
        let slot = from.slots.try_remove(task_key.key)?;
        Some(self.insert(slot, shard))
    }

    pub(super) fn adopt_and_start(
        &mut self,
        task_key: TaskKey,
        shard: usize,
        from: &mut Contents,
        hands: &mut Hands,
    ) -> Started {
        match self.adopt(task_key, shard, from) {
            Some(task_key) => self.start(task_key, shard, hands),
            None => Started::Nothing,
        }
    }

    /// Takes a task if its slot is in this shard, which has that number.
    pub(super) fn start(&mut self, task_key: TaskKey, shard: usize, hands: &mut Hands) -> Started {
        if task_key.shard != shard {
            return Started::Elsewhere(task_key);
        }
        match self.slots.get_mut(task_key.key).and_then(TaskSlot::start) {
            None => Started::Nothing,
            Some(Occupant { task, waker }) => {
                *hands = Some(TaskInHand { task_key, waker, task: Some(task) });
                Started::Held
            }
        }
    }

    #[inline]
    pub(super) fn put_back(&mut self, hands: &mut Hands) -> PutBack {
        let Some(held) = hands else { return PutBack::Done };
        let task_key = held.task_key;
        if held.task.is_none() {
            // It finds nothing if the shard was closed meanwhile.
            if let Some(slot) = self.slots.try_remove(task_key.key) {
                let (cell, _) = slot.into_parts();
                if let Some(TaskInHand { waker, .. }) = hands.take() {
                    self.keep(WakerCell { waker, cell });
                }
            }
            *hands = None;
            return PutBack::Done;
        }
        let Some(slot) = self.slots.get_mut(task_key.key) else { return PutBack::Refused };
        let Some(TaskInHand { waker, task: Some(task), .. }) = hands.take() else {
            return PutBack::Done;
        };
        match slot.pause(Occupant { task, waker }) {
            Requeue::Leave => PutBack::Done,
            Requeue::Push => {
                self.queue.push_back(QueueItem::Again(task_key));
                PutBack::Again
            }
        }
    }

    /// Keeps a waker cell for another task if no other waker exists (cell, invariant 1).
    fn keep(&mut self, waker_cell: WakerCell) {
        if self.waker_cells.len() < WAKER_CELLS && waker_cell.is_free() {
            self.waker_cells.push(waker_cell);
        }
    }
}
