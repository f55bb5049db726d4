//! The executor's state on its own thread: tasks, ready queue. Nothing here is shared, or locked.
//!
//! # Invariants
//!
//! 1. A task is in its entry, or in the hands of `run_next`, or gone. The entry stays while the
//!    task is polled, so that its key is not given away.
//! 2. No borrow of a cell is held while foreign code runs: polls, destructors, wakers. A [`Kept`]
//!    enforces it.
//! 3. A closed scheduler has no tasks; a task that is polled when it is closed is dropped after its
//!    poll.

use super::inbox::{Arrival, Inbox};
use super::waker_cell::{TaskKey, WakerCell};
use crate::chunked_slab::ChunkedSlab;
use crate::current::PoolId;
use crate::guarded::{Foreign, Kept};
use crate::panics::contain;
use allhome_rt::{LocalTask, Task};
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    /// The executor that this thread runs at the moment. It is reached by `try_with` only: in the
    /// destructor of another thread-local value it may be gone. Then wakes and spawns of this
    /// thread go by the inbox, as those of other threads do.
    static HERE: Kept<Option<Rc<Scheduler>>> = const { Kept::new(None) };
}

/// The most waker cells that are kept for new tasks: 72 bytes each.
const WAKER_CELLS: usize = 1024;

/// The tasks of a chunk.
const CHUNK: usize = 256;

/// The chunks that keep their memory when they are empty.
const SPARES: usize = 2;

/// The most room, in keys of 16 bytes, that an empty ready queue keeps.
const ROOM: usize = 512;

/// The slab key in a root's task key; it has no entry.
const ROOT: usize = usize::MAX;

pub(super) struct Scheduler {
    pub(super) inbox: Arc<Inbox>,
    ready: Kept<VecDeque<TaskKey>>,
    tasks: Kept<ChunkedSlab<Entry, CHUNK, SPARES>>,
    waker_cells: Kept<Vec<WakerCell>>,
    arrivals: Kept<Vec<Arrival>>,
    last_number: Cell<u64>,
    /// The number of the present root, or of the last.
    root: Cell<u64>,
    closed: Cell<bool>,
}

struct Entry {
    number: u64,
    occupant: Option<Occupant>,
}

struct Occupant {
    task: Foreign<AnyTask>,
    waker_cell: WakerCell,
}

/// A task that came from anywhere, or one that was spawned here; or a future, which saves what a
/// task of it would be wrapped in.
pub(super) enum AnyTask {
    Any(Task),
    Local(LocalTask),
    Future(Pin<Box<dyn Future<Output = ()>>>),
}

/// What `run_next` has done.
pub(super) enum Ran {
    /// It is the root's turn.
    Root,
    Task,
    Nothing,
}

/// Calls `f` with that executor, if this thread runs it at the moment.
pub(super) fn here<R>(id: PoolId, f: impl FnOnce(&Rc<Scheduler>) -> R) -> Option<R> {
    let mut result = None;
    let _ = HERE.try_with(|here| {
        here.locked(|here| {
            result = here.as_ref().filter(|scheduler| scheduler.inbox.id() == id).map(f);
        });
    });
    result
}

/// Says what this thread runs from now on, and returns what it ran before.
fn replace_here(scheduler: Option<Rc<Scheduler>>) -> Option<Rc<Scheduler>> {
    HERE.try_with(|here| here.locked(|here| mem::replace(here, scheduler))).ok().flatten()
}

impl Scheduler {
    pub(super) fn new(id: PoolId) -> Rc<Scheduler> {
        Rc::new(Scheduler {
            inbox: Arc::new(Inbox::new(id)),
            ready: Kept::default(),
            tasks: Kept::default(),
            waker_cells: Kept::default(),
            arrivals: Kept::default(),
            last_number: Cell::new(0),
            root: Cell::new(0),
            closed: Cell::new(false),
        })
    }

    /// Makes this thread one that runs this executor, until the result is dropped.
    pub(super) fn enter(self: &Rc<Self>) -> Entered {
        Entered(replace_here(Some(Rc::clone(self))))
    }

