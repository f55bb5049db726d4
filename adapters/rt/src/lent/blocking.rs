//! The blocking pool that is lent: as many threads as there is work for, up to a limit.
//!
//! A job goes to a waiting thread, or else to a new one, or else, at the limit, into the queue,
//! which is first in, first out. A thread that has waited for the keep-alive time ends.
//!
//! # Invariants
//!
//! 1. `waiting` threads wait for the condition variable, or were notified and do not have the lock
//!    yet. At most that many jobs are in the queue without a thread having been started or the
//!    limit being reached.
//! 2. A thread looks into the queue under the lock before it ends: a job that was queued for it
//!    is not left behind.
//! 3. Jobs are in the queue only while there is a thread, or one is about to be started. If none
//!    can be, they are dropped.
//!
//! # Lock order
//!
//! There is one lock. Jobs are called and dropped after it is released: they are foreign code.

use super::contain;
use crate::{Job, SpawnBlocking};
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// As many threads as work at once. tokio and smol have about as many.
pub(super) const LIMIT: usize = 512;

/// How long an idle thread waits for a job.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Starts a thread.
type Start = fn(Arc<Shared>) -> io::Result<()>;

pub(super) fn start(shared: Arc<Shared>) -> io::Result<()> {
    let thread = thread::Builder::new().name("allhome-blocking".to_owned());
    thread.spawn(move || shared.work()).map(drop)
}

/// A cheap handle.
#[derive(Clone)]
pub(super) struct Lent {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    limit: usize,
    keep_alive: Duration,
    state: Mutex<State>,
    job_added: Condvar,
    start: Start,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    waiting: usize,
    threads: usize,
}

impl Lent {
    pub(super) fn new(limit: usize, keep_alive: Duration, start: Start) -> Lent {
        let (state, job_added) = (Mutex::default(), Condvar::new());
        Lent { shared: Arc::new(Shared { limit, keep_alive, state, job_added, start }) }
    }
}

impl SpawnBlocking for Lent {
    fn spawn_blocking(&self, job: Job) {
        let mut state = self.shared.lock();
        state.jobs.push_back(job);
        if state.jobs.len() <= state.waiting {
            drop(state);
            self.shared.job_added.notify_one();
        } else if state.threads < self.shared.limit {
            state.threads += 1;
            drop(state);
            if (self.shared.start)(Arc::clone(&self.shared)).is_err() {
                self.shared.not_started();
            }
        }
    }
}

impl Shared {
    /// The system has no thread for a job. Another thread comes to it; if there is none, the jobs
    /// are dropped, which reports them as lost.
    fn not_started(&self) {
        let mut state = self.lock();
        state.threads -= 1;
        let jobs = if state.threads == 0 { mem::take(&mut state.jobs) } else { VecDeque::new() };
        drop(state);
        jobs.into_iter().for_each(|job| contain(|| drop(job)));
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            contain(job);
        }
    }

    /// Waits for a job, or for the end of the thread.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state.waiting += 1;
            let waited = self.job_added.wait_timeout(state, self.keep_alive);
            let (back, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.waiting -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                // Under the lock of that look: the next job gets another thread.
                state.threads -= 1;
                return None;
            }
        }
    }

    /// No foreign code runs while it is held, so it is never poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
