//! The threads for blocking jobs: as many as there is work for, up to a limit.
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
//! 3. `threads` has the handle of every thread that has not ended; `last_ended` the one that
//!    ended last, which the next one to end joins. So a stop can join them all.
//! 4. A closed pool has no jobs and takes none.
//!
//! # Lock order
//!
//! There is one lock. Jobs are called and dropped after it is released: they are foreign code.

use crate::current::{self, PoolId, Role};
use crate::guarded::{Foreign, Guarded};
use crate::panics::contain;
use allhome_rt::{Job, SpawnBlocking};
use parking_lot::Condvar;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A pool's blocking threads; a cheap handle.
#[derive(Clone)]
pub(crate) struct Blocking {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PoolId,
    pool_name: String,
    limit: usize,
    keep_alive: Duration,
    state: Guarded<State>,
    job_added: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Foreign<Job>>,
    waiting: usize,
    closed: bool,
    threads: HashMap<u64, JoinHandle<()>>,
    last_ended: Option<JoinHandle<()>>,
    next_number: u64,
}

impl Blocking {
    pub(crate) fn new(pool: PoolId, name: &str, limit: usize, keep_alive: Duration) -> Blocking {
        Blocking {
            shared: Arc::new(Shared {
                pool,
                pool_name: name.to_owned(),
                limit,
                keep_alive,
                state: Guarded::default(),
                job_added: Condvar::new(),
            }),
        }
    }

    /// Drops the queued jobs and ends the threads; waits for the running jobs if `join`.
    pub(crate) fn stop(&self, join: bool) {
        let (jobs, threads) = self.shared.state.locked(|state| {
            state.closed = true;
            let mut threads = Vec::new();
            if join {
                threads.extend(state.threads.drain().map(|(_, thread)| thread));
                threads.extend(state.last_ended.take());
            }
            (std::mem::take(&mut state.jobs), threads)
        });
        self.shared.job_added.notify_all();
        jobs.into_iter().for_each(Foreign::discard);
        for thread in threads {
            // It contains every panic, so there is none to report.
            let _ = thread.join();
        }
    }
}

impl SpawnBlocking for Blocking {
    fn spawn_blocking(&self, job: Job) {
        if let Some(refused) = self.shared.add(Foreign::new(job)) {
            refused.discard();
        }
    }
}

impl Shared {
    /// Queues a job. Gives one back that will never run, for the caller to drop.
    fn add(self: &Arc<Self>, job: Foreign<Job>) -> Option<Foreign<Job>> {
        let mut state = self.state.lock();
        if state.closed {
            return Some(job);
        }
        state.jobs.push_back(job);
        if state.jobs.len() <= state.waiting {
            drop(state);
            self.job_added.notify_one();
            return None;
        }
        if state.threads.len() < self.limit && !self.start(&mut state) && state.threads.is_empty() {
            // The system has no thread left, not even one that could come to the job later.
            return state.jobs.pop_back();
        }
        None
    }

    /// Starts a thread. Returns `false` if the system refuses.
    fn start(self: &Arc<Self>, state: &mut State) -> bool {
        let number = state.next_number;
        let shared = Arc::clone(self);
        let started = thread::Builder::new()
            .name(format!("{}-blocking-{number}", self.pool_name))
            .spawn(move || shared.work(number));
        match started {
            Ok(thread) => {
                state.next_number += 1;
                state.threads.insert(number, thread);
                true
            }
            Err(_) => false,
        }
    }

    fn work(&self, number: u64) {
        current::enter(self.pool, Role::Helper);
        loop {
            match self.next(number) {
                Next::Run(job) => {
                    contain(job.into_inner());
                }
                Next::End { join } => {
                    if let Some(thread) = join {
                        let _ = thread.join();
                    }
                    return;
                }
            }
        }
    }

    /// Waits for a job, or for the end of the thread with that number.
    fn next(&self, number: u64) -> Next {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Next::Run(job);
            }
            if state.closed {
                break;
            }
            state.waiting += 1;
            let timed_out = state.wait_for(&self.job_added, self.keep_alive);
            state.waiting -= 1;
            if timed_out && state.jobs.is_empty() {
                break;
            }
        }
        // Under the same lock as the last look into the queue: from here on this thread does not
        // count, and the next job gets a new one (invariant 2). The handle is missing if a stop
        // has taken it in order to join it.
        let join = match state.threads.remove(&number) {
            Some(own) => state.last_ended.replace(own),
            None => None,
        };
        Next::End { join }
    }
}

/// What a thread does next.
enum Next {
    Run(Foreign<Job>),
    /// It ends, and joins the one that ended before it.
    End {
        join: Option<JoinHandle<()>>,
    },
}
