//! Shutting a nursery down step by step, and a report of who took how long.
//!
//! | state    | `level`   | what a poll waits for                                          |
//! |----------|-----------|----------------------------------------------------------------|
//! | made     | -         | nothing: it finds out whose poll it is in                      |
//! | waiting  | running   | somebody else raises the nursery, or nobody is left            |
//! | on a step| the step's| nobody is left, the step's time, or somebody raises it further |
//! | done     | -         | it panics                                                      |
//!
//! The level is the nursery's own: whoever raises that, be it this future by the clock or somebody
//! else, takes it on to the next step. So signals, deadlines, failures and callers need no way of
//! their own.

use crate::ambient::task_id;
use crate::context::{self, TaskFrame};
use crate::group::Group;
use crate::group::roll::Roll;
use crate::id::{NurseryId, TaskId};
use crate::reason::{Level, Reason, ReasonKind};
use crate::scope::shield::Raised;
use crate::sync::Arc;
use crate::time::{Alarm, Unsupported};
use crate::tree::Tree;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long a shutdown waits on each of its steps for everybody to be home.
///
/// Zero goes on at once, [`Duration::MAX`] never does. The default is what a service manager that
/// kills after 30 seconds leaves room for: 20 seconds, 5 and 1.
///
/// # Examples
///
/// ```
/// use allhome::Ladder;
/// use std::time::Duration;
///
/// let patient = Ladder { drain: Duration::from_secs(60), ..Ladder::default() };
/// assert_eq!(patient.abort, Duration::from_secs(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// After the nursery was closed to new children, until they are cancelled.
    pub drain: Duration,
    /// After they were cancelled, until they are aborted. A [grace](crate::Builder::grace) that is
    /// over before ends in an abort, too.
    pub cancel: Duration,
    /// After they were aborted, until the report names those that are out still: they are being
    /// polled, or block their thread, or have a shield.
    pub abort: Duration,
}

impl Default for Ladder {
    fn default() -> Ladder {
        let [drain, cancel, abort] = [20, 5, 1].map(Duration::from_secs);
        Ladder { drain, cancel, abort }
    }
}

impl Ladder {
    fn time(&self, level: Level) -> Duration {
        match level {
            Level::Running => Duration::MAX,
            Level::Draining => self.drain,
            Level::Cancelled => self.cancel,
            Level::Aborted => self.abort,
        }
    }

    /// Says whether the runtime can measure it.
    fn check(&self, group: &Group) -> Result<(), Unsupported> {
        let counts = |time: &Duration| !time.is_zero() && *time < Duration::MAX;
        let timed = [self.drain, self.cancel, self.abort].iter().any(counts);
        if timed && group.runtime.timer().is_none() {
            return Err(Unsupported::new("a timer", group.runtime.name()));
        }
        Ok(())
    }
}

/// The future of [`Nursery::shutdown`](crate::Nursery::shutdown).
#[must_use = "a shutdown takes no step unless it is awaited"]
pub struct Shutdown {
    group: Arc<Group>,
    roll: Arc<Roll>,
    ladder: Ladder,
    place: &'static Location<'static>,
    asked: bool,
    state: State,
}

enum State {
    Made,
    Watching(Box<Watch>),
    Done,
}

impl Shutdown {
    pub(crate) fn new(
        group: Arc<Group>,
        ladder: Ladder,
        place: &'static Location<'static>,
    ) -> Shutdown {
        let roll = Roll::new(group.id);
        // Not at the first poll: who leaves before that is late, too.
        group.call_roll(&roll);
        Shutdown { group, roll, ladder, place, asked: true, state: State::Made }
    }

    /// Takes no first step of its own: it waits until somebody else closes, cancels or aborts the
    /// nursery (a signal, a deadline, a child that failed), and goes on from there; or until nobody
    /// is left.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelToken, Ladder, Level, Reason, ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    ///
    /// let operator = CancelToken::new();
    /// let server = nursery_on::<Infallible>(ThreadPool::global()).token(&operator);
    /// let run = server.run(async |n| {
    ///     n.named("listener").spawn(std::future::pending());
    ///     let ladder = Ladder { drain: std::time::Duration::ZERO, ..Ladder::default() };
    ///     Ok(n.shutdown(ladder).when_raised().await.unwrap())
    /// });
    /// let thread = std::thread::spawn(move || operator.step(Reason::new("maintenance")));
    /// let report = block_on(run).unwrap();
    /// assert_eq!(report.level(), Level::Cancelled);
    /// assert_eq!(report.stragglers()[0].name(), Some("listener"));
    /// # thread.join().unwrap();
    /// # }
    /// ```
    pub fn when_raised(mut self) -> Shutdown {
        self.asked = false;
        self
    }

