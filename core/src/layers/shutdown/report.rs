//! What a shutdown reports at its end, and the error that it returns instead.

use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::unsupported::Unsupported;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// How a shutdown went: the step that it reached, and the tasks that had not ended when the time to
/// drain was over.
///
/// It prints as a line for the whole and one for each straggler.
#[derive(Debug, Clone)]
pub struct ShutdownReport {
    pub(super) id: NurseryId,
    pub(super) name: Option<Box<str>>,
    pub(super) level: Level,
    pub(super) reason: Option<Reason>,
    pub(super) refused: usize,
    pub(super) took: Duration,
    pub(super) stragglers: Vec<Straggler>,
}

impl ShutdownReport {
    /// Returns the level that the nursery reached: [`Draining`](Level::Draining) if every task
    /// ended in time, [`Running`](Level::Running) if there was no task to begin with.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns why the nursery was cancelled, if it was: because of the
    /// [shutdown](crate::ReasonKind::Shutdown), or for a reason that came first.
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }

    /// Returns how long the shutdown took, from its first step on.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Returns the tasks that had not ended when the nursery was cancelled or aborted: first those
    /// that have ended since, in the order in which they left, then those that are still out.
    pub fn stragglers(&self) -> &[Straggler] {
        &self.stragglers
    }

    /// Returns how many spawns the nursery has refused, for the most part since it was closed:
    /// their futures were dropped unpolled.
    pub fn refused_count(&self) -> usize {
        self.refused
    }

    /// Returns `true` if every task has ended.
    pub fn all_home(&self) -> bool {
        self.still_out().next().is_none()
    }

    /// Returns the tasks that have still not ended.
    pub fn still_out(&self) -> impl Iterator<Item = &Straggler> {
        self.stragglers.iter().filter(|straggler| straggler.left.is_none())
    }
}

/// A task that had not ended when the time to drain was over.
#[derive(Debug, Clone)]
pub struct Straggler {
    pub(super) id: TaskId,
    pub(super) name: Option<Box<str>>,
    pub(super) location: &'static Location<'static>,
    pub(super) left: Option<Level>,
    pub(super) took: Duration,
}

impl Straggler {
    /// Returns the task's id, or `None` for the nursery's body.
    pub fn task(&self) -> Option<TaskId> {
        (self.id.number() > 0).then_some(self.id)
    }

    /// Returns the id of its nursery.
    pub fn nursery(&self) -> NurseryId {
        self.id.nursery()
    }

    /// Returns its name; for a body, the nursery's name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns where it was spawned; for a body, where the nursery was opened.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// Returns the step on which it ended: [`Cancelled`](Level::Cancelled) or
    /// [`Aborted`](Level::Aborted). `None` if it is still out.
    pub fn left(&self) -> Option<Level> {
        self.left
    }

    /// Returns how long after the first step the shutdown saw that it had ended; if it is still
    /// out, how long ago the first step was.
    pub fn took(&self) -> Duration {
        self.took
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shutdown of nursery {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        let step = match self.level {
            Level::Running => "no task was running",
            Level::Draining => "drained",
            Level::Cancelled => "cancelled",
            Level::Aborted => "aborted",
        };
        write!(f, ": {step}, {:.3?}", self.took)?;
        let (late, out) = (self.stragglers.len(), self.still_out().count());
        match (late, out) {
            (0, _) => {}
            (late, 0) => write!(f, ", {late} came late")?,
            (late, out) => write!(f, ", {} came late, {out} still out", late - out)?,
        }
        if self.refused > 0 {
            write!(f, ", {} refused", self.refused)?;
        }
        for straggler in &self.stragglers {
            write!(f, "\n  {straggler}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task() {
            Some(task) => write!(f, "task {task}")?,
            None => write!(f, "body of nursery {}", self.nursery())?,
        }
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        match self.left {
            Some(Level::Aborted) => f.write_str(" left when aborted")?,
            Some(_) => f.write_str(" left when cancelled")?,
            None => f.write_str(" is still out")?,
        }
        write!(f, " after {:.3?}, at {}", self.took, self.location)
    }
}

/// Why a shutdown took no step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The runtime has no timer to measure the steps with.
    Unsupported(Unsupported),
    /// It was awaited by a task of this nursery, or of one inside it, which would wait for itself.
    Inside(NurseryId),
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShutdownError::Unsupported(missing) => missing.fmt(f),
            ShutdownError::Inside(nursery) => write!(
                f,
                "a task inside nursery {nursery} cannot wait for its shutdown: it would wait for itself"
            ),
        }
    }
}

impl std::error::Error for ShutdownError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ShutdownError::Unsupported(missing) => Some(missing),
            ShutdownError::Inside(_) => None,
        }
    }
}
