//! Why a child has no value.

use super::as_error::{ErrorView, View};
use super::id::TaskId;
use super::outcome::Outcome;
use super::panic::Panic;
use super::reason::{Reason, ReasonKind};
use super::sync::Arc;
use super::who::Who;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;

/// Why a child has no value: the error of a [`Child`](crate::Child) that is awaited.
///
/// It shows itself as the child and the error's own text; what is behind that error is its
/// [`source`](Error::source), and is shown too with `{:#}`. That holds for every error type that a
/// nursery can have, so `?` converts it into `anyhow::Error` and `Box<dyn Error>`, and a
/// `JoinError<io::Error>` into `io::Error`, with the same kind. [`find`](JoinError::find) looks for
/// an error of a type.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Policy, block_on, nursery};
/// use allhome::task::Outcome;
///
/// let nursery = nursery().policy(Policy::Isolate);
/// let text = block_on(nursery.run(async |n: Nursery<String>| {
///     let child = n.task("reader").fork(async { Err::<u32, _>("no such file".to_string()) });
///     let error = child.await.expect_err("the child fails");
///     assert_eq!(error.to_string(), "task `reader` failed: no such file");
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
    // Boxed: a `Result` of a join is as small as its value then.
    inner: Box<Inner<E>>,
}

struct Inner<E> {
    why: Why<E>,
    /// None: the outcome was taken before, and the child's name with it.
    child: Option<Who>,
}

enum Why<E> {
    Failed(Arc<E>, View),
    Cancelled(Reason),
    Refused(Reason),
    Panicked(Panic),
    Lost,
    Taken,
}

impl<E> JoinError<E> {
    fn new(why: Why<E>, child: Option<Who>) -> JoinError<E> {
        JoinError { inner: Box::new(Inner { why, child }) }
    }

    pub(crate) fn taken() -> JoinError<E> {
        JoinError::new(Why::Taken, None)
    }

    /// The error of a child that was not admitted, and so has no id.
    pub(crate) fn refused(reason: Reason, child: Who) -> JoinError<E> {
        JoinError::new(Why::Refused(reason), Some(child))
    }

    /// Returns the value, or why there is none. `view` is that of the child's nursery.
    pub(crate) fn split<T>(
        outcome: Outcome<T, E>,
        child: impl FnOnce() -> Who,
        view: View,
    ) -> Result<T, JoinError<E>> {
        let why = match outcome {
            Outcome::Ok(value) => return Ok(value),
            Outcome::Err(error) => Why::Failed(error, view),
            Outcome::Cancelled(reason) => Why::Cancelled(reason),
            Outcome::Panicked(panic) => Why::Panicked(panic),
            Outcome::Lost => Why::Lost,
        };
        Err(JoinError::new(why, Some(child())))
    }

    /// Returns the child's id, or `None` if it was refused or its outcome was taken before.
    pub fn task(&self) -> Option<TaskId> {
        self.inner.child.as_ref()?.task
    }

    /// Returns the child's name, if it has one and its outcome was not taken before.
    pub fn name(&self) -> Option<&str> {
        self.inner.child.as_ref()?.name.as_deref()
    }

    /// Returns where the child was spawned, or `None` if its outcome was taken before.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        Some(self.inner.child.as_ref()?.place)
    }

    /// Returns the child's own error, if it failed with one. The nursery reports it as well, unless
    /// its policy is [`Isolate`](crate::Policy::Isolate).
    pub fn error(&self) -> Option<&E> {
        match &self.inner.why {
            Why::Failed(error, _) => Some(error),
            _ => None,
        }
    }

    /// Returns why the child was cancelled or refused, if it was.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.inner.why {
            Why::Cancelled(reason) | Why::Refused(reason) => Some(reason),
            _ => None,
        }
    }

    /// Returns the child's panic, if it panicked.
    pub fn panic(&self) -> Option<&Panic> {
        match &self.inner.why {
            Why::Panicked(panic) => Some(panic),
            _ => None,
        }
    }

    /// Returns `true` if the runtime dropped the child before it ended.
    pub fn is_lost(&self) -> bool {
        matches!(self.inner.why, Why::Lost)
    }

    /// Returns `true` if the outcome had been taken before: the handle was awaited twice.
    pub fn is_taken(&self) -> bool {
        matches!(self.inner.why, Why::Taken)
    }

    /// Converts into the outcome, or `None` if the outcome had been taken before.
    pub fn into_outcome<T>(self) -> Option<Outcome<T, E>> {
        match self.inner.why {
            Why::Failed(error, _) => Some(Outcome::Err(error)),
            Why::Cancelled(reason) | Why::Refused(reason) => Some(Outcome::Cancelled(reason)),
            Why::Panicked(panic) => Some(Outcome::Panicked(panic)),
            Why::Lost => Some(Outcome::Lost),
            Why::Taken => None,
        }
    }
}

