//! A pool of two threads with the faults that only threads can have: what `tests/pools.rs` examines,
//! in the way that `ZOO` names. It is a program of its own because the suite runs its program again
//! for each rule, and ends one that hangs.

#![forbid(unsafe_code)]

use allhome::block_on;
use allhome_conformance::{Candidate, Capabilities, Host, Root, Runtime};
use allhome_rt::{Spawn, Task};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const THREADS: usize = 2;

struct Pool {
    way: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Arc<Entry>>,
    /// Those that only this thread takes.
    own: [VecDeque<Arc<Entry>>; THREADS],
    /// Those that are not over.
    tasks: BTreeMap<usize, Arc<Entry>>,
    next: usize,
    closed: bool,
}

/// A task and its place. The lock is held during a poll, so that there is one at a time.
struct Entry {
    pool: Arc<Pool>,
    id: usize,
    task: Mutex<Option<Task>>,
    queued: AtomicBool,
}

thread_local! {
    static WORKER: Cell<Option<usize>> = const { Cell::new(None) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, SeqCst) {
            let pool = self.pool.clone();
            pool.push(self, false);
        }
    }
}

impl Pool {
    fn is(&self, way: &str) -> bool {
        self.way == way
    }

    fn push(&self, entry: Arc<Entry>, new: bool) {
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        let was_empty = state.queue.is_empty();
        let own = WORKER.get().map(|worker| &mut state.own[worker]);
        match own {
            Some(own) if new && self.is("a thread has room for 256") => {
                if own.len() < 256 {
                    own.push_back(entry);
                }
            }
            Some(own) if !new && self.is("the last woken is first") => own.push_front(entry),
            Some(own) if self.is("its own come first") => own.push_back(entry),
            _ => state.queue.push_back(entry),
        }
        drop(state);
        match &*self.way {
            "spawn unparks none" if new => {}
            "wake unparks none" if !new => {}
            "unparks when it was empty" if !was_empty => {}
            "unparks when it was empty" => self.changed.notify_one(),
            _ => self.changed.notify_all(),
        }
    }

    fn next(&self, worker: usize) -> Option<Arc<Entry>> {
        let mut state = lock(&self.state);
        while !state.closed {
            if let Some(entry) = state.own[worker].pop_front() {
                return Some(entry);
            }
            let batch = if self.is("a batch is kept") { 8 } else { 1 };
            let most = batch.min(state.queue.len());
            let taken: Vec<_> = state.queue.drain(..most).collect();
            if !taken.is_empty() {
                state.own[worker].extend(taken);
                continue;
            }
            if self.is("looks and then sleeps") {
                drop(state);
                // The fault itself, made wider: a spawn comes between the look and the park. What
                // the suite finds of it depends on that, and no result of an honest pool.
                thread::sleep(Duration::from_millis(1));
                state = lock(&self.state);
                if state.closed {
                    break;
                }
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn work(&self, worker: usize) {
        WORKER.set(Some(worker));
        while let Some(entry) = self.next(worker) {
            let late = self.is("clears after the poll");
            if !late {
                entry.queued.store(false, SeqCst);
            }
            let mut place = lock(&entry.task);
            let Some(mut task) = place.take() else { continue };
            let waker = Waker::from(entry.clone());
            let poll = || Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending();
            let poll = catch_unwind(AssertUnwindSafe(poll));
            if late {
                entry.queued.store(false, SeqCst);
            }
            if matches!(poll, Ok(true)) {
                *place = Some(task);
                continue;
            }
            drop(place);
            lock(&self.state).tasks.remove(&entry.id);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
            match poll {
                Err(panic) if self.is("a panic ends its thread") => resume_unwind(panic),
                _ => {}
            }
        }
    }
}

struct Spawner(Arc<Pool>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        let mut state = lock(&self.0.state);
        if state.closed {
            drop(state);
            return drop(task);
        }
        let id = state.next;
        state.next += 1;
        let (task, queued) = (Mutex::new(Some(task)), AtomicBool::new(true));
        let entry = Arc::new(Entry { pool: self.0.clone(), id, task, queued });
        state.tasks.insert(id, entry.clone());
        drop(state);
        self.0.push(entry, true);
    }

    fn threads(&self) -> usize {
        THREADS
    }
}

struct Zoo(Arc<Pool>, Vec<JoinHandle<()>>);

impl Host for Zoo {
    fn runtime(&self) -> Runtime {
        Runtime::new("zoo", Spawner(self.0.clone()))
    }

    fn block_on(&mut self, root: Root<'_>) {
        block_on(root);
    }

    fn threads(&self) -> usize {
        THREADS
    }
}

impl Drop for Zoo {
    fn drop(&mut self) {
        let pool = &self.0;
        let mut state = lock(&pool.state);
        state.closed = true;
        drop(state);
        pool.changed.notify_all();
        for thread in self.1.drain(..).filter(|_| !pool.is("the end joins none")) {
            let _ = thread.join();
        }
        let mut state = lock(&pool.state);
        let queues = (std::mem::take(&mut state.queue), std::mem::take(&mut state.own));
        let tasks = std::mem::take(&mut state.tasks);
        drop(state);
        for entry in tasks.into_values() {
            if pool.is("the end forgets queues") && entry.queued.load(SeqCst) {
                continue;
            }
            if pool.is("the end joins none") && entry.task.try_lock().is_err() {
                // It is polled at this moment.
                continue;
            }
            let task = lock(&entry.task).take();
            let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
        }
        if pool.is("the end forgets queues") {
            std::mem::forget(queues);
        }
    }
}

fn main() -> ExitCode {
    let way = std::env::var("ZOO").unwrap_or_default();
    let start = move || {
        let (way, state, changed) = (way.clone(), Mutex::default(), Condvar::new());
        let pool = Arc::new(Pool { way, state, changed });
        let threads = (0..THREADS).map(|worker| {
            let pool = pool.clone();
            thread::spawn(move || pool.work(worker))
        });
        let threads = threads.collect();
        Zoo(pool, threads)
    };
    Candidate::new("zoo", move || Box::new(start()))
        .declares(Capabilities::new().threads(THREADS).shutdown().joins_threads())
        .main()
}
