//! A nursery's result with the body's value beside the failures.

use super::error::{Failure, GroupError};
use std::fmt;

/// Keeps what a nursery's body returned beside what went wrong: the result of
/// [`Run::settle`](crate::task::Run::settle).
#[must_use = "it may have an error; `into_result` gives the one or the other"]
#[non_exhaustive]
pub struct Settled<R, E> {
    /// What the body returned, unless it failed, panicked or was cut off.
    pub value: Option<R>,
    /// What [`run`](crate::Builder::run) returns as an error, if anything.
    pub error: Option<GroupError<E>>,
    /// The errors that are no failures, because they say once more what is known: see
    /// [`GroupError::echoes`].
    pub echoes: Vec<Failure<E>>,
    /// How many failures were forgotten, as [`Policy::Supervise`](crate::Policy::Supervise) asks.
    pub forgotten: usize,
}

impl<R, E> Settled<R, E> {
    /// Converts into what [`run`](crate::Builder::run) returns.
    ///
    /// # Errors
    ///
    /// Returns the error, if there is one, and drops the body's value then.
    pub fn into_result(self) -> Result<R, GroupError<E>> {
        match (self.error, self.value) {
            (Some(error), _) => Err(error),
            (None, value) => Ok(value.expect("a nursery without an error has a value")),
        }
    }
}

impl<R: fmt::Debug, E: Send + Sync + 'static> fmt::Debug for Settled<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settled")
            .field("value", &self.value)
            .field("error", &self.error)
            .field("echoes", &self.echoes)
            .field("forgotten", &self.forgotten)
            .finish()
    }
}
