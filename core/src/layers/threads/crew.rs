//! The runtime of a thread scope: a queue of tasks that were woken, and the hands that poll them.
//!
//! A *hand* is a future: it is polled on the caller's thread, on one of the scope's own, or as a
//! task of another runtime.
//!
//! | a hand is  | it                          | a task comes into the queue | it is dropped                    |
//! |------------|-----------------------------|-----------------------------|----------------------------------|
//! | busy       | is polled, or has woken itself | finds it               | another one is notified, if there is a task |
//! | idle       | waits, and has left a waker | notified, and woken         | –                                |
//! | notified   | was woken                   | another one is notified     | another one is notified, if there is a task |
//!
//! # Invariants
//!
//! 1. If there is a task in the queue, a hand is busy or notified, or none is idle.
//! 2. The hand of the caller's thread is notified first, if it is idle: it is the one that is sure to be
//!    polled then. Another's thread may be held by a task of something else, or be driven by no one.
//!    So a task waits only where the caller's thread has something to do.
//! 3. `live` has every job whose task was not dropped, until the crew is closed; then there is none.
//!
//! # Lock order
//!
//! The crew's lock and a job's are never held together, and no task and no waker is touched under
//! either.

use super::job::{Job, Queue};
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::panic;
use crate::layers::base::sync::Arc;
use allhome_rt::{Runtime, Spawn, SpawnBlocking, Task, Timer};
use slab::Slab;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// The name that its runtime has.
const NAME: &str = "thread scope";

pub(super) struct Crew {
    state: Guarded<State>,
    hands: usize,
}

struct State {
    ready: VecDeque<Arc<Job>>,
    live: Slab<Arc<Job>>,
    hands: Vec<HandState>,
    /// Those that are idle, the last one last; and some that were, but do something else since.
    idle: Vec<usize>,
    /// The hand of the caller's thread.
    own: Option<usize>,
    is_closed: bool,
}

enum HandState {
    Busy,
    Idle(Foreign<Waker>),
    Notified,
    Gone,
}

/// What a hand does next.
enum Next {
    Job(Arc<Job>),
    /// It is idle.
    Waits,
    Over,
}

impl Crew {
    /// Makes the crew of so many hands, the caller's thread among them.
    pub(super) fn new(hands: usize) -> Arc<Crew> {
        let state = State {
            ready: VecDeque::new(),
            live: Slab::new(),
            hands: Vec::new(),
            idle: Vec::new(),
            own: None,
            is_closed: false,
        };
        Arc::new(Crew { state: Guarded::new(state), hands })
    }

    /// Makes its runtime, with the clock and the blocking threads of that one.
    pub(super) fn runtime(self: &Arc<Self>, of: Option<&Runtime>) -> Runtime {
        let runtime = Runtime::builder(NAME, self.spawner());
        match of {
            None => runtime.build(),
            Some(of) => runtime.timer(Of(of.clone())).blocking(Of(of.clone())).build(),
        }
    }

    pub(super) fn spawner(self: &Arc<Self>) -> impl Spawn + use<> {
        Spawner(self.clone())
    }

    /// Takes on a hand.
    pub(super) fn hand(self: &Arc<Self>) -> Hand {
        let at = self.state.locked(|state| {
            state.hands.push(HandState::Busy);
            state.hands.len() - 1
        });
        Hand { crew: self.clone(), at }
    }

    /// Takes on the hand of the caller's thread.
    pub(super) fn own_hand(self: &Arc<Self>) -> Hand {
        let hand = self.hand();
        self.state.locked(|state| state.own = Some(hand.at));
        hand
    }

    fn spawn(self: &Arc<Self>, task: Task) {
        let task = Foreign::new(task);
        let (refused, woken) = self.state.locked(|state| {
            if state.is_closed {
                return (Some(task), None);
            }
            let entry = state.live.vacant_entry();
            let job = Arc::new(Job::new(self.clone(), entry.key(), task));
            entry.insert(job.clone());
            state.ready.push_back(job);
            (None, state.notify())
        });
        drop(refused);
        woken.into_iter().for_each(Foreign::wake);
    }

    /// Drops every task, and takes no more; the hands are over.
    pub(super) fn close(&self) {
        let (jobs, ready, hands) = self.state.locked(|state| {
            state.is_closed = true;
            let jobs = std::mem::take(&mut state.live);
            (jobs, std::mem::take(&mut state.ready), std::mem::take(&mut state.hands))
        });
        drop(ready);
        jobs.into_iter().for_each(|(_, job)| job.end());
        for hand in hands {
            if let HandState::Idle(waker) = hand {
                waker.wake();
            }
        }
    }

