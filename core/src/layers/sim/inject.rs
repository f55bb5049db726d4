//! A program that is ended at each of its await points, one after the other.

use super::{Failure, FailureKind, Simulation, Simulator, opens};
use crate::layers::base::as_error::AsError;
use crate::layers::base::fault::{self, Blow};
use crate::layers::base::guarded::GlobalGuarded;
use crate::layers::base::panic::{self, Panic};
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::nursery::Nursery;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How many failures a report keeps; the others are only counted.
const KEEP: usize = 16;

/// Ends a program at each of its await points, in every way in which a program can end there.
///
/// The program runs once undisturbed, and once more for each of its await points and each of these:
/// a cancel of the nursery there, a drop of the whole program, a panic of the task that waits
/// there, and, for a child, a runtime that drops the child's task. Finalizers are struck by a
/// cancel and a drop only: ended in the middle, they could not do what they are there for.
///
/// `make` is called for each run and returns the program, which is a nursery's body, and a check.
/// After every run, once finalizers and shielded work of a dropped program have had their time, no
/// task and no sleep may be left on the runtime. Then the check is called, which must not panic: it
/// asserts what has to hold however the program ended.
///
/// An *await point* is a poll, of the body, a child or a finalizer, that returned pending; they are
/// counted first come, first served. A program that was struck may end with an error or a panic.
/// The undisturbed run must return `Ok`.
///
/// With other settings: [`Simulator::inject`].
///
/// # Examples
///
/// However the program ends, the permits are back and the finalizer ran once:
///
/// ```
/// use allhome::{Nursery, Semaphore, sim, yield_now};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::Duration;
///
/// let report = sim::inject(|| {
///     let limit = Arc::new(Semaphore::new(1));
///     let tidied = Arc::new(AtomicU32::new(0));
///     let (own_limit, own_tidied) = (limit.clone(), tidied.clone());
///     let program = async move |n: Nursery<std::io::Error>| {
///         let tidied = own_tidied.clone();
///         let tidy = async move { Ok(drop(tidied.fetch_add(1, Ordering::SeqCst))) };
///         n.defer(Duration::MAX, tidy);
///         for _ in 0..2 {
///             let limit = own_limit.clone();
///             n.spawn(async move {
///                 let _permit = limit.acquire().await;
///                 Ok(yield_now().await)
///             });
///         }
///         Ok(yield_now().await)
///     };
///     let check = move || {
///         assert_eq!(limit.available(), 1);
///         assert_eq!(tidied.load(Ordering::SeqCst), 1);
///     };
///     (program, check)
/// });
/// let report = report.unwrap();
/// assert_eq!((report.points(), report.runs()), (4, 1 + 4 * 3 + 3));
/// ```
#[must_use = "it says whether a run failed"]
#[track_caller]
pub fn inject<R, E, M, F, Fut, C>(make: impl Fn() -> (F, C)) -> Injected
where
    F: FnOnce(Nursery<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: AsError<M>,
    C: FnOnce(),
{
    Simulator::new().inject(make)
}

impl Simulator {
    /// Like [`inject`], with these settings. All runs have the same schedule: the first.
    #[must_use = "it says whether a run failed"]
    #[track_caller]
    pub fn inject<R, E, M, F, Fut, C>(&self, make: impl Fn() -> (F, C)) -> Injected
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
        C: FnOnce(),
    {
        let location = Location::caller();
        let mut report = Injected::default();
        let first = attempt(self, location, None, &make);
        report.points = first.seen;
        report.note(None, first);
        if report.failed > 0 {
            return report;
        }
        for point in 0..report.points {
            for blow in Blow::ALL {
                let attempt = attempt(self, location, Some((point, blow)), &make);
                report.note(Some((point, blow)), attempt);
            }
        }
        report
    }
}

/// The result of an injection: how many runs there were, and which failed.
#[derive(Debug, Default)]
pub struct Injected {
    points: u64,
    runs: u64,
    cancels: u64,
    drops: u64,
    panics: u64,
    losses: u64,
    failed: u64,
    failures: Vec<String>,
}

impl Injected {
    /// Returns how many await points the program has.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// Returns how many runs there were, including the undisturbed one.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Returns in how many runs the nursery was cancelled.
    pub fn cancels(&self) -> u64 {
        self.cancels
    }

    /// Returns in how many runs the program was dropped.
    pub fn drops(&self) -> u64 {
        self.drops
    }

    /// Returns in how many runs a task, or the body, panicked.
    pub fn panics(&self) -> u64 {
        self.panics
    }

    /// Returns in how many runs the runtime dropped a task.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// Returns how many runs failed.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Returns descriptions of the first runs that failed, at most 16.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Returns the report if no run failed.
    ///
    /// # Panics
    ///
    /// Panics if a run failed, with the failures.
    #[track_caller]
    pub fn unwrap(self) -> Injected {
        assert!(self.failed == 0, "{self}");
        self
    }

    fn note(&mut self, target: Option<(u64, Blow)>, attempt: Attempt) {
        let what = match target {
            None => {
                self.runs += 1;
                "as it is".to_owned()
            }
            // The point cannot be struck in this way.
            Some(_) if !attempt.struck => return,
            Some((point, blow)) => {
                self.runs += 1;
                let (count, what) = match blow {
                    Blow::Cancel => (&mut self.cancels, "a cancel"),
                    Blow::Drop => (&mut self.drops, "a drop"),
                    Blow::Panic => (&mut self.panics, "a panic"),
                    Blow::Lose => (&mut self.losses, "a lost task"),
                };
                *count += 1;
                format!("with {what} at await point {point}")
            }
        };
        if let Some(failure) = attempt.failure {
            self.failed += 1;
            if self.failures.len() < KEEP {
                self.failures.push(format!("{what}: {failure}"));
            }
        }
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} await points, {} runs ({} cancels, {} drops, {} panics, {} lost), {} failed",
            self.points, self.runs, self.cancels, self.drops, self.panics, self.losses, self.failed
        )?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n{failure}"))
    }
}

