//! What the verbs return that spawn a child without a handle.

use crate::layers::base::id::TaskId;
use crate::layers::base::reason::Reason;
use std::error::Error;
use std::fmt;

/// Whether a child was admitted: what [`spawn`](crate::Nursery::spawn) and
/// [`go`](crate::Nursery::go) return. It may be ignored.
#[derive(Debug, Clone)]
pub struct Spawned {
    result: Result<TaskId, Reason>,
}

impl Spawned {
    pub(crate) fn new(result: Result<TaskId, Reason>) -> Spawned {
        Spawned { result }
    }

    /// Returns `true` if the child was admitted.
    pub fn is_admitted(&self) -> bool {
        self.result.is_ok()
    }

    /// Returns the child's id, or `None` if the child was refused.
    pub fn id(&self) -> Option<TaskId> {
        self.result.as_ref().ok().copied()
    }

    /// Returns why the child was refused, or `None` if it was admitted. The future of a refused
    /// child was dropped unpolled.
    pub fn refused(&self) -> Option<&Reason> {
        self.result.as_ref().err()
    }

    /// Converts into a `Result`, for `?`.
    ///
    /// # Errors
    ///
    /// Returns the [`Reason`] for which the child was refused.
    pub fn into_result(self) -> Result<TaskId, Reason> {
        self.result
    }
}

/// A child that was refused, with its future: the error of
/// [`try_spawn`](crate::Nursery::try_spawn).
pub struct Refused<F> {
    /// In a box, since a big value is not passed from function to function.
    future: Box<F>,
    reason: Reason,
}

impl<F> Refused<F> {
    pub(crate) fn new(future: Box<F>, reason: Reason) -> Refused<F> {
        Refused { future, reason }
    }

    pub(crate) fn map<G>(self, f: impl FnOnce(F) -> G) -> Refused<G> {
        Refused { future: Box::new(f(*self.future)), reason: self.reason }
    }

    /// Returns the future, which was not polled.
    pub fn into_future(self) -> F {
        *self.future
    }

    /// Returns why the child was refused.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl<F> fmt::Display for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the nursery takes no more children: {}", self.reason)
    }
}

impl<F> fmt::Debug for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> Error for Refused<F> {
    /// Returns what caused the reason, which itself is part of the text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}
