//! The slotted executor: several workers, polled one by one on the test's thread, each with a slot
//! for the task that it has scheduled last.
//!
//! A slot belongs to its worker: no other takes a task from it, as on tokio. What is pushed out of a
//! slot, what has woken itself, and what comes from outside goes to the end of a queue that all
//! workers share. A poll that *blocks* its worker has the others run meanwhile, on its own stack, by
//! [`Slotted::run_others`]: so what its worker keeps waits until it returns.

use allhome_rt::{Runtime, Spawn, Task};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// An executor of workers that keep what they schedule last. Clones are the same executor.
#[derive(Clone)]
pub struct Slotted(Arc<Shared>);

struct Shared {
    workers: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The workers that poll, the innermost last: all but the last are blocked.
    polling: Vec<usize>,
    slots: Vec<Option<Arc<Cell>>>,
    queue: VecDeque<Arc<Cell>>,
}

struct Cell {
    shared: Arc<Shared>,
    /// None while it is polled, and when it is done.
    task: Mutex<Option<Task>>,
    at: Mutex<At>,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Waits,
    Scheduled,
    Polled,
    PolledAndWoken,
}

impl Slotted {
    /// Makes an executor of so many workers.
    pub fn new(workers: usize) -> Slotted {
        let state = State { slots: vec![None; workers], ..State::default() };
        Slotted(Arc::new(Shared { workers, state: Mutex::new(state) }))
    }

    /// Returns the runtime that nurseries are opened on.
    pub fn runtime(&self) -> Runtime {
        Runtime::new("slotted", self.clone())
    }

    /// Has the workers that do not poll run, until they find nothing.
    pub fn run_others(&self) {
        while let Some((worker, cell)) = self.0.take() {
            self.0.state().polling.push(worker);
            cell.poll();
            self.0.state().polling.pop();
            let woken = {
                let mut at = cell.at();
                let woken = *at == At::PolledAndWoken;
                *at = if woken { At::Scheduled } else { At::Waits };
                woken
            };
            if woken {
                self.0.state().queue.push_back(cell);
            }
        }
    }
}

impl Spawn for Slotted {
    fn spawn(&self, task: Task) {
        let cell = Cell {
            shared: self.0.clone(),
            task: Mutex::new(Some(task)),
            at: Mutex::new(At::Scheduled),
        };
        self.0.schedule(Arc::new(cell));
    }

    fn threads(&self) -> usize {
        self.0.workers
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self, cell: Arc<Cell>) {
        let mut state = self.state();
        let pushed_out = match state.polling.last().copied() {
            Some(worker) => state.slots[worker].replace(cell),
            None => Some(cell),
        };
        state.queue.extend(pushed_out);
    }

    /// Takes a task for a worker that does not poll: out of its slot, or else out of the queue.
    fn take(&self) -> Option<(usize, Arc<Cell>)> {
        let mut state = self.state();
        let free = (0..self.workers).filter(|worker| !state.polling.contains(worker));
        let free: Vec<_> = free.collect();
        let own = free.iter().find_map(|worker| Some((*worker, state.slots[*worker].take()?)));
        own.or_else(|| Some((*free.first()?, state.queue.pop_front()?)))
    }
}

impl Cell {
    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self) -> MutexGuard<'_, Option<Task>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(self: &Arc<Cell>) {
        let Some(mut task) = self.task().take() else { return };
        *self.at() = At::Polled;
        let waker = Waker::from(self.clone());
        if Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending() {
            *self.task() = Some(task);
        }
    }
}

impl Wake for Cell {
    fn wake(self: Arc<Cell>) {
        let mut at = self.at();
        let now = *at;
        *at = match now {
            At::Waits | At::Scheduled => At::Scheduled,
            At::Polled | At::PolledAndWoken => At::PolledAndWoken,
        };
        drop(at);
        if now == At::Waits {
            let shared = self.shared.clone();
            shared.schedule(self);
        }
    }
}