/// One run.
struct Attempt {
    seen: u64,
    struck: bool,
    failure: Option<Failure>,
}

fn attempt<R, E, M, F, Fut, C>(
    settings: &Simulator,
    location: &'static Location<'static>,
    target: Option<(u64, Blow)>,
    make: impl Fn() -> (F, C),
) -> Attempt
where
    F: FnOnce(Nursery<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: AsError<M>,
    C: FnOnce(),
{
    let (body, check) = make();
    let mut simulation = settings.start();
    let opened = Arc::new(GlobalGuarded::new(None));
    let keep = opened.clone();
    let planned = fault::plan(target);
    let mut run = Box::pin(opens(&simulation, location).run(move |n: Nursery<E>| {
        let handle = n.clone();
        drop(keep.locked(|keep| keep.replace(handle)));
        Body { n: n.clone(), future: body(n) }
    }));
    let dropped = target.is_some_and(|(_, blow)| blow == Blow::Drop);
    let go_on = || !(dropped && planned.has_struck());
    let mut failure = match simulation.drive_while(run.as_mut(), go_on) {
        Ok(Some(Err(error))) if target.is_none() => {
            let message = error.name().map_or("its error".to_owned(), |name| name.to_owned());
            Some(simulation.failure(FailureKind::Error, message))
        }
        Ok(_) => None,
        Err(failure) if failure.kind() == FailureKind::Panic && target.is_some() => None,
        Err(failure) => Some(failure),
    };
    let (seen, struck) = (planned.seen(), planned.has_struck());
    drop(planned);
    let tree = opened.locked(Option::take);
    if failure.is_none() {
        if let Err(payload) = panic::catch_drop(run) {
            panic::discard(payload);
        }
        failure = left(&mut simulation);
    }
    if let (Some(failure), Some(n)) = (&mut failure, tree) {
        failure.note(n.tree().to_string());
    }
    if failure.is_none() {
        failure = panic::catch(check).err().map(|payload| {
            let panicked = Panic::new(payload, None, None, location);
            let message = format!("the check {panicked}");
            simulation.failure(FailureKind::Error, message)
        });
    }
    Attempt { seen, struck, failure }
}

/// Returns a failure if a task or a sleep is left when everything should be over. Finalizers and
/// shielded work of a program that was dropped get the time that they ask for.
fn left(simulation: &mut Simulation) -> Option<Failure> {
    if let Err(failure) = simulation.run_until_stalled() {
        return Some(failure);
    }
    if simulation.tasks() > 0 {
        if let Err(failure) = simulation.settle() {
            return Some(failure);
        }
    }
    match (simulation.tasks(), simulation.sleeps()) {
        (0, 0) => None,
        (tasks, sleeps) => {
            let message = format!("{tasks} tasks and {sleeps} sleeps are left");
            Some(simulation.failure(FailureKind::Leftover, message))
        }
    }
}

pin_project! {
    /// A nursery's body, which has await points like a child.
    struct Body<E, Fut> {
        n: Nursery<E>,
        #[pin]
        future: Fut,
    }
}

impl<E: Send + Sync + 'static, Fut: Future> Future for Body<E, Fut> {
    type Output = Fut::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        let this = self.project();
        let poll = this.future.poll(cx);
        if poll.is_ready() {
            return poll;
        }
        match fault::point(&Blow::OF_BODY) {
            Some(Blow::Cancel) => drop(this.n.cancel_with(Reason::new(fault::MESSAGE))),
            Some(Blow::Panic) => panic::resume(Box::new(fault::MESSAGE)),
            Some(Blow::Drop | Blow::Lose) | None => {}
        }
        Poll::Pending
    }
}
