//! Tests of programs on a simulated runtime: one thread, a virtual clock, and a seed that decides
//! which task runs when. docs/SIMULATOR.md is the guide.
//!
//! A [`Simulator`] opens a nursery and runs a program in it, once or under many schedules.
//! [`inject`] runs it once for each of its await points, with a cancel there, a drop, or a panic.
//!
//! Every child is a task of its own here, so that the schedule decides about each of them.

mod culprit;
mod inject;

pub use allhome_executors::sim::Simulator as Bare;
pub use allhome_executors::sim::{
    Choices, Event, Explored, Failure, FailureKind, Faults, NoChoices, Outside, Record, SimHandle,
    SimLocal, Simulation, TaskReport, Trace, Verdict,
};
pub use inject::{Injected, inject};

use crate::layers::base::as_error::AsError;
use crate::layers::base::guarded::GlobalGuarded;
use crate::layers::base::sync::Arc;
use crate::layers::nursery::Nursery;
use crate::layers::nursery::builder::{Builder, nursery};
use crate::layers::nursery::error::GroupError;
use culprit::Panics;
use std::fmt;
use std::future::Future;
use std::panic::Location;

/// Runs nurseries on a simulated runtime: its settings.
///
/// Without any setting, a program runs first come, first served. The settings, and what they mean,
/// are those of [`Bare`], which runs programs that are not in a nursery.
///
/// # Examples
///
/// An hour passes in no time, and the same seed gives the same run.
///
/// ```
/// use allhome::{BoxError, Simulator, sleep};
/// use std::time::Duration;
///
/// let six = Simulator::new().seed(7).run(async |n| {
///     let child = n.fork(async {
///         sleep(Duration::from_secs(3_600)).await;
///         Ok::<_, BoxError>(6)
///     });
///     Ok(child.await?)
/// });
/// assert_eq!(six?, 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A test without a macro: it runs every order of two children, one of which is wrong.
///
/// ```should_panic
/// use allhome::Simulator;
/// use std::sync::{Arc, Mutex};
///
/// // #[test]
/// fn children_come_in_order() {
///     Simulator::new().exhaustive().check(async |n| {
///         let log = Arc::new(Mutex::new(Vec::new()));
///         for number in 0..2 {
///             let log = log.clone();
///             n.spawn(async move { Ok(log.lock().unwrap().push(number)) });
///         }
///         while log.lock().unwrap().len() < 2 {
///             allhome::yield_now().await;
///         }
///         assert_eq!(*log.lock().unwrap(), [0, 1]);
///         Ok::<_, std::io::Error>(())
///     });
/// }
/// children_come_in_order();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is run until it is told to"]
pub struct Simulator {
    bare: Bare,
}

/// Why a simulated program has no value.
pub enum SimError<E> {
    /// Its nursery returned an error.
    Nursery(GroupError<E>),
    /// It neither ended nor could go on, or it panicked.
    Failure(Failure),
}

/// The environment variable in which [`Simulator::check`] looks for a schedule.
const REPLAY: &str = "ALLHOME_REPLAY";

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty)?);)*) => {
        $($(#[$doc])*
        pub fn $name(self, $($argument: $kind)?) -> Simulator {
            Simulator { bare: self.bare.$name($($argument)?) }
        })*
    };
}

impl Simulator {
    /// Creates a simulator with no settings: first come, first served, no faults, at most a million
    /// steps.
    pub fn new() -> Simulator {
        Simulator::default()
    }

    settings! {
        /// Lets the seed decide which task runs next. An exploration tries it and the seeds that
        /// follow.
        seed(seed: u64);
        /// Gives tasks random priorities, and changes `changes` of them at random steps.
        pct(changes: usize);
        /// Runs all schedules, one after the other: for small programs.
        exhaustive();
        /// Replays the schedule of a failure.
        replay(choices: Choices);
        /// Sets how many schedules an exploration runs at most. Default: 1,000; a million if it is
        /// exhaustive.
        schedules(most: u64);
        /// Sets how many decisions of an exhaustive schedule may choose another task than the one
        /// that has waited longest.
        deviations(most: usize);
        /// Sets how many of a run's first decisions an exhaustive exploration varies. Default:
        /// 10,000.
        depth(most: usize);
        /// Sets after how many steps, polls and calls of jobs, a run counts as a livelock. Default:
        /// a million.
        steps(most: u64);
        /// Sets whether threads that the program has started may wake its tasks.
        external_wakes(external: bool);
        /// Sets the faults that the runtime injects.
        faults(faults: Faults);
        /// Sets whether the events of a run are kept, for its [`Trace`].
        trace(keep: bool);
    }

    /// Creates a runtime that the caller drives by hand.
    pub fn start(&self) -> Simulation {
        self.bare.start()
    }