    /// Returns how many tasks there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.locked(|tasks| tasks.len())
    }

    pub(super) fn push(&self, task_key: TaskKey) {
        self.ready.locked(|ready| ready.push_back(task_key));
    }

    fn pop(&self) -> Option<TaskKey> {
        self.ready.locked(|ready| {
            let task_key = ready.pop_front()?;
            // What a burst needed is given back when it is over.
            if ready.is_empty() && ready.capacity() > ROOM {
                *ready = VecDeque::new();
            }
            Some(task_key)
        })
    }

    /// Takes a task, or gives it back if the executor has ended.
    pub(super) fn spawn(&self, task: Foreign<AnyTask>) -> Option<Foreign<AnyTask>> {
        if self.closed.get() {
            return Some(task);
        }
        let number = self.number();
        let waker_cell =
            self.waker_cells.locked(Vec::pop).unwrap_or_else(|| WakerCell::new(&self.inbox));
        waker_cell.enqueue();
        let make = |key| {
            waker_cell.assign(TaskKey { key, number });
            Entry { number, occupant: Some(Occupant { task, waker_cell }) }
        };
        let key = self.tasks.locked(|tasks| tasks.insert_with(make));
        self.push(TaskKey { key, number });
        None
    }

    fn number(&self) -> u64 {
        let number = self.last_number.get() + 1;
        self.last_number.set(number);
        number
    }

    /// Makes the waker cell of a root, and queues it. Keys of earlier roots wake nothing.
    pub(super) fn root_cell(&self) -> WakerCell {
        let task_key = TaskKey { key: ROOT, number: self.number() };
        self.root.set(task_key.number);
        let waker_cell = WakerCell::new(&self.inbox);
        waker_cell.assign(task_key);
        waker_cell.enqueue();
        self.push(task_key);
        waker_cell
    }

    /// Polls the task that has waited longest.
    pub(super) fn run_next(&self) -> Ran {
        if self.inbox.is_full() {
            self.receive();
        }
        let Some(task_key) = self.pop() else { return Ran::Nothing };
        if task_key.key == ROOT {
            return if task_key.number == self.root.get() { Ran::Root } else { Ran::Task };
        }
        let Some(mut occupant) = self.take(task_key) else { return Ran::Task };
        occupant.waker_cell.dequeue();
        let polled = contain(|| occupant.task.poll(&occupant.waker_cell));
        if polled == Some(Poll::Pending) && !self.closed.get() {
            self.put_back(task_key, occupant);
            return Ran::Task;
        }
        // It is not there if the executor has been closed.
        drop(self.tasks.locked(|tasks| tasks.try_remove(task_key.key)));
        self.end(occupant);
        Ran::Task
    }

    fn take(&self, task_key: TaskKey) -> Option<Occupant> {
        self.tasks.locked(|tasks| {
            let entry = tasks.get_mut(task_key.key).filter(|entry| entry.number == task_key.number);
            entry?.occupant.take()
        })
    }

    fn put_back(&self, task_key: TaskKey, occupant: Occupant) {
        self.tasks.locked(|tasks| {
            let entry = tasks.get_mut(task_key.key).expect("invariant 1: its entry stays");
            entry.occupant = Some(occupant);
        });
    }

    /// Drops a task, and keeps its waker cell for another if no other waker exists.
    fn end(&self, occupant: Occupant) {
        let Occupant { task, waker_cell } = occupant;
        task.discard();
        let mut waker_cell = waker_cell.is_free().then_some(waker_cell);
        self.waker_cells.locked(|waker_cells| {
            if waker_cells.len() < WAKER_CELLS {
                waker_cells.extend(waker_cell.take());
            }
        });
    }

    /// Takes in what other threads have sent.
    fn receive(&self) {
        let mut arrivals = self.arrivals.locked(mem::take);
        self.inbox.take(&mut arrivals);
        for item in arrivals.drain(..) {
            match item {
                Arrival::Wake(task_key) if task_key.key == ROOT => self.push(task_key),
                Arrival::Wake(task_key) => self.wake(task_key),
                Arrival::Spawn(task) => {
                    let task = Foreign::new(AnyTask::Any(task.into_inner()));
                    self.spawn(task).into_iter().for_each(Foreign::discard);
                }
            }
        }
        // The room is kept.
        self.arrivals.locked(|kept| *kept = arrivals);
    }

    fn wake(&self, task_key: TaskKey) {
        self.tasks.locked(|tasks| {
            let entry = tasks.get(task_key.key).filter(|entry| entry.number == task_key.number);
            if let Some(Occupant { waker_cell, .. }) =
                entry.and_then(|entry| entry.occupant.as_ref())
            {
                waker_cell.receive();
                if waker_cell.enqueue() {
                    self.push(task_key);
                }
            }
        });
    }

    /// Drops every task that is not being polled at this moment, and takes no more.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let tasks = self.tasks.locked(mem::take);
        let sent = self.inbox.close();
        self.ready.locked(|ready| ready.retain(|task_key| task_key.key == ROOT));
        // Nothing is borrowed from here on: destructors may spawn and wake.
        for entry in tasks.into_values() {
            entry.occupant.into_iter().for_each(|occupant| occupant.task.discard());
        }
        sent.into_iter().for_each(Arrival::discard);
        drop(self.waker_cells.locked(mem::take));
    }
}

impl AnyTask {
    fn poll(&mut self, waker_cell: &WakerCell) -> Poll<()> {
        let mut cx = Context::from_waker(&waker_cell.waker);
        match self {
            AnyTask::Any(task) => Pin::new(task).poll(&mut cx),
            AnyTask::Local(task) => Pin::new(task).poll(&mut cx),
            AnyTask::Future(future) => future.as_mut().poll(&mut cx),
        }
    }
}

/// Puts back what the thread ran before.
pub(super) struct Entered(Option<Rc<Scheduler>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let own = replace_here(self.0.take());
        // Not under the borrow: it may be the last of its executor.
        drop(own);
    }
}
