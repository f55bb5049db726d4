//! A blocking pool without threads: a job runs when and where the test says so.

use allhome_rt::{Job, SpawnBlocking};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A blocking pool that keeps its jobs until the test takes them. Clones are the same pool.
#[derive(Clone, Default)]
pub struct Jobs {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    kept: VecDeque<Job>,
    refuses: bool,
}

impl Jobs {
    /// Makes a pool with nothing to do.
    pub fn new() -> Jobs {
        Jobs::default()
    }

    /// Returns the number of jobs that it was given and that were not taken.
    pub fn len(&self) -> usize {
        self.state().kept.len()
    }

    /// Returns `true` if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the job that was given first. The caller calls or drops it.
    pub fn take(&self) -> Option<Job> {
        self.state().kept.pop_front()
    }

    /// Runs the job that was given first, on the present thread. Returns `false` if there is none.
    pub fn run(&self) -> bool {
        self.take().map(|job| job()).is_some()
    }

    /// Makes it drop every job from now on.
    pub fn refuse(&self) {
        self.state().refuses = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpawnBlocking for Jobs {
    fn spawn_blocking(&self, job: Job) {
        let mut state = self.state();
        if state.refuses {
            drop(state);
            drop(job);
        } else {
            state.kept.push_back(job);
        }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").field("kept", &self.len()).finish_non_exhaustive()
    }
}