impl<E: Send + Sync + 'static> JoinError<E> {
    /// Returns the first error of the type `T` among the child's error and what is behind it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{BoxError, Policy, block_on, nursery};
    /// use std::num::ParseIntError;
    ///
    /// async fn number(text: &str) -> Result<u32, BoxError> {
    ///     Ok(text.parse()?)
    /// }
    ///
    /// let run = nursery().policy(Policy::Isolate).run(async |n| {
    ///     let error = n.fork(number("three")).await.expect_err("it is no number");
    ///     Ok(error.find::<ParseIntError>().is_some())
    /// });
    /// assert!(block_on(run)?);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find<T: Error + 'static>(&self) -> Option<&T> {
        self.view()?.find()
    }

    fn view(&self) -> Option<ErrorView<'_>> {
        match &self.inner.why {
            Why::Failed(error, view) => Some(view(&**error)),
            _ => None,
        }
    }
}

impl<E> Inner<E> {
    fn write_child(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.child {
            Some(child) if child.task.is_some() => fmt::Display::fmt(child, f),
            Some(Who { name: Some(name), .. }) => write!(f, "child `{name}`"),
            Some(Who { place, .. }) => write!(f, "child (spawned at {place})"),
            None => f.write_str("the child"),
        }
    }
}

impl<E: Send + Sync + 'static> fmt::Display for JoinError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.write_child(f)?;
        match &self.inner.why {
            Why::Failed(error, view) => {
                f.write_str(" failed: ")?;
                view(&**error).fmt(f)
            }
            Why::Cancelled(reason) => write!(f, " was cancelled: {reason}"),
            Why::Refused(reason) => write!(f, " was refused: {reason}"),
            Why::Panicked(panic) => write!(f, " {panic}"),
            Why::Lost => f.write_str(" was lost: the runtime dropped it"),
            Why::Taken => f.write_str("'s outcome was taken before"),
        }
    }
}

/// The text and what is behind it, and where the child was spawned.
impl<E: Send + Sync + 'static> fmt::Debug for JoinError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")?;
        match &self.inner.child {
            Some(Who { name: Some(_), place, .. }) => write!(f, "\n  spawned at {place}"),
            // The text has it, or it is not known.
            _ => Ok(()),
        }
    }
}

impl<E: Send + Sync + 'static> Error for JoinError<E> {
    /// Returns what is behind the child's error, which itself is part of the text, or what caused
    /// the cancel.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.inner.why {
            Why::Failed(error, view) => view(&**error).behind(),
            Why::Cancelled(reason) | Why::Refused(reason) => reason.source(),
            _ => None,
        }
    }
}

/// The kind is that of the child's error, and `TimedOut` for a child that a deadline cancelled or
/// refused. What is inside is the `JoinError`.
impl From<JoinError<io::Error>> for io::Error {
    fn from(error: JoinError<io::Error>) -> io::Error {
        let kind = match (error.error(), error.reason().map(Reason::kind)) {
            (Some(error), _) => error.kind(),
            (None, Some(ReasonKind::Deadline)) => io::ErrorKind::TimedOut,
            (None, _) => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// The text of the `JoinError`.
impl From<JoinError<String>> for String {
    fn from(error: JoinError<String>) -> String {
        error.to_string()
    }
}
