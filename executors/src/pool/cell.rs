//! One spawned task: what the queues, the registry and the wakers share.
//!
//! It is tempting to use a ready-made task allocation instead. But there the future can be
//! reached through the queue entry only: a wake that another thread has begun and not finished
//! keeps it out of a shutdown's reach, and a future that panics in its destructor aborts the
//! process. Here the registry reaches every future, and every drop is contained. The price is the
//! lock round the future, which nobody ever waits for.
//!
//! # Invariants
//!
//! 1. The task is in its place, or in the hands of the one worker that polls it, or gone. The
//!    place is empty before the task is dropped, so it is dropped once.
//! 2. While the task is not gone, the registry holds the cell. So dropping a queue entry or a
//!    waker, even the last one, never drops a user's future.
//! 3. A worker puts the task back only after it has looked, under the place's lock, that the pool
//!    is not ending. A shutdown marks the end first and looks into every place later: whichever
//!    of the two comes second drops the task.
//!
//! # Lock order
//!
//! The place's lock is the innermost and is held for a move only: polls and drops happen outside.

use super::shared::Shared;
use super::state::{Queue, Start, State};
use crate::panics::contain;
use allhome_rt::Task;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

pub(super) struct Cell {
    state: State,
    place: Mutex<Option<Task>>,
    pool: Arc<Shared>,
    key: Key,
}

/// Where the registry keeps a cell.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) shard: usize,
    pub(super) index: usize,
}

impl Cell {
    /// Makes the cell of a task that its spawner puts in a queue next.
    pub(super) fn new(task: Task, pool: Arc<Shared>, key: Key) -> Cell {
        Cell { state: State::queued(), place: Mutex::new(Some(task)), pool, key }
    }

    /// Polls the task once, on a worker of the pool that has just taken it out of a queue.
    pub(super) fn run(self: Arc<Self>, pool: &Shared) {
        if self.state.transition_to_running() == Start::Skip {
            return;
        }
        let Some(mut task) = self.place.lock().take() else { return };
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = Context::from_waker(&waker);
        match contain(|| Pin::new(&mut task).poll(&mut cx)) {
            Some(Poll::Pending) => self.pause(pool, task),
            Some(Poll::Ready(())) | None => self.finish(pool, task),
        }
    }

    /// Drops the task, if it is in its place, without polling it.
    pub(super) fn abandon(&self) {
        let task = self.place.lock().take();
        self.state.transition_to_done();
        contain(|| drop(task));
    }

    fn pause(self: Arc<Self>, pool: &Shared, task: Task) {
        let mut place = self.place.lock();
        if pool.is_ending() {
            drop(place);
            return self.finish(pool, task);
        }
        *place = Some(task);
        drop(place);
        match self.state.transition_to_idle() {
            Queue::Push => pool.requeue(self),
            Queue::Leave => {}
        }
    }

    fn finish(&self, pool: &Shared, task: Task) {
        self.state.transition_to_done();
        contain(|| drop(task));
        drop(pool.registry().remove(self.key));
    }
}

impl Wake for Cell {
    fn wake(self: Arc<Self>) {
        match self.state.transition_to_notified() {
            Queue::Push => {
                // Once pushed, the cell may be run and freed by another thread at any moment, and
                // the pool with it.
                let pool = Arc::clone(&self.pool);
                pool.enqueue(self);
            }
            Queue::Leave => {}
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.state.transition_to_notified() {
            Queue::Push => self.pool.enqueue(Arc::clone(self)),
            Queue::Leave => {}
        }
    }
}