    /// Takes a job for a hand; without one, the hand is idle.
    fn next(&self, hand: usize, waker: &Waker) -> Next {
        let (next, _old) = self.state.locked(|state| state.take(hand));
        if !matches!(next, Next::Waits) {
            return next;
        }
        let waker = Foreign::cloned(waker);
        self.state
            .locked(|state| {
                let (next, _) = state.take(hand);
                if matches!(next, Next::Waits) {
                    state.hands[hand] = HandState::Idle(waker);
                    state.idle.push(hand);
                    return (next, None);
                }
                (next, Some(waker))
            })
            .0
    }
}

impl Queue for Crew {
    fn push(&self, job: Arc<Job>) {
        let (_late, woken) = self.state.locked(|state| {
            if state.is_closed {
                return (Some(job), None);
            }
            state.ready.push_back(job);
            (None, state.notify())
        });
        woken.into_iter().for_each(Foreign::wake);
    }

    fn forget(&self, job: usize) {
        let _job = self.state.locked(|state| state.live.try_remove(job));
    }
}

impl State {
    /// Takes a job for a hand, which is busy from now on. Returns what it has left, too.
    fn take(&mut self, hand: usize) -> (Next, Option<HandState>) {
        if self.is_closed {
            return (Next::Over, None);
        }
        let was = std::mem::replace(&mut self.hands[hand], HandState::Busy);
        self.idle.retain(|idle| *idle != hand);
        (self.ready.pop_front().map_or(Next::Waits, Next::Job), Some(was))
    }

    /// Takes an idle hand: the caller's, or that which has been idle for the shortest time.
    fn notify(&mut self) -> Option<Foreign<Waker>> {
        self.own.and_then(|own| self.take_idle(own)).or_else(|| {
            while let Some(hand) = self.idle.pop() {
                let waker = self.take_idle(hand);
                if waker.is_some() {
                    return waker;
                }
            }
            None
        })
    }

    /// Notifies a hand, if it is idle.
    fn take_idle(&mut self, hand: usize) -> Option<Foreign<Waker>> {
        let state = &mut self.hands[hand];
        match std::mem::replace(state, HandState::Notified) {
            HandState::Idle(waker) => Some(waker),
            other => {
                *state = other;
                None
            }
        }
    }
}

/// Polls tasks of the crew, until that is closed.
pub(super) struct Hand {
    crew: Arc<Crew>,
    at: usize,
}

impl Future for Hand {
    type Output = ();

    /// Polls one task. Where it is over, it says so at once.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let job = match self.crew.next(self.at, cx.waker()) {
            Next::Job(job) => job,
            Next::Waits => return Poll::Pending,
            Next::Over => return Poll::Ready(()),
        };
        job.run();
        panic::wake_by_ref(cx.waker());
        Poll::Pending
    }
}

impl Hand {
    /// The thread does something else, and will poll it again: what is in the queue is for others.
    pub(super) fn pass_on(&self) {
        self.turn_to(HandState::Busy);
    }

    fn turn_to(&self, next: HandState) {
        let (_was, woken) = self.crew.state.locked(|state| {
            let Some(hand) = state.hands.get_mut(self.at) else { return (Some(next), None) };
            let was = std::mem::replace(hand, next);
            let woken = if state.ready.is_empty() { None } else { state.notify() };
            (Some(was), woken)
        });
        woken.into_iter().for_each(Foreign::wake);
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.turn_to(HandState::Gone);
    }
}

#[derive(Clone)]
struct Spawner(Arc<Crew>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }

    fn threads(&self) -> usize {
        self.0.hands
    }
}

/// The clock and the blocking threads of a runtime.
struct Of(Runtime);

impl Timer for Of {
    fn now(&self) -> allhome_rt::Instant {
        self.0.timer().now()
    }

    fn sleep_until(&self, at: allhome_rt::Instant) -> allhome_rt::BoxSleep {
        self.0.timer().sleep_until(at)
    }

    fn sleep_after(
        &self,
        duration: std::time::Duration,
    ) -> Option<(allhome_rt::Instant, allhome_rt::BoxSleep)> {
        self.0.timer().sleep_after(duration)
    }
}

impl SpawnBlocking for Of {
    fn spawn_blocking(&self, job: allhome_rt::Job) {
        self.0.spawn_blocking(job);
    }
}