    fn watch(&self) -> Result<Box<Watch>, ShutdownError> {
        let own_body = context::task(|task| self.find_caller(task))?;
        self.ladder.check(&self.group).map_err(ShutdownError::Unsupported)?;
        Ok(Box::new(Watch {
            own_body,
            _raised: if own_body { context::current(Raised::new) } else { None },
            group: self.group.clone(),
            roll: self.roll.clone(),
            level: Level::Running,
            began: None,
            time: None,
            stragglers: Vec::new(),
        }))
    }

    /// Tells whether it is the nursery's body that asks. Whoever else is in it cannot.
    fn find_caller(&self, task: Option<&TaskFrame<'_>>) -> Result<bool, ShutdownError> {
        let Some(task) = task else { return Ok(false) };
        if std::ptr::eq(task.group, &*self.group) && task.task.is_none() {
            return Ok(true);
        }
        let mut at = task.group.arc();
        while let Some(group) = at {
            if Arc::ptr_eq(&group, &self.group) {
                return Err(ShutdownError::Inside(group.id));
            }
            at = group.lock().parent.as_ref().map(|(parent, _)| parent.clone());
        }
        Ok(false)
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        self.group.end_roll(&self.roll);
    }
}

impl Future for Shutdown {
    type Output = Result<ShutdownReport, ShutdownError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let State::Made = this.state {
            let mut watch = match this.watch() {
                Ok(watch) => watch,
                Err(error) => {
                    this.state = State::Done;
                    return Poll::Ready(Err(error));
                }
            };
            if this.asked {
                watch.step(this.group.risen().max(Level::Draining), this);
            }
            this.state = State::Watching(watch);
        }
        let State::Watching(mut watch) = std::mem::replace(&mut this.state, State::Done) else {
            panic!("a shutdown is not polled after it was ready");
        };
        if watch.poll(this, cx).is_pending() {
            this.state = State::Watching(watch);
            return Poll::Pending;
        }
        Poll::Ready(Ok(watch.report()))
    }
}

struct Watch {
    own_body: bool,
    /// A body that waits for the report is not cut off by the cancel that it asked for.
    _raised: Option<Raised>,
    group: Arc<Group>,
    roll: Arc<Roll>,
    level: Level,
    began: Option<Instant>,
    /// Of the step; none if it is over at once.
    time: Option<Alarm>,
    stragglers: Vec<Straggler>,
}

impl Watch {
    fn poll(&mut self, shutdown: &Shutdown, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // First, so that nothing is missed that happens after the look.
            let left = self.group.is_left(self.own_body, cx.waker());
            self.roll.wake_by(cx.waker());
            self.note_left();
            if !left {
                return Poll::Ready(());
            }
            let risen = self.group.risen();
            if risen > self.level {
                self.step(risen, shutdown);
                continue;
            }
            if self.wait(cx).is_pending() {
                return Poll::Pending;
            }
            let Some(next) = self.level.next() else { return Poll::Ready(()) };
            self.step(next, shutdown);
        }
    }

    fn step(&mut self, level: Level, shutdown: &Shutdown) {
        self.began = self.began.or_else(|| now(&self.group));
        self.level = level;
        self.roll.step(level);
        if self.group.risen() < level {
            match level {
                Level::Running => {}
                Level::Draining => drop(self.group.close()),
                Level::Cancelled => {
                    let message = "the time to drain was over";
                    self.group.raise_tree(level, &shutdown.reason(message));
                }
                Level::Aborted => {
                    let message = "the time to leave after the cancel was over";
                    self.group.raise_tree(level, &shutdown.reason(message));
                }
            }
        }
        let time = shutdown.ladder.time(level);
        self.time = (!time.is_zero()).then(|| Alarm::after(time));
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.time {
            _ if self.level == Level::Running => Poll::Pending,
            None => Poll::Ready(()),
            // There, so that it is the nursery's timer.
            Some(alarm) => context::enter(&self.group, None, || alarm.poll(cx)),
        }
    }

    fn note_left(&mut self) {
        let left = self.roll.take_left();
        if left.is_empty() {
            return;
        }
        // Somebody else may have raised it, and not let us see that yet.
        self.began = self.began.or_else(|| now(&self.group));
        let took = self.took();
        let late = left.into_iter();
        self.stragglers.extend(late.map(|late| {
            let (name, place) = (late.who.name, late.who.place);
            Straggler { id: late.id, name, place, left: Some(late.level), took }
        }));
    }

    fn took(&self) -> Duration {
        let took = now(&self.group).zip(self.began).map(|(now, began)| now.duration_since(began));
        took.unwrap_or_default()
    }

    fn report(mut self: Box<Self>) -> ShutdownReport {
        let (tree, body) = (Tree::of(&self.group), self.group.has_body());
        // After the look: whoever leaves in between has left.
        self.note_left();
        let (took, group) = (self.took(), &self.group);
        let mut stragglers = std::mem::take(&mut self.stragglers);
        let left: BTreeSet<_> = stragglers.iter().map(|straggler| straggler.id).collect();
        let tasks = tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
        let mut out: Vec<_> = tasks.map(|task| (task.id, task.name.clone(), task.place)).collect();
        if body && !self.own_body {
            out.push((group.body_id(), group.config.name.clone(), group.config.place));
        }
        out.retain(|(id, ..)| !left.contains(id));
        let out = out.into_iter();
        stragglers.extend(out.map(|(id, name, place)| Straggler {
            id,
            name,
            place,
            left: None,
            took,
        }));
        ShutdownReport {
            id: group.id,
            name: group.config.name.clone(),
            // Whoever raised it last, or its token, may have sent the last one home.
            level: self.level.max(group.heard()),
            reason: group.risen_reason(&group.lock()),
            took,
            stragglers,
        }
    }
}

