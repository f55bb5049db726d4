//! Why a run could not go on, and how to see it again.

use super::choices::Choices;
use std::fmt;
use std::time::Duration;

/// A run that failed: why, which tasks existed, and how to see it again.
///
/// # Examples
///
/// ```
/// use allhome_executors::sim::{FailureKind, Simulator};
///
/// let failure = Simulator::new().run(|_| std::future::pending::<()>()).unwrap_err();
/// assert_eq!(failure.kind(), FailureKind::Deadlock);
/// assert!(failure.to_string().contains("root"));
/// ```
#[derive(Clone, Debug)]
pub struct Failure(pub(super) Box<Facts>);

/// Boxed, because most results that could be a failure are none.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) kind: FailureKind,
    pub(super) message: String,
    pub(super) steps: u64,
    pub(super) at: Duration,
    pub(super) tasks: Vec<TaskReport>,
    pub(super) culprit: Option<String>,
    pub(super) notes: Vec<String>,
    pub(super) choices: Choices,
    pub(super) seed: Option<u64>,
    /// How another run with the same decisions differed.
    pub(super) differs: Option<String>,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// No task is runnable, no timer is set, and the root is not done.
    Deadlock,
    /// The bound on the steps was reached.
    Livelock,
    /// The root, or a task that is not a nursery's, panicked.
    Panic,
    /// The root returned an error.
    Error,
    /// Tasks, jobs or timers were there when everything should have been over.
    Leftover,
}

/// A task that existed when a [`Failure`] happened. The root is task 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskReport {
    /// Its number, in the order of the spawns.
    pub number: u64,
    /// What it is called: the name of a nursery's child, or where that was spawned.
    pub label: Option<String>,
    /// How often it was polled.
    pub polls: u64,
    /// Whether it waits for its turn; otherwise it waits for a wake.
    pub ready: bool,
    /// The task that spawned it; `None` if it was spawned from outside.
    pub spawned_by: Option<u64>,
    /// The step at which it was spawned.
    pub spawned_at: u64,
}

/// What decides besides the simulation, the most frequent first.
const LOOK_FOR: &str = "Look for `select!` without `biased;`, the order of a `HashMap`, \
    `Instant::now()`, random numbers, threads, and what is kept from one run to the next";

impl Failure {
    /// Returns what kind of failure it was.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// Returns the panic's or error's message; a sentence, for the other kinds.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns which task panicked, or returned the error, if that is known.
    pub fn culprit(&self) -> Option<&str> {
        self.0.culprit.as_deref()
    }

    /// Sets which task it was. The failure's text says it before the message.
    pub fn set_culprit(&mut self, culprit: impl Into<String>) {
        self.0.culprit = Some(culprit.into());
    }

    /// Returns the tasks that existed, the root first.
    pub fn tasks(&self) -> &[TaskReport] {
        &self.0.tasks
    }

    /// Returns the schedule; [`replay`](super::Simulator::replay) takes its text.
    pub fn choices(&self) -> &Choices {
        &self.0.choices
    }

    /// Returns the seed of the run, if one decided.
    pub fn seed(&self) -> Option<u64> {
        self.0.seed
    }

    /// Returns how many steps there were.
    pub fn steps(&self) -> u64 {
        self.0.steps
    }

    /// Returns the virtual time since the start.
    pub fn at(&self) -> Duration {
        self.0.at
    }

    /// Returns the notes on it, such as the tree of its tasks.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// Returns `false` if the program was run once more with the same decisions, and did something
    /// else: something besides the simulation decides what it does, so a replay may show something
    /// else as well. An [exploration](super::Explored) looks for that.
    pub fn is_deterministic(&self) -> bool {
        self.0.differs.is_none()
    }

    /// Adds a note. The failure's text ends with the notes.
    pub fn note(&mut self, note: impl Into<String>) {
        self.0.notes.push(note.into());
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(differs) = &self.0.differs {
            writeln!(f, "not deterministic: {differs}. {LOOK_FOR}")?;
        }
        write!(f, "{} after {} steps, at {:?}: ", self.0.kind, self.0.steps, self.0.at)?;
        if let Some(culprit) = &self.0.culprit {
            write!(f, "{culprit}: ")?;
        }
        writeln!(f, "{}", self.0.message)?;
        for task in &self.0.tasks {
            writeln!(f, "  {task}")?;
        }
        for note in &self.0.notes {
            writeln!(f, "{}", note.trim_end())?;
        }
        if let Some(seed) = self.0.seed {
            writeln!(f, "seed: {seed}")?;
        }
        write!(f, "replay: {}", self.0.choices)?;
        if self.0.choices.is_empty() {
            write!(f, " (no choice: it fails first come, first served)")?;
        }
        Ok(())
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureKind::Deadlock => "deadlock",
            FailureKind::Livelock => "livelock",
            FailureKind::Panic => "panic",
            FailureKind::Error => "error",
            FailureKind::Leftover => "leftovers",
        })
    }
}

impl fmt::Display for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.ready { "ready" } else { "waits" };
        write!(f, "task {}", self.number)?;
        match &self.label {
            Some(label) => write!(f, " ({label})")?,
            None if self.number == 0 => f.write_str(" (the root)")?,
            None => {}
        }
        let polls = if self.polls == 1 { "poll" } else { "polls" };
        write!(f, " {state}, {} {polls}", self.polls)?;
        match (self.number, self.spawned_by) {
            (0, _) => Ok(()),
            (_, Some(by)) => write!(f, ", spawned by {by} at step {}", self.spawned_at),
            (_, None) => write!(f, ", spawned from outside at step {}", self.spawned_at),
        }
    }
}

impl std::error::Error for Failure {}

/// What a program that is run many times returns: nothing, or a result whose error is a failure.
pub trait Verdict {
    /// Returns the failure's message, if it is one.
    fn failure(&self) -> Option<String>;
}

impl Verdict for () {
    fn failure(&self) -> Option<String> {
        None
    }
}

impl<T, E: fmt::Display> Verdict for Result<T, E> {
    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(E::to_string)
    }
}
