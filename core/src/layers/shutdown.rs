//! Shutting a nursery down step by step, with a report of the tasks that did not stop in time.
//!
//! | phase    | `level`   | what a poll waits for                                          |
//! |----------|-----------|----------------------------------------------------------------|
//! | made     | -         | nothing: it finds out which task polls it                      |
//! | waiting  | running   | the nursery is raised from elsewhere, or every task has ended  |
//! | on a step| the step's| every task has ended, the step's time, or the nursery is raised further |
//! | done     | -         | it panics                                                      |
//!
//! The level is the nursery's own. Any caller that raises it, this future by the clock or another,
//! takes the shutdown on to the next step. So signals, deadlines, failures and callers need no way
//! of their own.

mod report;
mod watch;

pub use report::{Echo, ShutdownError, ShutdownReport, Straggler};

use crate::layers::base::counted::Strong;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::context::new_reason::caller;
use crate::layers::context::{self, TaskFrame};
use crate::layers::group::Group;
use crate::layers::group::registry::stragglers::StragglerLog;
use crate::layers::nursery::Nursery;
use crate::layers::scope::shield::ShieldNotes;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use watch::Watch;

/// How long a shutdown waits on each of its steps until every task has ended.
#[derive(Debug, Clone, Copy)]
struct Times {
    drain: Duration,
    cancel: Duration,
    abort: Duration,
}

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Shuts the nursery down in steps, and reports the tasks that did not stop in time.
    ///
    /// The steps are: [close](Nursery::close) the nursery to new children; when the time to
    /// [drain](Shutdown::drain) is over, [cancel](Shutdown::cancel) the tasks that have not ended;
    /// when the time for that is over, [abort](Shutdown::abort) those that have still not ended.
    /// The times suit a service manager that kills the process after 30 seconds: 20 seconds, 5 and
    /// 1. Zero goes on at once, and [`Duration::MAX`] never does.
    ///
    /// The shutdown begins at its first poll, but a task that leaves late before that poll is in
    /// the report, too. It is ready when every task has ended, or when the last time is over. If another caller cancels or aborts the nursery meanwhile, the shutdown goes on from
    /// that step; with [`when_raised`](Shutdown::when_raised) another caller takes the first step
    /// as well.
    ///
    /// An error that a task ends with after the cancel is no failure of the nursery: the report has
    /// it as one of its [echoes](ShutdownReport::echoes). A task that must be heard calls
    /// [`fail`](Nursery::fail), or leaves the work to a finalizer ([`defer`](Nursery::defer)).
    ///
    /// Await it in the nursery's body, which is not cut off while it does; finalizers then run
    /// after it. A time limit around it ([`move_on_after`](crate::move_on_after)) ends it, as if it
    /// was dropped. Or await it outside: then it waits for the body and the finalizers, too.
    ///
    /// # Errors
    ///
    /// Returns an error if the future is awaited by a task inside the nursery, which would wait for
    /// itself. Nothing has happened to the nursery then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the nursery at the step that it has reached: no further step is
    /// taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    /// use allhome::cancel::Level;
    /// use std::time::Duration;
    ///
    /// let run = nursery().name("server").run(async |n: Nursery| {
    ///     n.task("stubborn").spawn(std::future::pending());
    ///     Ok(n.shutdown().drain(Duration::from_millis(1)).await?)
    /// });
    /// let report = block_on(run)?;
    /// assert!(report.all_home());
    /// let late = &report.stragglers()[0];
    /// assert_eq!((late.name(), late.left()), (Some("stubborn"), Some(Level::Cancelled)));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown::new(self.group.clone(), Location::caller())
    }
}

impl Default for Times {
    fn default() -> Times {
        let [drain, cancel, abort] = [20, 5, 1].map(Duration::from_secs);
        Times { drain, cancel, abort }
    }
}

impl Times {
    fn of(&self, level: Level) -> Duration {
        match level {
            Level::Running => Duration::MAX,
            Level::Draining => self.drain,
            Level::Cancelled => self.cancel,
            Level::Aborted => self.abort,
        }
    }
}

/// The future of [`Nursery::shutdown`](crate::Nursery::shutdown).
#[must_use = "a shutdown takes no step unless it is awaited"]
pub struct Shutdown {
    group: Strong<Group>,
    log: Arc<StragglerLog>,
    times: Times,
    location: &'static Location<'static>,
    asked: bool,
    phase: Phase,
}

enum Phase {
    Made,
    Watching(Box<Watch>),
    Done,
}