impl Shutdown {
    fn reason(&self, message: &str) -> Reason {
        Reason::of(ReasonKind::Shutdown, message.to_string(), task_id(), self.place)
    }
}

fn now(group: &Group) -> Option<Instant> {
    group.runtime.timer().map(|timer| timer.now())
}

/// How a shutdown went: which step it came to, and who was not home when the time to drain was over.
///
/// It prints as a line for the whole and one for each straggler.
#[derive(Debug, Clone)]
pub struct ShutdownReport {
    id: NurseryId,
    name: Option<Box<str>>,
    level: Level,
    reason: Option<Reason>,
    took: Duration,
    stragglers: Vec<Straggler>,
}

impl ShutdownReport {
    /// Returns the level that the nursery came to: [`Draining`](Level::Draining) if everybody came
    /// home in time, [`Running`](Level::Running) if nobody was left to begin with.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns why the nursery was cancelled, if it was: for the [shutdown](ReasonKind::Shutdown), or
    /// for a reason that came first.
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }

    /// Returns how long it took from the first step on.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Returns those who were out when the nursery was cancelled or aborted: in the order in which
    /// they left, and then those who are out still.
    pub fn stragglers(&self) -> &[Straggler] {
        &self.stragglers
    }

    /// Tells whether everybody is home.
    pub fn all_home(&self) -> bool {
        self.still_out().next().is_none()
    }

    /// Returns those who are out still.
    pub fn still_out(&self) -> impl Iterator<Item = &Straggler> {
        self.stragglers.iter().filter(|straggler| straggler.left.is_none())
    }
}

/// Somebody who was not home when the time to drain was over.
#[derive(Debug, Clone)]
pub struct Straggler {
    id: TaskId,
    name: Option<Box<str>>,
    place: &'static Location<'static>,
    left: Option<Level>,
    took: Duration,
}

impl Straggler {
    /// Returns the task; none for the nursery's body.
    pub fn task(&self) -> Option<TaskId> {
        (self.id.number() > 0).then_some(self.id)
    }

    /// Returns its nursery.
    pub fn nursery(&self) -> NurseryId {
        self.id.nursery()
    }

    /// Returns its name; the nursery's for a body.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns where it was spawned; where the nursery was opened for a body.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Returns the step on which it came home: [`Cancelled`](Level::Cancelled) or
    /// [`Aborted`](Level::Aborted). None if it is out still.
    pub fn left(&self) -> Option<Level> {
        self.left
    }

    /// Returns how long after the first step it was seen to be home; or, if it is out still, how
    /// long that is ago.
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
            Level::Running => "nobody was out",
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
        write!(f, " after {:.3?}, at {}", self.took, self.place)
    }
}

/// Why a shutdown took no step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The runtime has no timer to measure the ladder with.
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

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Shutdown");
        debug.field("nursery", &self.group.id).field("ladder", &self.ladder);
        debug.finish_non_exhaustive()
    }
}
