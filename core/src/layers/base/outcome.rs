//! How a child ended.

use super::panic::{Panic, Payload, catch_drop};
use super::reason::Reason;
use super::sync::Arc;
use std::any::Any;
use std::fmt;

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
    /// It is waiting for its first poll.
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

/// Why a child has no value: the error of a [`Child`](crate::Child) that is awaited.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Outcome, Policy, ThreadPool, block_on, nursery};
///
/// let nursery = nursery().on(ThreadPool::global()).policy(Policy::Isolate);
/// let text = block_on(nursery.run(async |n: Nursery<String>| {
///     let child = n.fork(async { Err::<u32, _>("no such file".to_string()) });
///     let error = child.await.expect_err("the child fails");
///     Ok(match error.into_outcome::<u32>() {
///         Some(Outcome::Err(error)) => format!("failed: {error}"),
///         Some(Outcome::Cancelled(reason)) => format!("cancelled: {reason}"),
///         Some(Outcome::Panicked(panic)) => format!("panicked: {}", panic.message()),
///         Some(Outcome::Ok(_) | Outcome::Lost) | None => "lost".to_string(),
///     })
/// }));
/// assert_eq!(text?, "failed: no such file");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JoinError<E> {
    kind: JoinFailure<E>,
}

enum JoinFailure<E> {
    Failed(Arc<E>),
    Cancelled(Reason),
    Panicked(Panic),
    Lost,
    Taken,
}

impl<E> JoinError<E> {
    pub(crate) fn taken() -> JoinError<E> {
        JoinError { kind: JoinFailure::Taken }
    }

    pub(crate) fn split<T>(outcome: Outcome<T, E>) -> Result<T, JoinError<E>> {
        let kind = match outcome {
            Outcome::Ok(value) => return Ok(value),
            Outcome::Err(error) => JoinFailure::Failed(error),
            Outcome::Cancelled(reason) => JoinFailure::Cancelled(reason),
            Outcome::Panicked(panic) => JoinFailure::Panicked(panic),
            Outcome::Lost => JoinFailure::Lost,
        };
        Err(JoinError { kind })
    }

    /// Returns the child's own error, if it failed with one. The nursery reports it as well, unless
    /// its policy is [`Isolate`](crate::Policy::Isolate).
    pub fn error(&self) -> Option<&Arc<E>> {
        match &self.kind {
            JoinFailure::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Returns why the child was cancelled or refused, if it was.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.kind {
            JoinFailure::Cancelled(reason) => Some(reason),
            _ => None,
        }
    }

    /// Returns the child's panic, if it panicked.
    pub fn panic(&self) -> Option<&Panic> {
        match &self.kind {
            JoinFailure::Panicked(panic) => Some(panic),
            _ => None,
        }
    }

    /// Returns `true` if the runtime dropped the child before it ended.
    pub fn is_lost(&self) -> bool {
        matches!(self.kind, JoinFailure::Lost)
    }

    /// Returns `true` if the outcome had been taken before: the handle was awaited twice.
    pub fn is_taken(&self) -> bool {
        matches!(self.kind, JoinFailure::Taken)
    }

    /// Converts into the outcome, or `None` if the outcome had been taken before.
    pub fn into_outcome<T>(self) -> Option<Outcome<T, E>> {
        match self.kind {
            JoinFailure::Failed(error) => Some(Outcome::Err(error)),
            JoinFailure::Cancelled(reason) => Some(Outcome::Cancelled(reason)),
            JoinFailure::Panicked(panic) => Some(Outcome::Panicked(panic)),
            JoinFailure::Lost => Some(Outcome::Lost),
            JoinFailure::Taken => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for JoinError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            JoinFailure::Failed(error) => write!(f, "child failed: {error}"),
            JoinFailure::Cancelled(reason) => write!(f, "child was cancelled: {reason}"),
            JoinFailure::Panicked(panic) => write!(f, "child {panic}"),
            JoinFailure::Lost => f.write_str("child was lost: the runtime dropped it"),
            JoinFailure::Taken => f.write_str("the child's outcome was taken before"),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for JoinError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            JoinFailure::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            JoinFailure::Cancelled(reason) => f.debug_tuple("Cancelled").field(reason).finish(),
            JoinFailure::Panicked(panic) => f.debug_tuple("Panicked").field(panic).finish(),
            JoinFailure::Lost => f.write_str("Lost"),
            JoinFailure::Taken => f.write_str("Taken"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for JoinError<E> {}
