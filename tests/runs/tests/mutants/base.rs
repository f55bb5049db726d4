//! An honest executor of one thread, and every place where it can be broken.
//!
//! It is small and safe, with a timer, a blocking pool, local tasks and an end. A [`Fault`] breaks
//! it in one way; what would hang in earnest panics here: a lock that is taken twice, and a driver
//! that finds nothing that will ever happen (`Driver::rest`). So a broken one fails at once.
//!
//! This is what its parts share; tasks are in `task.rs`, and what drives them is in `driver.rs`.

use super::fault::Fault::{self, *};
use super::jobs::Jobs;
use super::task::Cell_;
use super::time::Timers;
use allhome_conformance::Progress;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// What the driver shares with wakers, sleeps and jobs.
pub(crate) struct Shared {
    pub(crate) fault: Fault,
    pub(crate) home: ThreadId,
    pub(crate) progress: Progress,
    state: Mutex<State>,
    pub(crate) changed: Condvar,
    pub(crate) timers: Mutex<Timers>,
    pub(crate) jobs: Jobs,
    /// A user's call came while a lock was held that it needs.
    pub(crate) deadlocked: AtomicBool,
    /// How many tasks have panicked.
    pub(crate) panics: AtomicUsize,
    /// How much of the one budget is used that all polls have.
    pub(crate) used: AtomicUsize,
    /// How many tasks the present poll has spawned.
    pub(crate) in_poll: AtomicUsize,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) queue: VecDeque<Entry>,
    /// Entries that are queued, and that no thread was notified of.
    pub(crate) unseen: VecDeque<Entry>,
    pub(crate) tasks: BTreeMap<usize, Arc<Cell_>>,
    pub(crate) next: usize,
    pub(crate) root_woken: bool,
    pub(crate) in_root: bool,
    pub(crate) driven: bool,
    pub(crate) drives: usize,
    pub(crate) closing: bool,
    pub(crate) closed: bool,
}

/// Something to be polled.
#[derive(Clone)]
pub(crate) enum Entry {
    Task(Arc<Cell_>),
    Local(usize),
}

thread_local! {
    /// Whether this thread is inside a poll of a task, and inside a drop at the end.
    pub(crate) static IN_POLL: Cell<bool> = const { Cell::new(false) };
    pub(crate) static IN_DROP: Cell<bool> = const { Cell::new(false) };
}

/// Sets a flag of this thread around a call.
pub(crate) fn with<T>(flag: &'static thread::LocalKey<Cell<bool>>, f: impl FnOnce() -> T) -> T {
    let before = flag.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    flag.set(before);
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

impl Shared {
    /// Its home is this thread.
    pub(crate) fn new(fault: Fault) -> Shared {
        Shared {
            fault,
            home: thread::current().id(),
            progress: Progress::current(),
            state: Mutex::default(),
            changed: Condvar::new(),
            timers: Mutex::default(),
            jobs: Jobs::default(),
            deadlocked: AtomicBool::new(false),
            panics: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            in_poll: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn at_home(&self) -> bool {
        thread::current().id() == self.home
    }

    /// Notifies the driver that there is something to do.
    pub(crate) fn tell(&self) {
        let mut state = self.lock();
        if !self.is(LocalsLast) {
            let unseen = std::mem::take(&mut state.unseen);
            state.queue.extend(unseen);
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn push(&self, entry: Entry, told: bool) {
        let mut state = self.lock();
        if !told {
            return state.unseen.push_back(entry);
        }
        match (self.fault, &entry) {
            (WokenHasOnePlace, Entry::Task(cell)) if cell.polls.load(SeqCst) > 0 => {
                // Every other task that was woken and not polled yet is forgotten.
                let keep = |entry: &Entry| !matches!(entry, Entry::Task(other) if other.polls.load(SeqCst) > 0);
                state.queue.retain(keep);
                state.queue.push_back(entry);
            }
            (NewestFirst, _) => state.queue.push_front(entry),
            (PartnerFirst, Entry::Task(cell)) if IN_POLL.get() && !cell.polling.load(SeqCst) => {
                state.queue.push_front(entry);
            }
            (SpawnedInPollFirst, Entry::Task(cell))
                if IN_POLL.get() && cell.polls.load(SeqCst) == 0 =>
            {
                state.queue.push_front(entry);
            }
            (LocalsFirst, Entry::Local(_)) => state.queue.push_front(entry),
            (LocalsLast, Entry::Local(_)) => state.unseen.push_back(entry),
            (ForeignLast, _) if !self.at_home() => {
                // Looked at when there is nothing else: see `next`.
                state.unseen.push_back(entry);
            }
            _ => state.queue.push_back(entry),
        }
        drop(state);
        self.changed.notify_all();
    }

    /// A call that would wait for itself, in earnest: the driver must know, because a panic here
    /// could be one inside of a destructor.
    pub(crate) fn deadlock(&self) {
        self.deadlocked.store(true, SeqCst);
        self.progress.is_stuck();
    }

    pub(crate) fn closed(&self) -> bool {
        self.lock().closed
    }
}
