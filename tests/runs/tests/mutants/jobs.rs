//! The honest executor's blocking pool, and its faults.

use super::base::Shared;
use super::fault::Fault::*;
use allhome_rt::{Job, SpawnBlocking};
use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The jobs that wait, and the threads that run them: these end when there is nothing to do.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<State>);

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: Vec<JoinHandle<()>>,
    running: usize,
    taken: usize,
    begun: usize,
    stuck: bool,
    ended: bool,
}

thread_local! {
    static ON_WORKER: Cell<bool> = const { Cell::new(false) };
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a job runs, and so may end; and how many have begun.
    pub(crate) fn busy(&self) -> (bool, usize) {
        let state = self.lock();
        (state.running > 0, state.begun)
    }

    pub(crate) fn on_worker(&self) -> bool {
        ON_WORKER.get()
    }

    /// Drops those that wait, and waits for those that run.
    pub(crate) fn end(&self, shared: &Shared) {
        let mut state = self.lock();
        state.ended = true;
        let (queue, threads) =
            (std::mem::take(&mut state.queue), std::mem::take(&mut state.threads));
        drop(state);
        if shared.is(JobsAreLeaked) {
            forget(queue);
        } else {
            drop(queue);
        }
        for thread in threads.into_iter().filter(|own| own.thread().id() != thread::current().id())
        {
            let _ = thread.join();
        }
    }

    fn work(&self, shared: &Shared) {
        ON_WORKER.set(true);
        loop {
            let mut state = self.lock();
            let next = if state.stuck { None } else { state.queue.pop_front() };
            let Some(job) = next else {
                state.running -= 1;
                drop(state);
                return shared.tell();
            };
            state.begun += 1;
            drop(state);
            let panicked = catch_unwind(AssertUnwindSafe(job)).is_err();
            if panicked && shared.is(JobPanicEndsPool) {
                self.lock().stuck = true;
            }
        }
    }
}

pub(crate) struct Pool(pub(crate) Arc<Shared>);

impl SpawnBlocking for Pool {
    fn spawn_blocking(&self, job: Job) {
        let shared = &self.0;
        let mut state = shared.jobs.lock();
        if state.ended || shared.closed() {
            drop(state);
            return if shared.is(JobAfterEndLeaks) { forget(job) } else { drop(job) };
        }
        state.taken += 1;
        if shared.is(JobsWaitForAThread) {
            // A thread that is free soon comes within this; one that is not, never. It sleeps, since the
            // fault is that nothing notifies it.
            let begun = Instant::now();
            while state.queue.len() > 100 && begun.elapsed() < Duration::from_millis(300) {
                drop(state);
                thread::sleep(Duration::from_millis(1));
                state = shared.jobs.lock();
            }
            if state.queue.len() > 100 {
                shared.deadlock();
            }
        }
        match shared.fault {
            // Of those in the queue at once it would depend on how fast the threads are.
            JobQueueOf100 if state.taken > 100 => return forget(job),
            EveryTenthJobDropped if state.taken % 10 == 0 => {
                drop(state);
                return drop(job);
            }
            JobsRunInline if state.taken > 6 => {
                drop(state);
                return job();
            }
            _ => state.queue.push_back(job),
        }
        let most = if shared.is(OneJobAtATime) { 1 } else { 8 };
        if state.running < most {
            state.running += 1;
            let shared = shared.clone();
            if shared.is(JobThreadIsLeft) {
                drop(thread::spawn(leave));
            }
            let thread = thread::spawn(move || shared.jobs.work(&shared));
            state.threads.push(thread);
        }
    }
}

/// A thread that nothing ends.
pub(crate) fn leave() {
    loop {
        thread::park();
    }
}
