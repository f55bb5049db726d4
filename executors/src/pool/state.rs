//! The state word of a task.
//!
//! | flag       | set by                                  | cleared by          |
//! |------------|-----------------------------------------|---------------------|
//! | `NOTIFIED` | spawn, every wake                       | `start`             |
//! | `RUNNING`  | `start`, just before a poll             | `pause`, `finish`   |
//! | `DONE`     | `finish`: ready, panicked or thrown away | never              |
//!
//! | from                  | event    | to                    | the caller must          |
//! |-----------------------|----------|-----------------------|--------------------------|
//! | none                  | `wake`   | `NOTIFIED`            | put the task in a queue  |
//! | `NOTIFIED`            | `wake`   | same                  | nothing: it is queued    |
//! | `RUNNING`             | `wake`   | `RUNNING + NOTIFIED`  | nothing: `pause` sees it |
//! | `NOTIFIED`            | `start`  | `RUNNING`             | poll                     |
//! | `RUNNING`             | `pause`  | none                  | nothing                  |
//! | `RUNNING + NOTIFIED`  | `pause`  | `NOTIFIED`            | put the task in a queue  |
//! | any                   | `finish` | `DONE`                | drop the future          |
//! | `DONE` with any other | any      | has `DONE`            | nothing                  |
//!
//! # Invariants
//!
//! 1. A task is in one queue, or on its way there, if and only if it is `NOTIFIED` and neither
//!    `RUNNING` nor `DONE`. (An entry of a task that is done may be left over: `start` skips it.)
//! 2. So at most one thread is between `start` and `pause`: polls never overlap.
//!
//! # Memory ordering
//!
//! Every transition is a read-modify-write with `AcqRel`, or ends the word's life. What a waker's
//! caller wrote before `wake` is released by it and acquired by the `start` or the `pause` that
//! follows in the word's modification order, also when the task was already queued.

use std::sync::atomic::{AtomicU8, Ordering};

const NOTIFIED: u8 = 1;
const RUNNING: u8 = 2;
const DONE: u8 = 4;

pub(super) struct State(AtomicU8);

/// What the caller of a transition must do.
#[must_use = "a task that should be queued and is not would never be polled again"]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Put the task in a queue.
    Push,
    /// Nothing: it is in a queue, or will be, or has no reason to be.
    Leave,
}

/// Whether a task that came out of a queue is to be polled.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    Poll,
    Skip,
}

impl State {
    /// The state of a task that its spawner puts in a queue.
    pub(super) fn queued() -> State {
        State(AtomicU8::new(NOTIFIED))
    }

    pub(super) fn transition_to_notified(&self) -> Queue {
        // AcqRel: releases to the AcqRel in `transition_to_running` and `transition_to_idle`.
        match self.0.fetch_or(NOTIFIED, Ordering::AcqRel) {
            0 => Queue::Push,
            _ => Queue::Leave,
        }
    }

    pub(super) fn transition_to_running(&self) -> Start {
        // AcqRel: acquires from `transition_to_notified`.
        let before = self.0.fetch_xor(NOTIFIED | RUNNING, Ordering::AcqRel);
        if before & DONE != 0 {
            return Start::Skip;
        }
        debug_assert_eq!(before, NOTIFIED, "invariant 1");
        Start::Poll
    }

    pub(super) fn transition_to_idle(&self) -> Queue {
        // AcqRel: acquires from a wake during the poll; releases the poll to the next one.
        let before = self.0.fetch_and(!RUNNING, Ordering::AcqRel);
        if before & DONE == 0 && before & NOTIFIED != 0 { Queue::Push } else { Queue::Leave }
    }

    pub(super) fn transition_to_done(&self) {
        // Release is enough: whoever finds DONE leaves the task alone and reads nothing else.
        self.0.store(DONE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wake_while_queued_then_poll_then_wake_twice_during_poll() {
        let state = State::queued();
        assert_eq!(state.transition_to_notified(), Queue::Leave);
        assert_eq!(state.transition_to_running(), Start::Poll);
        assert_eq!(state.transition_to_notified(), Queue::Leave);
        assert_eq!(state.transition_to_notified(), Queue::Leave);
        assert_eq!(state.transition_to_idle(), Queue::Push);
        assert_eq!(state.transition_to_running(), Start::Poll);
        assert_eq!(state.transition_to_idle(), Queue::Leave);
        assert_eq!(state.transition_to_notified(), Queue::Push);
    }

    #[test]
    fn done_then_anything() {
        let state = State::queued();
        assert_eq!(state.transition_to_running(), Start::Poll);
        state.transition_to_done();
        assert_eq!(state.transition_to_notified(), Queue::Leave);
        assert_eq!(state.transition_to_idle(), Queue::Leave);
        assert_eq!(state.transition_to_running(), Start::Skip);
        assert_eq!(state.transition_to_notified(), Queue::Leave);
    }
}
