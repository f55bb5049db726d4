//! A simulated runtime: one thread, a virtual clock, and a seed that decides which task runs when.
//!
//! A [`Simulator`] has the settings. It [runs](Simulator::run) a program once, or
//! [explores](Simulator::explore) many of its schedules; a failure can be
//! [replayed](Simulator::replay). A [`Simulation`] is one runtime, for tests that drive it step by
//! step.
//!
//! A program sees just another runtime: a [`SimHandle`] spawns, sleeps and takes blocking jobs as
//! the boundary asks. Only that is simulated: code that asks the system for the time, for threads
//! or for random numbers gets the system's.
//!
//! # Files
//!
//! `world.rs` is the state, and `run_queue.rs` the queue in it. `simulation.rs` and `step.rs` drive
//! it, `chooser.rs` decides, and `explore.rs` repeats;
//! `quiet.rs` keeps the panic hook silent meanwhile.

mod choices;
mod chooser;
mod explore;
mod failure;
mod fault;
mod handle;
mod local;
mod quiet;
mod rng;
mod run_queue;
mod simulation;
mod step;
mod trace;
mod world;

pub use choices::{Choices, NoChoices};
pub use explore::Explored;
pub use failure::{Failure, FailureKind, TaskReport, Verdict};
pub use fault::Faults;
pub use handle::{Outside, SimHandle};
pub use local::SimLocal;
pub use simulation::Simulation;
pub use trace::{Event, Trace};

use std::future::Future;
use std::pin::pin;

/// Runs programs on simulated runtimes; has their settings.
///
/// Without settings, a program runs first come, first served.
///
/// # Examples
///
/// Two tasks race; one of their two orders is wrong.
///
/// ```
/// use allhome_executors::sim::{FailureKind, SimHandle, Simulator};
/// use std::sync::{Arc, Mutex};
///
/// async fn race(sim: SimHandle) -> Result<(), String> {
///     let log = Arc::new(Mutex::new(Vec::new()));
///     for number in 0..2 {
///         let log = log.clone();
///         sim.spawn_future(async move { log.lock().unwrap().push(number) });
///     }
///     while log.lock().unwrap().len() < 2 {
///         let mut turns = 1;
///         std::future::poll_fn(|cx| {
///             cx.waker().wake_by_ref();
///             turns -= 1;
///             if turns < 0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
///         })
///         .await;
///     }
///     let log = log.lock().unwrap();
///     if *log == [0, 1] { Ok(()) } else { Err(format!("{log:?}")) }
/// }
///
/// let found = Simulator::new().exhaustive().explore(race);
/// let failure = found.failure().unwrap();
/// assert_eq!((failure.kind(), failure.message()), (FailureKind::Error, "[1, 0]"));
///
/// let again = Simulator::new().replay("sim1/0=1".parse()?).explore(race);
/// assert_eq!(again.failure().unwrap().message(), "[1, 0]");
/// # Ok::<(), allhome_executors::sim::NoChoices>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs until a method such as `run` or `explore` is called"]
pub struct Simulator {
    plan: Plan,
    seed: u64,
    replay: Choices,
    most_schedules: u64,
    deviations: usize,
    depth: usize,
    expected_steps: u64,
    most_steps: u64,
    external_wakes: bool,
    faults: Faults,
    trace: bool,
}

/// How decisions are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Fifo,
    Random,
    Pct { changes: usize },
    Exhaustive,
    Replay,
}

/// The result of a run, with everything that the run has recorded.
#[derive(Clone, Debug)]
pub struct Record<T> {
    /// What the root returned, or why it did not.
    pub result: Result<T, Failure>,
    /// What happened.
    pub trace: Trace,
    /// The schedule.
    pub choices: Choices,
    /// How many steps there were: polls, and calls of jobs.
    pub steps: u64,
}

impl Simulator {
    /// Begins with no settings: first come, first served, no faults, at most a million steps.
    pub fn new() -> Simulator {
        Simulator {
            plan: Plan::Fifo,
            seed: 0,
            replay: Choices::default(),
            most_schedules: 1_000,
            deviations: usize::MAX,
            depth: 10_000,
            expected_steps: 1_000,
            most_steps: 1_000_000,
            external_wakes: false,
            faults: Faults::default(),
            trace: false,
        }
    }

    // ---- which task runs

    /// Lets the seed decide which task runs next. An exploration takes the seed and those that
    /// follow it.
    ///
    /// After [`pct`](Simulator::pct) or [`exhaustive`](Simulator::exhaustive) it changes only the
    /// seed.
    pub fn seed(self, seed: u64) -> Simulator {
        let plan = if self.plan == Plan::Fifo { Plan::Random } else { self.plan };
        Simulator { seed, plan, ..self }
    }

    /// Gives tasks random priorities, `changes` of which change at random steps. It finds bugs that
    /// need few orderings in long programs (Burckhardt et al., ASPLOS 2010). A bug that needs `d`
    /// orderings wants `d - 1` changes; 2 is a good number.
    pub fn pct(self, changes: usize) -> Simulator {
        Simulator { plan: Plan::Pct { changes }, ..self }
    }

