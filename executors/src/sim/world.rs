//! The state of a simulated runtime: tasks, jobs, sleeps, the clock. Everything that a handle, a
//! waker or a sleep reaches.
//!
//! # A task's states
//!
//! | state   | `task` | `woken` | in `ready` | goes on to                                        |
//! |---------|--------|---------|------------|---------------------------------------------------|
//! | ready   | some   | true    | once       | running, when it is chosen                        |
//! | running | none   | false   | no         | ready or waiting when its poll ends, or it is gone |
//! | running, woken | none | true | no        | ready, when its poll ends                         |
//! | waiting | some   | false   | no         | ready, when it is woken                           |
//! | gone    | no entry | –     | no         | –                                                 |
//!
//! # Invariants
//!
//! 1. `ready` has the ready tasks and the jobs that were not called, each once, longest waiting
//!    first, and the root if it waits for a poll.
//! 2. At most one task is running: `running` names it. It is polled by the thread that drives, or
//!    by another one while that thread waits.
//! 3. Numbers are given in the order of spawns and never again; a key is, so wakers have both.
//! 4. A closed world has no tasks, jobs or sleeps and takes none; what is running when it is closed
//!    is dropped after its poll.
//! 5. `now` only grows, and only the thread that drives moves it.
//!
//! # Lock order
//!
//! There is one lock. Tasks, jobs and wakers are polled, called, woken and dropped after it is
//! released: they are foreign code.

use super::run_queue::RunQueue;
use super::trace::{Event, Trace};
use crate::guarded::{Foreign, Guard, Guarded};
use allhome_rt::Instant;
use allhome_rt::{Job, Task};
use parking_lot::Condvar;
use slab::Slab;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

thread_local! {
    /// The world that this thread works for at the moment; 0 is none.
    static INSIDE: Cell<u64> = const { Cell::new(0) };
}

/// The number of the root.
pub(super) const ROOT: u64 = 0;

pub(super) struct World {
    id: u64,
    pub(super) start: Instant,
    state: Guarded<State>,
    changed: Condvar,
}

pub(super) struct State {
    pub(super) tasks: Slab<Entry>,
    pub(super) ready: RunQueue<Runnable>,
    pub(super) root_ready: bool,
    pub(super) root_polls: u64,
    pub(super) sleeps: BTreeMap<(Instant, u64), Foreign<Waker>>,
    pub(super) now: Instant,
    pub(super) running: Option<u64>,
    pub(super) steps: u64,
    pub(super) trace: Trace,
    next_number: u64,
    next_sleep: u64,
    pub(super) closed: bool,
    /// How many guards say that a thread outside is going to wake a task.
    pub(super) outside: usize,
}

pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) task: Option<(Foreign<Task>, Waker)>,
    pub(super) woken: bool,
    pub(super) polls: u64,
    pub(super) spawned_by: Option<u64>,
    pub(super) spawned_at: u64,
    /// It is polled on the thread that drives.
    pub(super) local: bool,
}

/// Something that a step may do.
pub(super) enum Runnable {
    Root,
    Task { key: usize, number: u64 },
    Job(u64, Foreign<Job>),
}

impl Runnable {
    pub(super) fn id(&self) -> u64 {
        match self {
            Runnable::Root => ROOT,
            Runnable::Task { number, .. } | Runnable::Job(number, _) => *number,
        }
    }
}