impl Shutdown {
    pub(crate) fn new(group: Strong<Group>, location: &'static Location<'static>) -> Shutdown {
        let log = StragglerLog::new(group.id);
        // Not at the first poll: a task that leaves before that is late, too.
        group.subscribe(&log);
        let times = Times::default();
        Shutdown { group, log, times, location, asked: true, phase: Phase::Made }
    }

    /// Sets the time after the nursery was closed to new children, until the rest is cancelled.
    /// Default: 20 seconds.
    pub fn drain(mut self, time: Duration) -> Shutdown {
        self.times.drain = time;
        self
    }

    /// Sets the time after the cancel, until the rest is aborted. Default: 5 seconds. A
    /// [grace](crate::Builder::grace) that is over earlier ends in an abort, too.
    pub fn cancel(mut self, time: Duration) -> Shutdown {
        self.times.cancel = time;
        self
    }

    /// Sets the time after the abort, until the report names the tasks that have still not ended:
    /// they are being polled, or block their thread, or have a shield. Default: 1 second.
    pub fn abort(mut self, time: Duration) -> Shutdown {
        self.times.abort = time;
        self
    }

    /// Takes no first step of its own. The shutdown waits until the nursery is closed, cancelled or
    /// aborted from elsewhere (by a signal, a deadline, a child that failed), and goes on from
    /// there; or until every task has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelToken, Nursery, Reason, block_on, nursery};
    /// use allhome::cancel::Level;
    /// use std::time::Duration;
    ///
    /// let operator = CancelToken::new();
    /// let server = nursery().token(&operator);
    /// let run = server.run(async |n: Nursery| {
    ///     n.task("listener").spawn(std::future::pending());
    ///     let shutdown = n.shutdown().drain(Duration::ZERO).when_raised();
    ///     let thread = std::thread::spawn(move || operator.escalate(Reason::new("maintenance")));
    ///     let report = shutdown.await?;
    ///     thread.join().expect("it does not panic");
    ///     Ok(report)
    /// });
    /// let report = block_on(run)?;
    /// assert_eq!(report.level(), Level::Cancelled);
    /// assert_eq!(report.stragglers()[0].name(), Some("listener"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn when_raised(mut self) -> Shutdown {
        self.asked = false;
        self
    }

    fn watch(&self) -> Result<Box<Watch>, ShutdownError> {
        let own_body = context::task(|task| self.find_caller(task))?;
        let shield = if own_body { context::current(ShieldNotes::within_limits) } else { None };
        Ok(Box::new(Watch::new(self, own_body, shield)))
    }

    /// Returns `true` if the caller is the nursery's body. Every other task inside the nursery is
    /// an error.
    fn find_caller(&self, task: Option<&TaskFrame<'_>>) -> Result<bool, ShutdownError> {
        let Some(task) = task else { return Ok(false) };
        if std::ptr::addr_eq(task.group, &*self.group) && task.task.is_none() {
            return Ok(true);
        }
        let mut at = Group::of(task.group).map(Group::weak);
        while let Some(group) = at {
            if group.is(&self.group) {
                return Err(ShutdownError::Inside(group.id));
            }
            at = group.locked(|registry| registry.parent());
        }
        Ok(false)
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        self.group.unsubscribe(&self.log);
        // A nursery that has ended meanwhile, and whose handle is kept, still has the log.
        self.log.give_up();
    }
}

impl Future for Shutdown {
    type Output = Result<ShutdownReport, ShutdownError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Phase::Made = this.phase {
            let mut watch = match this.watch() {
                Ok(watch) => watch,
                Err(error) => {
                    this.phase = Phase::Done;
                    return Poll::Ready(Err(error));
                }
            };
            if this.asked {
                watch.step(this.group.requested_level().max(Level::Draining), this);
            }
            this.phase = Phase::Watching(watch);
        }
        let Phase::Watching(mut watch) = std::mem::replace(&mut this.phase, Phase::Done) else {
            panic!("a shutdown is not polled after it was ready");
        };
        let so_far = wait_mark::so_far();
        if watch.poll(this, cx).is_pending() {
            wait_mark::instead(so_far, Kind::Shutdown, this.group.id.number());
            this.phase = Phase::Watching(watch);
            return Poll::Pending;
        }
        Poll::Ready(Ok(watch.report()))
    }
}

impl Shutdown {
    fn reason(&self, message: &str) -> Reason {
        let (kind, message) = (ReasonKind::Shutdown, message.to_string());
        self.group.reason(kind, message, caller(), self.location)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Shutdown");
        debug.field("nursery", &self.group.id).field("times", &self.times);
        debug.finish_non_exhaustive()
    }
}
