//! Why a task or nursery was cancelled, and how far a nursery is on its way to its end.

use super::id::TaskId;
use super::sync::Arc;
use allhome_rt::Instant;
use std::fmt;
use std::iter::successors;
use std::panic::Location;

/// How far a nursery or token is on its way to its end. It only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Children run, and new ones are admitted.
    Running = 0,
    /// Children run; new ones are refused.
    Draining = 1,
    /// Each child is polled once more with the cancel visible, and dropped if it is still waiting
    /// then.
    Cancelled = 2,
    /// Children are dropped where they wait, unpolled.
    Aborted = 3,
}

impl Level {
    pub(crate) fn from_u8(value: u8) -> Level {
        match value {
            0 => Level::Running,
            1 => Level::Draining,
            2 => Level::Cancelled,
            _ => Level::Aborted,
        }
    }

    /// Returns the next level up, or `None` at the last.
    pub(crate) fn next(self) -> Option<Level> {
        (self < Level::Aborted).then(|| Level::from_u8(self as u8 + 1))
    }
}

/// The kind of event that a [`Reason`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReasonKind {
    /// A `cancel` method was called.
    Requested,
    /// An `abort` method was called.
    Aborted,
    /// A child failed (with an error, by a panic, or lost) in a nursery that fails fast.
    ChildFailed,
    /// The nursery's body failed.
    BodyFailed,
    /// The nursery's future was dropped before it had finished.
    ScopeDropped,
    /// The nursery admits no more children: it is draining, or has ended.
    Closed,
    /// A deadline passed: of a nursery, or of a cancel scope in a task.
    Deadline,
    /// The task, or the body, ended itself with [`exit`](crate::task::exit).
    Exited,
    /// A [shutdown](crate::Nursery::shutdown) took its next step.
    Shutdown,
    /// A signal was sent to the process.
    Signal,
    /// The task needs the value of a child that has none: see
    /// [`Child::value`](crate::Child::value).
    NoValue,
    /// A task that waits for many children has what it needs, and not from this one: see
    /// [`join`](crate::join).
    RaceLost,
}

/// Why a task or nursery was cancelled: what happened, in which task, where, when, and what caused
/// it.
///
/// The first reason wins, and every descendant sees that same reason. Cloning is cheap: clones
/// share it.
///
/// # Examples
///
/// ```
/// use allhome::Reason;
/// use allhome::cancel::ReasonKind;
///
/// let reason = Reason::new("the user pressed Ctrl-C");
/// assert_eq!(reason.kind(), ReasonKind::Requested);
/// assert_eq!(reason.message(), "the user pressed Ctrl-C");
/// ```
#[derive(Clone)]
pub struct Reason {
    inner: Arc<Inner>,
}

struct Inner {
    kind: ReasonKind,
    message: Box<str>,
    by: Option<TaskId>,
    location: &'static Location<'static>,
    at: Instant,
    cause: Option<Reason>,
}

/// Drops a long chain of causes one by one, and not by recursion.
impl Drop for Inner {
    fn drop(&mut self) {
        let mut next = self.cause.take();
        while let Some(mut inner) = next.and_then(|cause| Arc::into_inner(cause.inner)) {
            next = inner.cause.take();
        }
    }
}

impl Reason {
    /// Returns the same reason with another one as its cause.
    pub fn caused_by(self, cause: Reason) -> Reason {
        let old = &*self.inner;
        Reason {
            inner: Arc::new(Inner {
                kind: old.kind,
                message: old.message.clone(),
                by: old.by,
                location: old.location,
                at: old.at,
                cause: Some(cause),
            }),
        }
    }

    /// Creates a reason of the given moment.
    pub(crate) fn since(
        at: Instant,
        kind: ReasonKind,
        message: String,
        by: Option<TaskId>,
        location: &'static Location<'static>,
    ) -> Reason {
        let message = message.into_boxed_str();
        Reason { inner: Arc::new(Inner { kind, message, by, location, at, cause: None }) }
    }

    /// Returns the kind of event.
    pub fn kind(&self) -> ReasonKind {
        self.inner.kind
    }

    /// Returns the text that the reason was created with; it may be empty.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Returns the task that caused it, if it was a task: the one that asked for the cancel, or the
    /// one that failed. In the body of a nursery that a task opened, it is that task.
    pub fn by(&self) -> Option<TaskId> {
        self.inner.by
    }

    /// Returns where in the source it was caused: at the call, at the spawn of the failed child, or
    /// where the dropped nursery was opened.
    pub fn location(&self) -> &'static Location<'static> {
        self.inner.location
    }

    /// Returns when it happened, by the clock of the runtime: that of the nursery which was
    /// cancelled or, for a reason that was created by the user's code or by a token, that of the
    /// code that created it, as [`now`](crate::time::now) tells it.
    pub fn at(&self) -> Instant {
        self.inner.at
    }

    /// Returns the reason that caused this one, if there is one.
    pub fn cause(&self) -> Option<&Reason> {
        self.inner.cause.as_ref()
    }

    /// Returns `true` if both are the same event, and not just alike.
    pub fn same(&self, other: &Reason) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl fmt::Display for ReasonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReasonKind::Requested => "cancel requested",
            ReasonKind::Aborted => "abort requested",
            ReasonKind::ChildFailed => "a child failed",
            ReasonKind::BodyFailed => "the nursery's body failed",
            ReasonKind::ScopeDropped => "the nursery's future was dropped",
            ReasonKind::Closed => "the nursery takes no more children",
            ReasonKind::Deadline => "a deadline has passed",
            ReasonKind::Exited => "it has ended itself",
            ReasonKind::Shutdown => "it was shut down",
            ReasonKind::Signal => "a signal came",
            ReasonKind::NoValue => "it needed a value",
            ReasonKind::RaceLost => "it was not needed any more",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        if !self.message().is_empty() {
            write!(f, ": {}", self.message())?;
        }
        write!(f, " (at {}", self.location())?;
        if let Some(by) = self.by() {
            write!(f, ", by task {by}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reason")
            .field("kind", &self.kind())
            .field("message", &self.message())
            .field("by", &self.by())
            .field("location", &format_args!("{}", self.location()))
            .field("causes", &Causes(Reason::cause(self)))
            .finish_non_exhaustive()
    }
}

/// How many causes `Debug` shows; the others are counted.
const SHOWN: usize = 16;

/// A chain of causes as a list: printed in a loop, however long it is.
struct Causes<'a>(Option<&'a Reason>);

impl fmt::Debug for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = successors(self.0, |cause| Reason::cause(cause));
        let mut list = f.debug_list();
        for cause in chain.by_ref().take(SHOWN) {
            list.entry(&format_args!("{cause}"));
        }
        match chain.count() {
            0 => {}
            more => _ = list.entry(&format_args!("and {more} more")),
        }
        list.finish()
    }
}

impl std::error::Error for Reason {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}
