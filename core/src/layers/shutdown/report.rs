//! What a shutdown reports at its end, and the error that it returns instead.

use crate::layers::base::as_error::{ErrorView, View};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Arc;
use std::any::Any;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
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
    pub(super) echoes: Vec<Echo>,
    pub(super) omitted_echoes: usize,
}

impl ShutdownReport {
    /// Returns the level that the nursery reached: [`Draining`](Level::Draining) if every task
    /// ended in time, [`Running`](Level::Running) if there was no task to begin with.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns why the nursery was cancelled, if it was: because of the
    /// [shutdown](crate::cancel::ReasonKind::Shutdown), or for a reason that came first.
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

    /// Returns the tasks that have ended with an error since [`shutdown`](crate::Nursery::shutdown)
    /// was called, and yet as cancelled: the error is an [echo](crate::GroupError::echoes), and no
    /// failure of the nursery. An error that matters is reported with
    /// [`fail`](crate::Nursery::fail).
    pub fn echoes(&self) -> &[Echo] {
        &self.echoes
    }

    /// Returns how many echoes were left out because there were too many.
    pub fn omitted_echo_count(&self) -> usize {
        self.omitted_echoes
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

/// A task that has ended, after its cancel, with an error that is no failure.
#[derive(Clone)]
pub struct Echo {
    pub(super) id: TaskId,
    pub(super) name: Option<Box<str>>,
    pub(super) location: &'static Location<'static>,
    pub(super) error: Arc<dyn Any + Send + Sync>,
    pub(super) view: View,
}

// It is read, and never changed.
impl UnwindSafe for Echo {}
impl RefUnwindSafe for Echo {}

impl Echo {
    /// Returns the error.
    pub fn error(&self) -> ErrorView<'_> {
        (self.view)(&*self.error)
    }

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
}

/// A task that had not ended when the time to drain was over.
#[derive(Clone)]
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
        match self.echoes.len() + self.omitted_echoes {
            0 => {}
            echoes => write!(f, ", {echoes} ended with an error after the cancel")?,
        }
        for straggler in &self.stragglers {
            write!(f, "\n  {straggler}")?;
        }
        for echo in &self.echoes {
            write!(f, "\n  {echo}")?;
        }
        Ok(())
    }
}

/// Writes which task it is, or which body.
fn write_task(f: &mut fmt::Formatter<'_>, id: TaskId, name: Option<&str>) -> fmt::Result {
    match id.number() {
        0 => write!(f, "body of nursery {}", id.nursery())?,
        _ => write!(f, "task {id}")?,
    }
    name.map_or(Ok(()), |name| write!(f, " `{name}`"))
}

impl fmt::Display for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_task(f, self.id, self.name())?;
        write!(f, " ended after the cancel with an error, at {}: {}", self.location, self.error())
    }
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Echo")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("location", &format_args!("{}", self.location))
            .field("error", &self.error())
            .finish()
    }
}

impl fmt::Debug for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Straggler")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("location", &format_args!("{}", self.location))
            .field("left", &self.left)
            .field("took", &self.took)
            .finish()
    }
}

impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_task(f, self.id, self.name())?;
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
    /// It was awaited by a task of this nursery, or of one inside it, which would wait for itself.
    Inside(NurseryId),
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShutdownError::Inside(nursery) => write!(
                f,
                "a task inside nursery {nursery} cannot wait for its shutdown: it would wait for itself"
            ),
        }
    }
}

impl std::error::Error for ShutdownError {}