    /// Goes through all schedules, one after the other: for small programs. A single
    /// [run](Simulator::run) is the first of them.
    pub fn exhaustive(self) -> Simulator {
        Simulator { plan: Plan::Exhaustive, most_schedules: 1_000_000, ..self }
    }

    /// Follows a failure's schedule.
    pub fn replay(self, choices: Choices) -> Simulator {
        Simulator { plan: Plan::Replay, replay: choices, ..self }
    }

    // ---- bounds

    /// Sets how many schedules an exploration runs at most. The default is 1,000, and a million for
    /// an exhaustive one. An exhaustive exploration begins with the schedules of the fewest
    /// [deviations](Simulator::deviations). A schedule that it runs again on its way to others
    /// counts once.
    pub fn schedules(self, most: u64) -> Simulator {
        Simulator { most_schedules: most, ..self }
    }

    /// Sets how many decisions of a schedule may differ from the default, in an exhaustive
    /// exploration: most bugs need very few. The default decision is the task that has waited
    /// longest. Without this call there is no bound.
    pub fn deviations(self, most: usize) -> Simulator {
        Simulator { deviations: most, ..self }
    }

    /// Sets how many of a run's first decisions an exhaustive exploration varies. The default is
    /// 10,000.
    pub fn depth(self, most: usize) -> Simulator {
        Simulator { depth: most, ..self }
    }

    /// Sets after how many steps, polls and calls of jobs, a run counts as a livelock. The default
    /// is a million.
    pub fn steps(self, most: u64) -> Simulator {
        Simulator { most_steps: most, ..self }
    }

    // ---- what else

    /// Says whether threads that the program has started may wake its tasks. If so, a run in which
    /// no task is runnable and no timer is set waits for such a wake, in real time, instead of
    /// reporting a deadlock. For a part of a run only: [`SimHandle::outside`].
    pub fn external_wakes(self, external: bool) -> Simulator {
        Simulator { external_wakes: external, ..self }
    }

    /// Turns faults on.
    pub fn faults(self, faults: Faults) -> Simulator {
        Simulator { faults, ..self }
    }

    /// Says whether the events of a run are kept, for its [`Trace`].
    pub fn trace(self, keep: bool) -> Simulator {
        Simulator { trace: keep, ..self }
    }

    // ---- running

    /// Makes a runtime for a test that drives it step by step. It follows the first schedule of an
    /// [exploration](Simulator::explore).
    pub fn start(&self) -> Simulation {
        self.simulation(0, self.expected_steps)
    }

    /// Runs a program once, on the current thread.
    ///
    /// # Errors
    ///
    /// A [`Failure`]: deadlock, livelock, or a panic of the root or of a task.
    pub fn run<F, Fut>(&self, program: F) -> Result<Fut::Output, Failure>
    where
        F: FnOnce(SimHandle) -> Fut,
        Fut: Future,
    {
        self.record(program).result
    }

    /// As [`run`](Simulator::run), but returns everything that the run has recorded.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome_executors::sim::Simulator;
    ///
    /// let record = Simulator::new().trace(true).record(async |sim| sim.spawn_future(async {}));
    /// assert!(record.result.is_ok());
    /// let expected = "spawn 1 by 0\npoll 0 done\n2 events, digest ";
    /// assert!(record.trace.to_string().starts_with(expected));
    /// ```
    pub fn record<F, Fut>(&self, program: F) -> Record<Fut::Output>
    where
        F: FnOnce(SimHandle) -> Fut,
        Fut: Future,
    {
        let mut simulation = self.start();
        let result = drive(&mut simulation, program);
        let (trace, choices) = (simulation.trace(), simulation.choices());
        Record { result, trace, choices, steps: simulation.steps() }
    }

    /// Runs a program under many schedules, until one fails or the bound is reached; then looks for
    /// the shortest schedule that fails. A program fails if it panics, returns an error, or neither
    /// ends nor can go on.
    #[must_use = "it has the failure, if a schedule failed"]
    pub fn explore<F, Fut>(&self, program: F) -> Explored
    where
        F: Fn(SimHandle) -> Fut,
        Fut: Future<Output: Verdict>,
    {
        self.explore_with(|simulation| match drive(simulation, &program) {
            Err(failure) => Some(failure),
            Ok(output) => {
                let message = output.failure()?;
                Some(simulation.failure(FailureKind::Error, message))
            }
        })
    }
}

fn drive<F, Fut>(simulation: &mut Simulation, program: F) -> Result<Fut::Output, Failure>
where
    F: FnOnce(SimHandle) -> Fut,
    Fut: Future,
{
    let handle = simulation.handle();
    // The closure is called in the root's first poll, as a part of the program.
    simulation.drive(pin!(async move { program(handle).await }))
}

impl Default for Simulator {
    fn default() -> Simulator {
        Simulator::new()
    }
}
