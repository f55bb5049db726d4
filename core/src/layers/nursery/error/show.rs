//! How the error of a nursery shows itself, to users and to other errors.
//!
//! | | `GroupError` | `Failure` |
//! |---|---|---|
//! | `{}` | nursery, first failure, how many others | task, and its error's text |
//! | `{:#}` | the same, with what is behind the first error | the same, with what is behind it |
//! | `{:?}` | a report: a line for each failure, as `{:#}`; what is not listed, counted by kind | as `{:#}` |
//! | `source` | what is behind the first error | what is behind the error |
//!
//! The text has the error's own in it, as that of `io::Error::other` and of a transparent
//! `thiserror` variant: it is what most logs print. So `source` begins below it, and a chain that is
//! printed has each text once.

use super::{Cause, Failure, GroupError};
use crate::layers::base::reason::{Reason, ReasonKind};
use std::error::Error;
use std::fmt::{self, Write};
use std::io;

impl<E: Send + Sync + 'static> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Cause::NoRuntime(error) = &self.cause {
            return write!(f, "not opened: {error}"); // It has no body yet to speak of.
        }
        if let Cause::Deadlock(deadlock) = &self.cause {
            return write!(f, "{deadlock}"); // Of all that is in it, not of the body alone.
        }
        write!(f, "{} ", self.who)?;
        match &self.cause {
            Cause::Error(error) => {
                f.write_str("failed: ")?;
                (self.view)(&**error).fmt(f)
            }
            Cause::Panic(panic) => write!(f, "{panic}"),
            Cause::Lost => f.write_str("was lost: the runtime dropped it"),
            Cause::Stuck => f.write_str("is stuck: it was cancelled, and still blocks its thread"),
            Cause::Cancelled(reason) => write!(f, "was cancelled: {reason}"),
            Cause::NoRuntime(_) | Cause::Deadlock(_) => Ok(()),
            Cause::NoValue(reason) => write!(f, "needed a value, but {}", reason.message()),
        }
    }
}

impl<E: Send + Sync + 'static> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "nursery `{name}`: ")?,
            None => write!(f, "nursery at {}: ", self.location())?,
        }
        self.first().fmt(f)?;
        match self.inner.failures.len() - 1 + self.omitted_count() {
            0 => Ok(()),
            others => write!(f, " (and {others} more)"),
        }
    }
}

impl<E: Send + Sync + 'static> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

/// A report of many lines: what `main` prints for an error that it returns.
impl<E: Send + Sync + 'static> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "nursery `{name}` (at {}) failed", self.location())?,
            None => write!(f, "nursery at {} failed", self.location())?,
        }
        for failure in self.failures() {
            write!(Indented(f), "\n{failure:#}")?;
        }
        write_omitted(f, self.omitted_count())?;
        self.write_counts(f)
    }
}

impl<E: Send + Sync + 'static> GroupError<E> {
    /// Writes what became of the others.
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = match self.reason().map(Reason::kind) {
            Some(ReasonKind::ChildFailed | ReasonKind::BodyFailed) => " because of that",
            _ => "",
        };
        write_count(f, &format!("cancelled{because}"), self.cancelled_count())?;
        write_count(f, "refused", self.refused_count())?;
        write_count(f, "failed, and forgotten", self.forgotten_count())?;
        let echoes = self.echoes().len() + self.omitted_echo_count();
        write_count(f, "echoes, which are no failures", echoes)?;
        for echo in self.echoes() {
            write!(Indented(f), "\n{echo:#}")?;
        }
        write_omitted(f, self.omitted_echo_count())
    }
}

/// Ends a list that is bounded.
fn write_omitted(f: &mut fmt::Formatter<'_>, omitted: usize) -> fmt::Result {
    match omitted {
        0 => Ok(()),
        _ => write!(f, "\n  and {omitted} more"),
    }
}

/// Writes a line, unless there is nothing to count.
fn write_count(f: &mut fmt::Formatter<'_>, what: &str, count: usize) -> fmt::Result {
    match count {
        0 => Ok(()),
        1 => write!(f, "\n{what}: 1 task"),
        _ => write!(f, "\n{what}: {count} tasks"),
    }
}

/// Puts each line that begins further to the right.
struct Indented<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Indented<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut lines = text.split('\n');
        self.0.write_str(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(self.0, "\n  {line}"))
    }
}

impl<E: Send + Sync + 'static> Error for Failure<E> {
    /// Returns what is behind the task's error, which itself is part of the text, or what caused the
    /// cancel.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Error(_) => self.view()?.behind(),
            Cause::Cancelled(reason) | Cause::NoValue(reason) => reason.source(),
            Cause::NoRuntime(error) => error.source(),
            Cause::Panic(_) | Cause::Lost | Cause::Stuck | Cause::Deadlock(_) => None,
        }
    }
}

impl<E: Send + Sync + 'static> Error for GroupError<E> {
    /// Returns what is behind the first failure.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first().source()
    }
}

// A body whose `?` meets an `io::Error` and gives one finds its nursery's error type by these, since
// there is one for each target: another one would break programs that compile. That set is fixed.

/// The kind is that of the first failure's error, and `TimedOut` for a nursery without a failure
/// whose deadline has passed. What is inside is the `GroupError`.
impl From<GroupError<io::Error>> for io::Error {
    fn from(error: GroupError<io::Error>) -> io::Error {
        let kind = match error.first().error() {
            Some(error) => error.kind(),
            None if error.is_cancel() && error.is_timeout() => io::ErrorKind::TimedOut,
            None => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// The text of the `GroupError`.
impl From<GroupError<String>> for String {
    fn from(error: GroupError<String>) -> String {
        error.to_string()
    }
}
