//! A nursery's result with the body's value beside the failures.

use super::error::{Failure, GroupError, assemble, typed};
use crate::layers::base::panic;
use crate::layers::base::reason::Reason;
use crate::layers::group::config::{Config, PanicPolicy};
use crate::layers::group::registry::report::Report;
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

/// Makes the result of a nursery, or of a scope, that has closed: with the body's value, or without.
/// `tell_end` notes in the caller's task that there is none for no other reason than a cancel.
///
/// # Panics
///
/// Resumes the first panic, if the policy says so.
pub(crate) fn settle<R, E: Send + Sync + 'static>(
    config: &Config,
    reason: Option<Reason>,
    report: Report,
    value: Option<R>,
    tell_end: impl FnOnce(Option<&Reason>),
) -> Settled<R, E> {
    if config.panics() == PanicPolicy::Resume {
        let payload = report.first_panic().and_then(|panic| panic.take_payload());
        if let Some(payload) = payload {
            panic::resume(payload);
        }
    }
    let forgotten = report.forgotten();
    let failed = !report.is_empty();
    if value.is_none() && !failed {
        // Nothing went wrong but the cancel, which may be that of the task around, too; or a
        // failure that a nursery around reports, and that the body has heard of.
        tell_end(report.body_reason());
    }
    let echoes = report.echoes().map(|entry| typed(entry, config.view)).collect();
    let error = (failed || value.is_none()).then(|| assemble(config, reason, report));
    Settled { value, error, echoes, forgotten }
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
