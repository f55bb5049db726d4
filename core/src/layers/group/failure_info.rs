//! What the hook for failures is told, and when.
//!
//! | failure of         | the hook is called                                                     |
//! |--------------------|------------------------------------------------------------------------|
//! | a child            | after its future was dropped, before it leaves                         |
//! | a joined child, under `Isolate` or `Supervise` | if its `Child` is dropped without a look: by that drop |
//! | the body, a finalizer | before the failure is recorded                                      |
//! | an echo of a child or of the body | as a failure; the nursery's result does not depend on it |
//! | an error that a task reports with `fail` | before it is recorded                        |
//! | a task that is given up | before the nursery's future is ready                              |
//! | a nursery inside whose future was dropped | before its panic is recorded here               |
//!
//! So each failure of a nursery was told when the nursery's future is ready. No lock is held.

use crate::layers::base::as_error::{ErrorView, View};
use crate::layers::base::deadlock::Deadlock;
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::Panic;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::base::who::Who;
use std::error::Error;
use std::fmt;
use std::panic::Location;

pub(crate) type FailureHook = Arc<dyn Fn(&FailureInfo<'_>) + Send + Sync>;

/// Says what went wrong, and in which task: the argument of the hook that
/// [`Builder::on_failure`](crate::Builder::on_failure) sets.
///
/// It prints as one line; with `{:#}`, the causes of the error follow, each after a colon.
pub struct FailureInfo<'a> {
    who: &'a Who,
    what: What<'a>,
    echo: bool,
}

enum What<'a> {
    Error(ErrorView<'a>),
    Panic(&'a Panic),
    Cancelled(&'a Reason),
    NoValue(&'a Reason),
    Lost,
    Stuck,
    Deadlock(&'a Deadlock),
}

impl<'a> FailureInfo<'a> {
    /// None if that is no failure. Of a cancel, only that of a finalizer at the end of its budget
    /// is one.
    pub(super) fn new(ending: &'a Ending, who: &'a Who, view: View) -> Option<FailureInfo<'a>> {
        let echo = matches!(ending, Ending::Echo(_));
        let what = match ending {
            Ending::Echo(echo) => What::Error(view(&*echo.1)),
            Ending::NoValue(reason) => What::NoValue(reason),
            Ending::Err(error) => What::Error(view(&**error)),
            Ending::Panicked(panic) => What::Panic(panic),
            Ending::Cancelled(reason) if who.finalizer => What::Cancelled(reason),
            Ending::Lost => What::Lost,
            Ending::Stuck => What::Stuck,
            Ending::Deadlock(deadlock) => What::Deadlock(deadlock),
            Ending::Ok | Ending::Cancelled(_) => return None,
        };
        Some(FailureInfo { who, what, echo })
    }

    /// Returns the id of the child that failed, or `None` if the body or a finalizer failed.
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

    /// Returns the error, if there is one that is an [`Error`]. An error that is text has none, and
    /// shows when this is printed.
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match &self.what {
            What::Error(view) => view.error(),
            _ => None,
        }
    }

    /// Returns the first error of the type `T` among the task's error and what is behind it.
    ///
    /// # Examples
    ///
    /// A server that counts one kind of failure, however its handlers wrap it:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{BoxError, Nursery, Policy, block_on, nursery};
    /// use std::io;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let resets = Arc::new(AtomicUsize::new(0));
    /// let count = resets.clone();
    /// let server = nursery().policy(Policy::Supervise).on_failure(move |failure| {
    ///     let io = failure.find::<io::Error>();
    ///     if io.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
    ///         count.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// });
    /// block_on(server.run(async |n: Nursery| {
    ///     n.spawn(async { Err(BoxError::from(io::Error::from(io::ErrorKind::ConnectionReset))) });
    ///     n.spawn(async { Err("a bug".into()) });
    ///     Ok(())
    /// }))?;
    /// assert_eq!(resets.load(Ordering::Relaxed), 1);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find<T: Error + 'static>(&self) -> Option<&T> {
        match self.what {
            What::Error(view) => view.find(),
            _ => None,
        }
    }

    /// Returns the panic, if it was one.
    pub fn panic(&self) -> Option<&Panic> {
        match self.what {
            What::Panic(panic) => Some(panic),
            _ => None,
        }
    }

    /// Returns `true` if the error says once more what is known: the task had been cancelled, or a
    /// nursery around reports the failure that it passes on. The nursery's result does not depend
    /// on it.
    pub fn is_echo(&self) -> bool {
        self.echo
    }
}

impl fmt::Display for FailureInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let What::Deadlock(deadlock) = self.what {
            return write!(f, "{deadlock}"); // Of all that is in it, not of the body alone.
        }
        write!(f, "{}", self.who)?;
        match &self.what {
            What::Error(view) if f.alternate() => write!(f, " failed: {view:#}"),
            What::Error(view) => write!(f, " failed: {view}"),
            What::Panic(panic) => write!(f, " {panic}"),
            What::Cancelled(reason) => write!(f, " was cancelled: {reason}"),
            What::NoValue(reason) => write!(f, " needed a value, but {}", reason.message()),
            What::Lost => f.write_str(" was lost: the runtime dropped it"),
            What::Deadlock(_) => Ok(()),
            What::Stuck => f.write_str(" is stuck: it was cancelled, and still blocks its thread"),
        }
    }
}

impl fmt::Debug for FailureInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FailureInfo").field(&format_args!("{self:#}")).finish()
    }
}