    /// Opens a nursery and runs it once, on the current thread.
    ///
    /// # Errors
    ///
    /// Returns the nursery's error, or a [`Failure`]: deadlock, livelock or panic, with the tree of
    /// the tasks.
    #[track_caller]
    pub fn run<R, E, M, F, Fut>(&self, body: F) -> Result<R, SimError<E>>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
    {
        self.record(body).result.map_err(SimError::Failure)?.map_err(SimError::Nursery)
    }

    /// Like [`run`](Simulator::run), and returns everything that is known about the run.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{Nursery, Simulator};
    ///
    /// async fn program(n: Nursery<std::io::Error>) -> Result<(), std::io::Error> {
    ///     (0..10).for_each(|_| drop(n.spawn(async { Ok(allhome::yield_now().await) })));
    ///     Ok(())
    /// }
    /// let [first, second] = [0, 1].map(|_| Simulator::new().seed(7).trace(true).record(program));
    /// assert_eq!(first.trace.to_string(), second.trace.to_string());
    /// ```
    #[track_caller]
    pub fn record<R, E, M, F, Fut>(&self, body: F) -> Record<Result<R, GroupError<E>>>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
    {
        let mut simulation = self.start();
        let result = drive(&mut simulation, Location::caller(), body);
        let (trace, choices) = (simulation.trace(), simulation.choices());
        Record { result, trace, choices, steps: simulation.steps() }
    }

    /// Runs a nursery under many schedules, until one fails or the bound is reached; then looks for
    /// the shortest schedule that fails.
    ///
    /// A schedule fails if the nursery returns an error, if the program panics, or if it neither
    /// ends nor can go on.
    #[must_use = "it has the failure, if a schedule failed"]
    #[track_caller]
    pub fn explore<R, E, M, F, Fut>(&self, body: F) -> Explored
    where
        F: Fn(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
    {
        let location = Location::caller();
        self.bare.explore_with(|simulation| match drive(simulation, location, &body) {
            Err(failure) => Some(failure),
            Ok(result) => {
                let message = result.err()?.to_string();
                Some(simulation.failure(FailureKind::Error, message))
            }
        })
    }

    /// Like [`explore`](Simulator::explore), for tests. If the environment has `ALLHOME_REPLAY`,
    /// only the schedule in it is replayed.
    ///
    /// # Panics
    ///
    /// Panics if a schedule fails, with the failure and how to replay it, and if `ALLHOME_REPLAY`
    /// is no schedule.
    #[track_caller]
    pub fn check<R, E, M, F, Fut>(&self, body: F) -> Explored
    where
        F: Fn(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
    {
        match std::env::var(REPLAY) {
            Ok(text) => {
                let choices = text.parse::<Choices>().unwrap_or_else(|no| panic!("{REPLAY}: {no}"));
                self.clone().replay(choices).explore(body).unwrap()
            }
            Err(_) => self.explore(body).unwrap(),
        }
    }
}

/// Opens a nursery in the simulation and drives it to its end. A failure gets the tree of the
/// tasks.
fn drive<R, E, M, F, Fut>(
    simulation: &mut Simulation,
    location: &'static Location<'static>,
    body: F,
) -> Result<Result<R, GroupError<E>>, Failure>
where
    F: FnOnce(Nursery<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: AsError<M>,
{
    let opened = Arc::new(GlobalGuarded::new(None));
    let keep = opened.clone();
    let panics = Panics::new();
    let builder = opens(simulation, location).on_panic(panics.hook());
    // Boxed, as everything that may be big: see `big`.
    let mut run = Box::pin(builder.run(move |n: Nursery<E>| {
        let handle = n.clone();
        drop(keep.locked(|keep| keep.replace(handle)));
        body(n)
    }));
    simulation.drive(run.as_mut()).map_err(|mut failure| {
        if let Some(culprit) = panics.culprit(&failure) {
            failure.set_culprit(culprit);
        }
        if let Some(n) = opened.locked(Option::take) {
            failure.note(n.tree().to_string());
        }
        failure
    })
}

/// Creates a nursery that was opened at the place of the user's call.
fn opens(simulation: &Simulation, location: &'static Location<'static>) -> Builder {
    let mut builder = nursery().on(simulation.handle());
    builder.config.place = location;
    builder
}

impl<E: Send + Sync + 'static> fmt::Display for SimError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SimError::Nursery(error) => error.fmt(f),
            SimError::Failure(failure) => failure.fmt(f),
        }
    }
}

impl<E: Send + Sync + 'static> fmt::Debug for SimError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SimError::Nursery(error) => error.fmt(f),
            SimError::Failure(failure) => failure.fmt(f),
        }
    }
}

impl<E: Send + Sync + 'static> std::error::Error for SimError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SimError::Nursery(error) => error.source(),
            SimError::Failure(failure) => failure.source(),
        }
    }
}