impl World {
    pub(super) fn new(keep_trace: bool) -> Arc<World> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let start = Instant::now();
        Arc::new(World {
            // Relaxed: only that the numbers differ matters.
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            start,
            changed: Condvar::new(),
            state: Guarded::new(State {
                tasks: Slab::new(),
                ready: RunQueue::new(),
                root_ready: false,
                root_polls: 0,
                sleeps: BTreeMap::new(),
                now: start,
                running: None,
                steps: 0,
                trace: Trace::new(keep_trace),
                next_number: ROOT + 1,
                next_sleep: 0,
                closed: false,
                outside: 0,
            }),
        })
    }

    pub(super) fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// Makes the current thread one that works for this world, until the result is dropped.
    pub(super) fn enter(&self) -> Inside {
        Inside(INSIDE.replace(self.id))
    }

    /// The task that does something now: the one that is polled, unless this is a thread outside.
    fn actor(&self, state: &State) -> Option<u64> {
        state.running.filter(|_| INSIDE.try_with(Cell::get) == Ok(self.id))
    }

    /// Waits until a thread outside has changed something.
    pub(super) fn park(&self, state: &mut Guard<'_, State>) {
        state.wait(&self.changed);
    }

    /// Takes a task, or gives it back if the world is closed.
    pub(super) fn spawn(self: &Arc<Self>, task: Foreign<Task>) -> Option<Foreign<Task>> {
        self.spawn_kind(task, false)
    }

    /// As [`World::spawn`], a task that is polled on the thread that drives.
    pub(super) fn spawn_local(self: &Arc<Self>, task: Foreign<Task>) -> Option<Foreign<Task>> {
        self.spawn_kind(task, true)
    }

    fn spawn_kind(self: &Arc<Self>, task: Foreign<Task>, local: bool) -> Option<Foreign<Task>> {
        let mut state = self.lock();
        if state.closed {
            return Some(task);
        }
        let number = state.number();
        let (by, at) = (self.actor(&state), state.steps);
        let vacant = state.tasks.vacant_entry();
        let key = vacant.key();
        let waker = Waker::from(Arc::new(TaskWaker { world: Arc::clone(self), key, number }));
        vacant.insert(Entry {
            number,
            task: Some((task, waker)),
            woken: true,
            polls: 0,
            spawned_by: by,
            spawned_at: at,
            local,
        });
        state.ready.push_back(Runnable::Task { key, number });
        state.trace.note(Event::Spawn(number, by));
        drop(state);
        self.changed.notify_one();
        None
    }

    /// Takes a job, or gives it back if the world is closed.
    pub(super) fn spawn_blocking(&self, job: Foreign<Job>) -> Option<Foreign<Job>> {
        let mut state = self.lock();
        if state.closed {
            return Some(job);
        }
        let number = state.number();
        let by = self.actor(&state);
        state.ready.push_back(Runnable::Job(number, job));
        state.trace.note(Event::Spawn(number, by));
        drop(state);
        self.changed.notify_one();
        None
    }

    fn wake(&self, key: usize, number: u64) {
        let mut state = self.lock();
        let by = self.actor(&state);
        if state.wake(key, number) {
            state.trace.note(Event::Wake(number, by));
            drop(state);
            self.changed.notify_one();
        }
    }

    fn wake_root(&self) {
        let mut state = self.lock();
        let by = self.actor(&state);
        if state.wake_root() {
            state.trace.note(Event::Wake(ROOT, by));
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Says that a thread outside is going to wake a task, or is not any more.
    pub(super) fn count_outside(&self, more: bool) {
        let mut state = self.lock();
        state.outside = if more { state.outside + 1 } else { state.outside - 1 };
        drop(state);
        self.changed.notify_one();
    }

    /// Makes or changes a sleep's entry. Returns a waker that the caller drops, or says that the
    /// time has come.
    pub(super) fn arm(
        &self,
        at: Instant,
        key: &mut Option<(Instant, u64)>,
        waker: Foreign<Waker>,
    ) -> Result<Option<Foreign<Waker>>, Foreign<Waker>> {
        let mut state = self.lock();
        if state.now >= at {
            return Err(waker);
        }
        if state.closed {
            return Ok(Some(waker));
        }
        let key = *key.get_or_insert_with(|| {
            state.next_sleep += 1;
            (at, state.next_sleep)
        });
        let replaced = state.sleeps.insert(key, waker);
        drop(state);
        self.changed.notify_one();
        Ok(replaced)
    }

    pub(super) fn disarm(&self, key: (Instant, u64)) -> Option<Foreign<Waker>> {
        self.state.locked(|state| state.sleeps.remove(&key))
    }
}

impl State {
    fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    /// Makes a task ready. Returns `false` if that changes nothing.
    pub(super) fn wake(&mut self, key: usize, number: u64) -> bool {
        let Some(entry) = self.tasks.get_mut(key) else { return false };
        if entry.number != number || std::mem::replace(&mut entry.woken, true) {
            return false;
        }
        if entry.task.is_some() {
            self.ready.push_back(Runnable::Task { key, number });
        }
        true
    }

    pub(super) fn wake_root(&mut self) -> bool {
        if std::mem::replace(&mut self.root_ready, true) {
            return false;
        }
        if self.running != Some(ROOT) {
            self.ready.push_back(Runnable::Root);
        }
        true
    }

    /// Returns the time since the start.
    pub(super) fn elapsed(&self, start: Instant) -> Duration {
        self.now.duration_since(start)
    }
}

/// Puts back what the thread worked for before.
pub(super) struct Inside(u64);

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.0);
    }
}

struct TaskWaker {
    world: Arc<World>,
    key: usize,
    number: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.world.wake(self.key, self.number);
    }
}

pub(super) struct RootWaker(pub(super) Arc<World>);

impl Wake for RootWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_root();
    }
}
