//! The error of a nursery: which task failed, and how many were cancelled because of it.

mod show;

use crate::layers::base::as_error::{ErrorView, View};
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::Panic;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::base::who::Who;
use crate::layers::group::config::Config;
use crate::layers::group::registry::report::{Entry, Parts, Report};
use allhome_rt::NoRuntime;
use std::error::Error;
use std::panic::Location;

pub use crate::layers::base::deadlock::Deadlock;

/// Why a nursery has no result. The type is the same even when there is only one failure.
///
/// It holds the failures in the order in which they happened, the first cause first. Their number
/// is [bounded](crate::Builder::keep_failures); failures beyond it are only counted. A child that
/// ended because of the nursery's own cancel is not a failure, and is only counted; the error that
/// it may have ended with is among the [echoes](GroupError::echoes).
///
/// It shows itself as the first failure: nursery, task, and the error's own text. What is behind
/// that error is its [`source`](std::error::Error::source), and is shown too with `{:#}`. `Debug`,
/// which `main` prints for an error that it returns, is a report of all failures, a line each.
///
/// That holds for every error type that a nursery can have, so `?` converts it into `anyhow::Error`
/// and `Box<dyn Error>`, and a `GroupError<io::Error>` into `io::Error`, with the same kind.
/// [`find`](GroupError::find) looks for an error of a type, and
/// [`into_error`](GroupError::into_error) returns the first error itself.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
///
/// let error = block_on(
///     nursery().name("demo").run(async |n: Nursery<String>| {
///         n.task("reader").spawn(async { Err("no such file".to_string()) });
///         std::future::pending::<Result<(), String>>().await
///     }),
/// )
/// .unwrap_err();
/// assert_eq!(error.first().name(), Some("reader"));
/// assert_eq!(error.to_string(), "nursery `demo`: task `reader` failed: no such file");
/// assert_eq!(error.into_error().unwrap(), "no such file");
/// # }
/// ```
pub struct GroupError<E> {
    inner: Box<Inner<E>>,
}

struct Inner<E> {
    /// At least one.
    failures: Vec<Failure<E>>,
    counts: Counts,
    echoes: Vec<Failure<E>>,
    reason: Option<Reason>,
    name: Option<Box<str>>,
    location: &'static Location<'static>,
}

/// How many children did what is not listed.
#[derive(Clone, Copy, Default)]
struct Counts {
    omitted: usize,
    cancelled: usize,
    refused: usize,
    forgotten: usize,
    omitted_echoes: usize,
}

/// One failure of a nursery: what went wrong, and in which task.
pub struct Failure<E> {
    cause: Cause<E>,
    who: Who,
    view: View,
}

/// What went wrong in a [`Failure`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause<E> {
    /// A child or the body returned this error. A joiner may share it.
    Error(Arc<E>),
    /// A child or the body panicked.
    Panic(Panic),
    /// The runtime dropped the child before it ended: the runtime was shut down, or is broken.
    Lost,
    /// A cancel from outside ended the body before it returned; or it ended by a failure that a
    /// nursery around reports.
    Cancelled(Reason),
    /// The task needed the [value](crate::Child::value) of a child that has none, and no nursery
    /// around it reports why.
    NoValue(Reason),
    /// There was no runtime to open the nursery on.
    NoRuntime(NoRuntime),
    /// The task was still blocking its thread when the time of
    /// [`Builder::stuck_after`](crate::Builder::stuck_after) was over.
    Stuck,
    /// A [guard](crate::see::guard) has found that the body and all tasks wait, and that nothing can
    /// wake any of them.
    Deadlock(Deadlock),
}

impl<E> GroupError<E> {
    /// Creates the error of a nursery that was not opened.
    pub(super) fn unopened(
        name: Option<Box<str>>,
        location: &'static Location<'static>,
        view: View,
        cause: Cause<E>,
    ) -> GroupError<E> {
        let who = Who { task: None, name: name.clone(), place: location, finalizer: false };
        let failures = vec![Failure { cause, who, view }];
        let (counts, echoes) = (Counts::default(), Vec::new());
        let inner = Inner { failures, counts, echoes, reason: None, name, location };
        GroupError { inner: Box::new(inner) }
    }

    /// Returns the first failure: as far as can be known, the cause of the others.
    pub fn first(&self) -> &Failure<E> {
        &self.inner.failures[0]
    }

