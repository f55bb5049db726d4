//! What a simulation does in a step, and between two steps.

use super::failure::{Failure, FailureKind};
use super::fault::wake_elsewhere;
use super::simulation::Simulation;
use super::trace::Event;
use super::world::{ROOT, Runnable, State};
use crate::guarded::{Foreign, assert_none};
use crate::panics::message_of;
use allhome_rt::Instant;
use allhome_rt::Task;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// What a step has done.
pub(super) enum Step {
    /// It is the root's turn.
    Root,
    Done,
    /// No task is ready.
    Stalled,
}

impl Simulation {
    // ---- one step

    pub(super) fn step(&mut self) -> Result<Step, Failure> {
        self.strike();
        let mut state = self.world.lock();
        if state.ready.is_empty() {
            return Ok(Step::Stalled);
        }
        if state.steps >= self.most_steps {
            drop(state);
            let message = "the bound on the steps is reached, and the root is not done";
            return Err(self.failure(FailureKind::Livelock, message));
        }
        let at = self.chooser.next_task(state.ready.len(), state.ready.iter().map(Runnable::id));
        let item = state.ready.remove(at);
        state.steps += 1;
        match item {
            Some(Runnable::Root) => return Ok(Step::Root),
            Some(Runnable::Task { key, number }) => {
                let entry = &mut state.tasks[key];
                entry.woken = false;
                entry.polls += 1;
                let (taken, local) = (entry.task.take(), entry.local);
                state.running = Some(number);
                drop(state);
                if let Some(taken) = taken {
                    self.poll_task((key, number), taken, local);
                }
            }
            Some(Runnable::Job(number, job)) => {
                state.running = Some(number);
                state.trace.note(Event::Job(number));
                drop(state);
                let _inside = self.world.enter();
                self.contain(job.into_inner());
                self.world.lock().running = None;
            }
            None => {}
        }
        match self.panicked.take() {
            None => Ok(Step::Done),
            Some(message) => Err(self.failure(FailureKind::Panic, message)),
        }
    }

    fn poll_task(
        &mut self,
        (key, number): (usize, u64),
        (task, waker): (Foreign<Task>, Waker),
        local: bool,
    ) {
        let (task, waker, polled) = if local || self.threads.is_empty() {
            let _inside = self.world.enter();
            poll(task, waker)
        } else {
            self.threads.call(&self.world, move || poll(task, waker))
        };
        let mut state = self.world.lock();
        state.running = None;
        if matches!(polled, Ok(Poll::Pending)) && !state.closed {
            state.trace.note(Event::Wait(number));
            let entry = &mut state.tasks[key];
            entry.task = Some((task, waker));
            if entry.woken {
                self.chooser.yields(number);
                state.ready.push_back(Runnable::Task { key, number });
            }
            return;
        }
        let event = match polled {
            Ok(Poll::Pending) => Event::Drop(number),
            Ok(Poll::Ready(())) => Event::Done(number),
            Err(_) => Event::Panic(number),
        };
        state.trace.note(event);
        let entry = state.tasks.try_remove(key);
        drop(state);
        if let Err(message) = polled {
            self.panicked = Some(format!("task {number}: {message}"));
        }
        let _inside = self.world.enter();
        self.contain(|| drop((task, waker, entry)));
    }

