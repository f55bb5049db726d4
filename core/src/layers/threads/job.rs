//! A task of the crew.
//!
//! | stage   | the task is | a wake              | a hand takes it from the queue | the crew closes       |
//! |---------|-------------|---------------------|--------------------------------|-----------------------|
//! | queued  | here        | –                   | polled                         | over; the task is dropped |
//! | polled  | with a hand | woken               | –                              | over; the hand drops it |
//! | woken   | with a hand | –                   | –                              | over; the hand drops it |
//! | waiting | here        | queued              | –                              | over; the task is dropped |
//! | over    | gone        | –                   | –                              | –                     |
//!
//! A hand puts back a task that is not ready: *polled* becomes waiting, and *woken* queued.
//!
//! # Invariants
//!
//! 1. A job is in the queue if and only if it is queued, or was queued when the crew closed.

use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::panic;
use crate::layers::base::sync::Arc;
use crate::layers::context;
use allhome_rt::Task;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

/// Where jobs are queued: the crew.
pub(super) trait Queue: Send + Sync {
    fn push(&self, job: Arc<Job>);

    /// The task of the job with this place was dropped.
    fn forget(&self, job: usize);
}

pub(super) struct Job {
    crew: Arc<dyn Queue>,
    /// Its place among the crew's.
    at: usize,
    state: Guarded<(Stage, Option<Foreign<Task>>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Queued,
    Polled,
    Woken,
    Waiting,
    Over,
}

impl Job {
    /// Makes one that is queued.
    pub(super) fn new(crew: Arc<dyn Queue>, at: usize, task: Foreign<Task>) -> Job {
        Job { crew, at, state: Guarded::new((Stage::Queued, Some(task))) }
    }

    /// Polls its task, as outside of any nursery.
    pub(super) fn run(self: Arc<Self>) {
        let taken = self.state.locked(|(stage, task)| {
            let task = task.take()?;
            *stage = Stage::Polled;
            Some(task)
        });
        let Some(mut task) = taken else { return };
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        let polled = context::nowhere(|| panic::catch(|| Pin::new(&mut *task).poll(&mut cx)));
        match polled {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => return self.is_over(task),
            Err(payload) => {
                panic::discard(payload);
                return self.is_over(task);
            }
        }
        let (again, left) = self.state.locked(|(stage, place)| match stage {
            Stage::Over => (false, Some(task)),
            Stage::Woken => {
                (*stage, *place) = (Stage::Queued, Some(task));
                (true, None)
            }
            Stage::Polled | Stage::Queued | Stage::Waiting => {
                (*stage, *place) = (Stage::Waiting, Some(task));
                (false, None)
            }
        });
        context::nowhere(|| drop(left));
        if again {
            let crew = self.crew.clone();
            crew.push(self);
        }
    }

    fn is_over(&self, task: Foreign<Task>) {
        self.state.locked(|(stage, _)| *stage = Stage::Over);
        context::nowhere(|| drop(task));
        self.crew.forget(self.at);
    }

    /// The crew is closed.
    pub(super) fn end(&self) {
        let left = self.state.locked(|(stage, task)| {
            *stage = Stage::Over;
            task.take()
        });
        context::nowhere(|| drop(left));
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        let queued = self.state.locked(|(stage, _)| {
            let was = *stage;
            *stage = match was {
                Stage::Waiting => Stage::Queued,
                Stage::Polled => Stage::Woken,
                other => other,
            };
            was == Stage::Waiting
        });
        if queued {
            let crew = self.crew.clone();
            crew.push(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Job::wake(self.clone());
    }
}