    /// Returns the failures in the order in which they happened.
    pub fn failures(&self) -> impl ExactSizeIterator<Item = &Failure<E>> {
        self.inner.failures.iter()
    }

    /// Returns the errors among the failures.
    pub fn errors(&self) -> impl Iterator<Item = &E> {
        self.failures().filter_map(Failure::error)
    }

    /// Returns the panics among the failures.
    pub fn panics(&self) -> impl Iterator<Item = &Panic> {
        self.failures().filter_map(|failure| match &failure.cause {
            Cause::Panic(panic) => Some(panic),
            _ => None,
        })
    }

    /// Returns how many failures were left out because the list was full.
    pub fn omitted_count(&self) -> usize {
        self.inner.counts.omitted
    }

    /// Returns how many failures of children were only counted, as
    /// [`Policy::Supervise`](crate::Policy::Supervise) asks.
    pub fn forgotten_count(&self) -> usize {
        self.inner.counts.forgotten
    }

    /// Returns how many children were cancelled.
    pub fn cancelled_count(&self) -> usize {
        self.inner.counts.cancelled
    }

    /// Returns how many spawns were refused, because the nursery had closed or was cancelled, or its
    /// limiter was closed. Their futures were dropped unpolled.
    ///
    /// A refusal is no failure: where nothing else goes wrong the nursery's result is `Ok`. A
    /// [`ShutdownReport`](crate::shutdown::ShutdownReport) counts them, too.
    pub fn refused_count(&self) -> usize {
        self.inner.counts.refused
    }

    /// Returns the errors that are no failures, because they say once more what is known: those
    /// that tasks ended with after their cancel, and those of tasks that joined a child whose
    /// failure is reported. Each such task has ended as cancelled.
    ///
    /// Their number is bounded as that of the failures is. A nursery that has no failure returns
    /// the body's value, and its echoes are dropped.
    pub fn echoes(&self) -> impl ExactSizeIterator<Item = &Failure<E>> {
        self.inner.echoes.iter()
    }

    /// Returns how many echoes were left out because the list was full.
    pub fn omitted_echo_count(&self) -> usize {
        self.inner.counts.omitted_echoes
    }

    /// Returns why the nursery was cancelled, if it was: because of its first failure, or from
    /// outside.
    pub fn reason(&self) -> Option<&Reason> {
        self.inner.reason.as_ref()
    }

    /// Returns `true` if the nursery was cancelled because a deadline passed: its own, or one
    /// around it.
    pub fn is_timeout(&self) -> bool {
        self.reason().is_some_and(|reason| reason.kind() == ReasonKind::Deadline)
    }

    /// Returns `true` if nothing failed: the body was cancelled before it returned a value.
    pub fn is_cancel(&self) -> bool {
        self.failures()
            .all(|failure| matches!(failure.cause, Cause::Cancelled(_)) && !failure.who.finalizer)
    }

    /// Returns the nursery's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Returns where the nursery was opened.
    pub fn location(&self) -> &'static Location<'static> {
        self.inner.location
    }

    /// Returns the first failure and drops the others.
    pub fn into_first(mut self) -> Failure<E> {
        self.inner.failures.swap_remove(0)
    }

    /// Returns the first failure's error, and drops the other failures.
    ///
    /// # Errors
    ///
    /// Returns the whole if the first failure is no error, or if a [`JoinError`](crate::JoinError)
    /// that is still there shares it. One in an [echo](GroupError::echoes) does not count: if the
    /// error is shared, the echoes are dropped first, and counted as omitted.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery<String>| {
    ///     n.task("reader").spawn(async { Err("no such file".to_string()) });
    ///     Ok(())
    /// });
    /// match block_on(run).unwrap_err().into_error() {
    ///     Ok(own) => assert_eq!(own, "no such file"),
    ///     Err(group) => panic!("{group}"),
    /// }
    /// # }
    /// ```
    pub fn into_error(mut self) -> Result<E, GroupError<E>> {
        let inner = &mut *self.inner;
        match std::mem::replace(&mut inner.failures[0].cause, Cause::Lost) {
            Cause::Error(error) => {
                // A body that returns `child.await?` is an echo that has a share.
                if Arc::strong_count(&error) > 1 {
                    inner.counts.omitted_echoes += inner.echoes.len();
                    inner.echoes.clear();
                }
                Arc::try_unwrap(error).map_err(|shared| {
                    self.inner.failures[0].cause = Cause::Error(shared);
                    self
                })
            }
            other => {
                inner.failures[0].cause = other;
                Err(self)
            }
        }
    }
}