    pub(super) fn poll_root<F: Future>(
        &mut self,
        root: Pin<&mut F>,
        waker: &Waker,
    ) -> Result<Poll<F::Output>, Failure> {
        let mut state = self.world.lock();
        state.root_ready = false;
        state.root_polls += 1;
        state.running = Some(ROOT);
        drop(state);
        let inside = self.world.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| root.poll(&mut Context::from_waker(waker))));
        drop(inside);
        let mut state = self.world.lock();
        state.running = None;
        state.trace.note(match &polled {
            Ok(Poll::Pending) => Event::Wait(ROOT),
            Ok(Poll::Ready(_)) => Event::Done(ROOT),
            Err(_) => Event::Panic(ROOT),
        });
        if !matches!(polled, Ok(Poll::Pending)) {
            state.root_ready = false;
        } else if state.root_ready {
            self.chooser.yields(ROOT);
            state.ready.push_back(Runnable::Root);
        }
        drop(state);
        polled.map_err(|payload| self.failure(FailureKind::Panic, message_of(payload)))
    }

    /// No task is ready, and the root waits: moves the clock, waits for other threads, or fails.
    pub(super) fn wait_or_fail(&mut self) -> Result<(), Failure> {
        let mut state = self.world.lock();
        // With a guard the clock stands still. Without one, a sleep ends the wait as a wake does,
        // and a thread outside may begin a sleep.
        while state.ready.is_empty()
            && (state.outside > 0 || (self.external_wakes && state.sleeps.is_empty()))
        {
            self.world.park(&mut state);
        }
        if !state.ready.is_empty() {
            return Ok(());
        }
        if state.sleeps.is_empty() {
            drop(state);
            let message = "no task is runnable, no timer is set, and the root is not done";
            return Err(self.failure(FailureKind::Deadlock, message));
        }
        drop(state);
        self.jump();
        Ok(())
    }

    // ---- time

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.world.lock().sleeps.first_key_value().map(|((at, _), _)| *at)
    }

    /// Moves the clock to the next deadline and wakes the task that waits for it. Returns `false`
    /// if there is no deadline.
    pub(super) fn jump(&mut self) -> bool {
        let mut state = self.world.lock();
        let Some(&(at, _)) = state.sleeps.first_key_value().map(|(key, _)| key) else {
            return false;
        };
        state.set_now(at, self.world.start);
        let mut due = Vec::new();
        while let Some(entry) = state.sleeps.first_entry().filter(|entry| entry.key().0 <= at) {
            due.push(entry.remove());
        }
        drop(state);
        let _inside = self.world.enter();
        for waker in due {
            if self.faults.foreign_wakes {
                wake_elsewhere(&self.world, waker.into_inner());
            } else {
                self.contain(|| waker.into_inner().wake());
            }
        }
        true
    }

    // ---- faults

    /// Makes the faults happen that come before the next step.
    fn strike(&mut self) {
        if self.faults.shutdown_at.is_some() {
            let mut state = self.world.lock();
            if self.faults.shutdown_at.is_some_and(|at| at <= state.steps) {
                self.faults.shutdown_at = None;
                state.trace.note(Event::Shutdown);
                drop(state);
                self.shutdown();
            }
        }
        if self.faults.spurious_wakes {
            self.wake_somebody();
        }
    }

    fn wake_somebody(&mut self) {
        let mut state = self.world.lock();
        let waiting: Vec<_> =
            state.tasks.iter().filter(|(_, entry)| !entry.woken).map(|(key, _)| key).collect();
        // Nothing is done when no task is ready: it would go on for ever, and hide a deadlock.
        if waiting.is_empty() || state.ready.is_empty() || !self.chooser.fault() {
            return;
        }
        let key = waiting[self.chooser.victim(waiting.len())];
        let entry = &state.tasks[key];
        let number = entry.number;
        state.trace.note(Event::Spurious(number));
        let waker = entry_waker(&state, key);
        if !self.faults.foreign_wakes {
            state.wake(key, number);
            drop(state);
            drop(waker);
            return;
        }
        drop(state);
        if let Some(waker) = waker {
            wake_elsewhere(&self.world, waker);
        }
    }

    pub(super) fn contain(&mut self, f: impl FnOnce()) {
        assert_none("the user's code is called");
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            self.panicked.get_or_insert(message_of(payload));
        }
    }
}

/// Polls a task; an error is the message of its panic.
fn poll(mut task: Foreign<Task>, waker: Waker) -> (Foreign<Task>, Waker, Result<Poll<()>, String>) {
    let mut cx = Context::from_waker(&waker);
    let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *task).poll(&mut cx)));
    (task, waker, polled.map_err(message_of))
}

fn entry_waker(state: &State, key: usize) -> Option<Waker> {
    state.tasks[key].task.as_ref().map(|(_, waker)| waker.clone())
}

impl State {
    pub(super) fn set_now(&mut self, now: Instant, start: Instant) {
        if now > self.now {
            self.now = now;
            self.trace.note(Event::Time(now.duration_since(start)));
        }
    }
}
