//! The stepped executor: tasks are polled when the test says so, or when its manners say so.
//!
//! A task's cell is in one of four states: queued (scheduled, not running), running, running and
//! woken (scheduled, running), waiting. A cell is taken out of `live` when its task is done or
//! dropped.
//!
//! # Lock order
//!
//! One lock at a time; none is held while a task is polled or dropped, or a thread is joined.

use crate::jobs::Jobs;
use crate::manner::{AtSpawn, AtWake, Manner};
use crate::root::{Wakes, poll_once};
use allhome_rt::{Runtime, Spawn, Task};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};

/// After so many polls, far more than any test needs, a future counts as endless.
const MANY_POLLS: usize = 10_000_000;

/// An executor that polls its tasks one by one, when the test says so. Clones are the same
/// executor; it is shut down with the last.
#[derive(Clone)]
pub struct Stepped {
    shared: Arc<Shared>,
    _owner: Arc<Owner>,
}

/// The spawner of nurseries: it does not keep the executor.
struct Spawner(Arc<Shared>);

/// Shuts the executor down, so that a task that was not polled again, and that leads back to the
/// executor, does not keep itself.
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

struct Shared {
    manner: Manner,
    threads: usize,
    spawns: AtomicUsize,
    polls: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Cell>>,
    held: Vec<Arc<Cell>>,
    live: BTreeMap<usize, Arc<Cell>>,
    threads: Vec<JoinHandle<()>>,
    down: bool,
}

struct Cell {
    key: usize,
    shared: Weak<Shared>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// None while it runs, and when it is done.
    task: Option<Task>,
    running: bool,
    scheduled: bool,
}

impl Stepped {
    /// Makes an executor that says that it has so many threads, and does nothing by itself.
    pub fn new(threads: usize) -> Stepped {
        Stepped::with(threads, Manner::default())
    }

    /// Makes one with other manners.
    pub fn with(threads: usize, manner: Manner) -> Stepped {
        let shared = Shared {
            manner,
            threads,
            spawns: AtomicUsize::new(0),
            polls: AtomicUsize::new(0),
            state: Mutex::default(),
        };
        let shared = Arc::new(shared);
        Stepped { _owner: Arc::new(Owner(shared.clone())), shared }
    }

    /// Returns the runtime that nurseries are opened on.
    pub fn runtime(&self) -> Runtime {
        Runtime::new("stepped", self.spawner())
    }

    /// Returns the spawner of a runtime.
    pub fn spawner(&self) -> impl Spawn + 'static {
        Spawner(self.shared.clone())
    }

    /// As [`runtime`](Stepped::runtime), with a blocking pool.
    pub fn runtime_with(&self, jobs: &Jobs) -> Runtime {
        Runtime::builder("stepped", Spawner(self.shared.clone())).blocking(jobs.clone()).build()
    }

    /// Returns how many tasks are there, neither done nor dropped.
    pub fn tasks(&self) -> usize {
        self.shared.state().live.len()
    }

    /// Returns how many tasks were spawned so far.
    pub fn spawns(&self) -> usize {
        self.shared.spawns.load(Ordering::SeqCst)
    }

    /// Returns how many polls of tasks have ended so far.
    pub fn polls(&self) -> usize {
        self.shared.polls.load(Ordering::SeqCst)
    }

    /// Takes the task that has been scheduled for longest. The caller polls or drops it.
    pub fn take(&self) -> Option<Scheduled> {
        loop {
            let cell = self.shared.state().ready.pop_front()?;
            if cell.inner().scheduled {
                return Some(Scheduled { cell });
            }
        }
    }

    /// Polls one scheduled task; with spurious manners, all the others too. Returns `false` if
    /// there was none to poll.
    pub fn step(&self) -> bool {
        let one = self.take().map(Scheduled::poll).is_some();
        if self.shared.manner.spurious {
            let all: Vec<_> = self.shared.state().live.values().cloned().collect();
            for cell in &all {
                cell.poll();
            }
            return one || !all.is_empty();
        }
        one
    }

    /// Polls scheduled tasks until none is left. Returns how many polls that took.
    pub fn run_until_stalled(&self) -> usize {
        let before = self.polls();
        while self.step() {}
        self.polls() - before
    }

    /// Polls the next scheduled task on a new thread.
    ///
    /// # Panics
    ///
    /// Panics if none is scheduled.
    pub fn step_on_a_thread(&self) -> JoinHandle<()> {
        let task = self.take().expect("a task is scheduled");
        thread::spawn(move || task.poll())
    }

    /// Polls the future when it is woken, and one task after each poll, until the future is ready.
    ///
    /// # Panics
    ///
    /// Panics if the future never becomes ready: it waits, and so does every task; or it goes on
    /// for ever.
    pub fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = Box::pin(future);
        let wakes = Wakes::new();
        for _ in 0..MANY_POLLS {
            let before = wakes.count();
            if let Poll::Ready(output) = poll_once(&mut future, &wakes) {
                return output;
            }
            loop {
                let stepped = self.step();
                if wakes.count() > before {
                    break;
                }
                assert!(stepped, "stalled, with {} tasks", self.tasks());
            }
        }
        panic!("not ready after {MANY_POLLS} polls, with {} tasks", self.tasks());
    }

    /// Remembers the wakes that were held back. Returns how many.
    pub fn remember(&self) -> usize {
        let mut state = self.shared.state();
        let held = std::mem::take(&mut state.held);
        let count = held.len();
        state.ready.extend(held);
        count
    }

    /// Waits for the threads that tasks were polled on.
    ///
    /// # Panics
    ///
    /// Panics if a task panicked, which it must not.
    pub fn join_threads(&self) {
        loop {
            let Some(thread) = self.shared.state().threads.pop() else { return };
            thread.join().expect("a task does not panic");
        }
    }

    /// Drops every task, those that are being polled right after that poll, and from now on
    /// every task that is spawned.
    pub fn shutdown(&self) {
        self.shared.shutdown();
    }
}

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        let shared = &self.0;
        let key = shared.spawns.fetch_add(1, Ordering::SeqCst);
        let inner = Inner { task: Some(task), running: false, scheduled: true };
        let cell = Cell { key, shared: Arc::downgrade(shared), inner: Mutex::new(inner) };
        let cell = Arc::new(cell);
        let at_spawn = shared.manner.at_spawn;
        {
            let mut state = shared.state();
            if state.down || at_spawn == AtSpawn::Drop {
                drop(state);
                cell.discard();
                return;
            }
            state.live.insert(key, cell.clone());
            if at_spawn == AtSpawn::Queue {
                // In the same hold: a thread that sees the task finds it scheduled.
                state.ready.push_back(cell);
                return;
            }
        }
        match at_spawn {
            AtSpawn::Poll => cell.poll(),
            AtSpawn::Thread => shared.poll_on_a_thread(cell),
            AtSpawn::Queue | AtSpawn::Drop => unreachable!("seen to above"),
        }
    }

    fn threads(&self) -> usize {
        self.0.threads
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shutdown(&self) {
        let cells = {
            let mut state = self.state();
            state.down = true;
            state.live.clone()
        };
        for cell in cells.into_values() {
            cell.discard();
        }
    }

    fn poll_on_a_thread(&self, cell: Arc<Cell>) {
        let thread = thread::spawn(move || cell.poll());
        self.state().threads.push(thread);
    }
}