impl<E: Send + Sync + 'static> GroupError<E> {
    /// Returns the first error of the type `T` among the failures' errors and what is behind them.
    ///
    /// A search by `downcast_ref` along the sources passes by the failures' own errors, which are in
    /// the text; this one does not, nor by those of nurseries inside, of which it sees the first.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{BoxError, block_on, nursery};
    /// use std::num::ParseIntError;
    ///
    /// async fn parse(text: &str) -> Result<(), BoxError> {
    ///     Ok(drop(text.parse::<u32>()?))
    /// }
    ///
    /// let error = block_on(nursery().run(async |n| {
    ///     let inner = nursery().run(async |n| {
    ///         n.spawn(parse("three"));
    ///         Ok(())
    ///     });
    ///     n.spawn(parse("4"));
    ///     Ok(inner.await?)
    /// }))
    /// .unwrap_err();
    /// assert!(error.find::<ParseIntError>().is_some());
    /// # }
    /// ```
    pub fn find<T: Error + 'static>(&self) -> Option<&T> {
        self.failures().find_map(Failure::find)
    }
}

/// Creates the error of a nursery, or of a scope, that has closed without a result.
pub(super) fn assemble<E: Send + Sync + 'static>(
    config: &Config,
    reason: Option<Reason>,
    report: Report,
) -> GroupError<E> {
    let parts = report.into_parts();
    let Parts { entries, more: omitted, cancelled, refused, forgotten, .. } = parts;
    let Parts { echoes, more_echoes: omitted_echoes, body_reason, .. } = parts;
    let view = config.view;
    let typed = |entry| typed(entry, view);
    let mut failures: Vec<_> = entries.into_iter().map(typed).collect();
    let echoes = echoes.into_iter().map(typed).collect();
    if failures.is_empty() {
        let cause = body_reason.or(reason.clone()).map_or(Cause::Lost, Cause::Cancelled);
        failures.push(Failure { cause, who: config.body(), view });
    }
    let (name, location) = (config.name.clone(), config.place);
    let counts = Counts { omitted, cancelled, refused, forgotten, omitted_echoes };
    GroupError { inner: Box::new(Inner { failures, counts, echoes, reason, name, location }) }
}

pub(super) fn typed<E: Send + Sync + 'static>(entry: Entry, view: View) -> Failure<E> {
    let cause = match entry.ending.into_inner() {
        Ending::Err(error) => Cause::Error(
            error.downcast().expect("a nursery's children have the error type of its handle"),
        ),
        Ending::Panicked(panic) => Cause::Panic(panic),
        Ending::Cancelled(reason) => Cause::Cancelled(reason),
        Ending::NoValue(reason) => Cause::NoValue(reason),
        Ending::Stuck => Cause::Stuck,
        Ending::Deadlock(deadlock) => Cause::Deadlock(deadlock),
        Ending::Lost | Ending::Ok | Ending::Echo(_) => Cause::Lost,
    };
    Failure { cause, who: entry.who, view }
}

impl<E> Failure<E> {
    /// Returns what failed.
    pub fn cause(&self) -> &Cause<E> {
        &self.cause
    }

    /// Returns what failed, by value.
    pub fn into_cause(self) -> Cause<E> {
        self.cause
    }

    /// Returns the error, if the task failed with one.
    pub fn error(&self) -> Option<&E> {
        match &self.cause {
            Cause::Error(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the id of the child that failed, or `None` if the body failed.
    pub fn task(&self) -> Option<TaskId> {
        self.who.task
    }

    /// Returns the child's name, or the nursery's name if the body failed.
    pub fn name(&self) -> Option<&str> {
        self.who.name.as_deref()
    }

    /// Returns where the child was spawned, or where the nursery was opened if the body failed.
    pub fn location(&self) -> &'static Location<'static> {
        self.who.place
    }
}

impl<E: Send + Sync + 'static> Failure<E> {
    /// Returns the first error of the type `T` among the task's error and what is behind it.
    pub fn find<T: Error + 'static>(&self) -> Option<&T> {
        self.view()?.find()
    }

    fn view(&self) -> Option<ErrorView<'_>> {
        match &self.cause {
            Cause::Error(error) => Some((self.view)(&**error)),
            _ => None,
        }
    }
}
