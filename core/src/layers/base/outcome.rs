//! How a child ended.

use super::deadlock::Deadlock;
use super::panic::{Panic, Payload, catch_drop};
use super::reason::Reason;
use super::sync::Arc;
use std::any::Any;

/// How a child ended.
#[derive(Debug)]
pub enum Outcome<T, E> {
    /// It returned `Ok`.
    Ok(T),
    /// It returned `Err`. The error is shared with the nursery, which reports it too.
    Err(Arc<E>),
    /// It was cancelled, for this reason, before it came to its own end.
    Cancelled(Reason),
    /// It panicked, or one of its destructors did.
    Panicked(Panic),
    /// The runtime dropped it before it ended: the runtime was shut down, or is broken.
    Lost,
}

/// What a child is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// It is waiting for a thread: for its first poll, or, because it was woken, for the next.
    ///
    /// Of a task that has a task of the runtime for its own only the first is seen: a wake is the
    /// runtime's, and it is [`Waiting`](TaskState::Waiting) until it is polled.
    Queued,
    /// It is being polled or dropped.
    Running,
    /// It is waiting to be woken.
    Waiting,
    /// It has ended. Nothing is left of it but, perhaps, its outcome.
    Ended,
}

/// The part of an outcome that the nursery keeps: everything but the value, with the error's type
/// erased. (One nursery has one error type, which its public handle knows.)
pub(crate) enum Ending {
    Ok,
    Err(Arc<dyn Any + Send + Sync>),
    Cancelled(Reason),
    /// It ended as cancelled, with an error that is an echo. Never an [`Outcome`]: that is
    /// `Cancelled`.
    Echo(Box<(Reason, Arc<dyn Any + Send + Sync>)>),
    /// It needed the value of a child that has none. As an [`Outcome`] it is `Cancelled`.
    NoValue(Reason),
    Panicked(Panic),
    Lost,
    /// The nursery did not wait for the task any longer, because it blocks its thread. Part of a
    /// failure, never the outcome of a child.
    Stuck,
    /// A guard has found that the nursery waits for itself. Only of a body.
    Deadlock(Deadlock),
}

impl<T, E: Send + Sync + 'static> Outcome<T, E> {
    /// Drops the value, if there is one, and keeps the rest. The `Result` is an error if the
    /// destructor panicked.
    pub(crate) fn into_ending(self) -> (Ending, Result<(), Payload>) {
        let ending = match self {
            Outcome::Ok(value) => return (Ending::Ok, catch_drop(value)),
            Outcome::Err(error) => Ending::Err(error),
            Outcome::Cancelled(reason) => Ending::Cancelled(reason),
            Outcome::Panicked(panic) => Ending::Panicked(panic),
            Outcome::Lost => Ending::Lost,
        };
        (ending, Ok(()))
    }

    pub(crate) fn ending(&self) -> Ending {
        match self {
            Outcome::Ok(_) => Ending::Ok,
            Outcome::Err(error) => Ending::Err(error.clone()),
            Outcome::Cancelled(reason) => Ending::Cancelled(reason.clone()),
            Outcome::Panicked(panic) => Ending::Panicked(panic.clone()),
            Outcome::Lost => Ending::Lost,
        }
    }
}