impl Cell {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the task, unless it is being polled or gone; and again, if that is how it is woken.
    fn poll(self: &Arc<Self>) {
        let Some(shared) = self.shared.upgrade() else { return };
        let waker = Waker::from(self.clone());
        loop {
            let mut task = {
                let mut inner = self.inner();
                let Some(task) = inner.task.take() else { return };
                inner.scheduled = false;
                inner.running = true;
                task
            };
            let polled = Pin::new(&mut task).poll(&mut Context::from_waker(&waker));
            shared.polls.fetch_add(1, Ordering::SeqCst);
            let woken = {
                let mut inner = self.inner();
                inner.running = false;
                inner.task = Some(task);
                inner.scheduled
            };
            if polled.is_ready() || shared.manner.one_poll_each || shared.state().down {
                self.discard();
                return;
            }
            if !woken {
                return;
            }
            if shared.manner.at_wake != AtWake::Poll {
                self.dispatch(&shared);
                return;
            }
        }
    }

    /// Drops the task, unless it is being polled.
    fn discard(&self) {
        let task = {
            let mut inner = self.inner();
            if inner.running {
                return;
            }
            inner.task.take()
        };
        drop(task);
        if let Some(shared) = self.shared.upgrade() {
            shared.state().live.remove(&self.key);
        }
    }

    fn dispatch(self: &Arc<Self>, shared: &Shared) {
        match shared.manner.at_wake {
            AtWake::Queue | AtWake::Panic => shared.state().ready.push_back(self.clone()),
            AtWake::Poll => self.poll(),
            AtWake::Thread => shared.poll_on_a_thread(self.clone()),
            AtWake::Hold => shared.state().held.push(self.clone()),
        }
    }
}

impl Wake for Cell {
    fn wake(self: Arc<Self>) {
        let Some(shared) = self.shared.upgrade() else { return };
        let dispatch = {
            let mut inner = self.inner();
            let alive = inner.running || inner.task.is_some();
            let fresh = alive && !inner.scheduled;
            inner.scheduled |= alive;
            fresh && !inner.running
        };
        if dispatch {
            self.dispatch(&shared);
        }
        if shared.manner.at_wake == AtWake::Panic {
            panic!("a wake of a hostile runtime");
        }
    }
}

/// A task that waits for its turn to be polled.
#[must_use = "it was taken out of the queue: poll it or discard it"]
pub struct Scheduled {
    cell: Arc<Cell>,
}

impl Scheduled {
    /// Polls it, on the present thread.
    pub fn poll(self) {
        self.cell.poll();
    }

    /// Drops it unpolled.
    pub fn discard(self) {
        self.cell.discard();
    }
}

impl fmt::Debug for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepped").field("manner", &self.shared.manner).finish_non_exhaustive()
    }
}

impl fmt::Debug for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduled").field("key", &self.cell.key).finish()
    }
}
