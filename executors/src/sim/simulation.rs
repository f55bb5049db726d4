//! One simulated runtime, and the thread that drives it step by step.
//!
//! # Invariants
//!
//! 1. Only the owner drives, and there is one: `&mut self`. So polls never overlap.
//! 2. A step is a poll, or a call of a job. The clock moves between steps, when no task is ready
//!    and no thread outside is waited for: from deadline to deadline, the earliest first. Sleeps
//!    with the same deadline end in the order in which they began to wait.
//! 3. When the owner is dropped, the world is closed and empty; see `world.rs`, invariant 4.

use super::chooser::Chooser;
use super::failure::{Facts, Failure, FailureKind, TaskReport};
use super::fault::{Faults, Threads};
use super::handle::SimHandle;
use super::local::Drives;
use super::step::Step;
use super::trace::{Event, Trace};
use super::world::{ROOT, RootWaker, Runnable, World};
use crate::current;
use crate::panics::contain;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// One simulated runtime, for tests that drive it step by step; made by
/// [`Simulator::start`](super::Simulator::start).
///
/// Dropping it shuts the runtime down: every remaining task, job and sleep is dropped.
///
/// # Examples
///
/// ```
/// use allhome_executors::sim::Simulator;
/// use allhome_rt::Timer;
/// use std::time::Duration;
///
/// let mut sim = Simulator::new().start();
/// let handle = sim.handle();
/// sim.handle().spawn_future(async move {
///     handle.sleep_until(handle.now() + Duration::from_secs(60)).await;
/// });
/// sim.run_until_stalled()?;
/// assert_eq!((sim.tasks(), sim.sleeps()), (1, 1));
/// sim.advance(Duration::from_secs(59))?;
/// assert_eq!(sim.tasks(), 1);
/// sim.settle()?;
/// assert_eq!((sim.tasks(), sim.elapsed()), (0, Duration::from_secs(60)));
/// # Ok::<(), allhome_executors::sim::Failure>(())
/// ```
pub struct Simulation {
    pub(super) world: Arc<World>,
    pub(super) chooser: Chooser,
    pub(super) faults: Faults,
    pub(super) threads: Threads,
    pub(super) most_steps: u64,
    pub(super) external_wakes: bool,
    seed: Option<u64>,
    /// Of a task that is not a nursery's, or of its destructor.
    pub(super) panicked: Option<String>,
}

impl Simulation {
    pub(super) fn new(
        settings: &super::Simulator,
        chooser: Chooser,
        seed: Option<u64>,
    ) -> Simulation {
        Simulation {
            world: World::new(settings.trace),
            chooser,
            faults: settings.faults,
            threads: Threads::start(settings.faults.threads),
            most_steps: settings.most_steps,
            external_wakes: settings.external_wakes,
            seed,
            panicked: None,
        }
    }

    /// Returns the handle that programs spawn, sleep and open nurseries with.
    pub fn handle(&self) -> SimHandle {
        SimHandle { world: Arc::clone(&self.world) }
    }

    /// Returns the virtual time since the start.
    pub fn elapsed(&self) -> Duration {
        self.handle().elapsed()
    }

    /// Returns how many tasks there are, without the root.
    pub fn tasks(&self) -> usize {
        self.world.lock().tasks.len()
    }

    /// Returns how many sleeps wait.
    pub fn sleeps(&self) -> usize {
        self.world.lock().sleeps.len()
    }

    /// Returns how many steps there were: polls, and calls of jobs.
    pub fn steps(&self) -> u64 {
        self.world.lock().steps
    }

    /// Returns what has happened so far.
    pub fn trace(&self) -> Trace {
        self.world.lock().trace.clone()
    }

    /// Returns the schedule so far.
    pub fn choices(&self) -> super::Choices {
        self.chooser.choices().clone()
    }

    pub(super) fn chooser(&self) -> &Chooser {
        &self.chooser
    }

    /// Drives the runtime and the root until the root is ready.
    ///
    /// # Errors
    ///
    /// A [`Failure`]: deadlock, livelock, or a panic of the root or of a task. The root stays as it
    /// was: the caller may look at it, and drops it.
    ///
    /// # Panics
    ///
    /// Panics where [`block_on`](crate::block_on()) does.
    #[track_caller]
    pub fn drive<F: Future>(&mut self, root: Pin<&mut F>) -> Result<F::Output, Failure> {
        let output = self.drive_while(root, || true)?;
        Ok(output.expect("it is driven until it is ready"))
    }

    /// As [`drive`](Simulation::drive), but calls `go_on` after each step and returns `None` if it
    /// returned `false`.
    ///
    /// # Errors
    ///
    /// As [`drive`](Simulation::drive).
    #[track_caller]
    pub fn drive_while<F: Future>(
        &mut self,
        mut root: Pin<&mut F>,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Option<F::Output>, Failure> {
        current::assert_may_hold("Simulation::drive");
        let _drives = Drives::new(&self.world);
        let waker = Waker::from(Arc::new(RootWaker(Arc::clone(&self.world))));
        self.world.lock().wake_root();
        loop {
            match self.step()? {
                Step::Root => {
                    if let Poll::Ready(output) = self.poll_root(root.as_mut(), &waker)? {
                        return Ok(Some(output));
                    }
                }
                Step::Done => {}
                Step::Stalled => self.wait_or_fail()?,
            }
            if !go_on() {
                return Ok(None);
            }
        }
    }

    /// Runs tasks and jobs until no task is ready. The clock stands still.
    ///
    /// # Errors
    ///
    /// A [`Failure`]: livelock, or a panic of a task.
    #[track_caller]
    pub fn run_until_stalled(&mut self) -> Result<(), Failure> {
        current::assert_may_hold("Simulation::run_until_stalled");
        let _drives = Drives::new(&self.world);
        loop {
            match self.step()? {
                // Nothing drives it at the moment.
                Step::Root => self.world.lock().root_ready = false,
                Step::Done => {}
                Step::Stalled => return Ok(()),
            }
        }
    }

    /// Moves the clock on by that much, from deadline to deadline. Before it moves on from one, it
    /// runs tasks until none is ready.
    ///
    /// # Errors
    ///
    /// As [`run_until_stalled`](Simulation::run_until_stalled).
    pub fn advance(&mut self, by: Duration) -> Result<(), Failure> {
        let until = self.world.lock().now + by;
        self.run_until_stalled()?;
        while self.next_deadline().is_some_and(|at| at <= until) {
            self.jump();
            self.run_until_stalled()?;
        }
        let mut state = self.world.lock();
        state.set_now(until, self.world.start);
        Ok(())
    }

    /// Runs until no task is ready and none sleeps.
    ///
    /// # Errors
    ///
    /// As [`run_until_stalled`](Simulation::run_until_stalled).
    pub fn settle(&mut self) -> Result<(), Failure> {
        self.run_until_stalled()?;
        while self.jump() {
            self.run_until_stalled()?;
        }
        Ok(())
    }

    /// Shuts the runtime down: drops every task, job and sleep, and takes no more.
    pub fn shutdown(&mut self) {
        let _drives = Drives::new(&self.world);
        let _inside = self.world.enter();
        let mut state = self.world.lock();
        state.closed = true;
        let tasks = std::mem::take(&mut state.tasks);
        let sleeps = std::mem::take(&mut state.sleeps);
        let has_root = state.ready.iter().any(|item| matches!(item, Runnable::Root));
        let ready = state.ready.take();
        if has_root {
            state.ready.push_back(Runnable::Root);
        }
        for (_, entry) in &tasks {
            state.trace.note(Event::Drop(entry.number));
        }
        drop(state);
        // No lock is held from here on: destructors may wake and spawn.
        for (_, entry) in tasks {
            self.contain(|| drop(entry.task));
        }
        for item in ready {
            self.contain(|| drop(item));
        }
        for (_, waker) in sleeps {
            self.contain(|| drop(waker));
        }
    }

    /// Makes a failure of this run, as it stands.
    pub fn failure(&self, kind: FailureKind, message: impl Into<String>) -> Failure {
        let mut state = self.world.lock();
        let root = TaskReport {
            number: ROOT,
            label: None,
            polls: state.root_polls,
            ready: state.root_ready,
            spawned_by: None,
            spawned_at: 0,
        };
        let mut tasks = vec![root];
        // A label is made of what is in the core's memory: it runs no foreign code.
        tasks.extend(state.tasks.iter_mut().map(|(_, entry)| TaskReport {
            number: entry.number,
            label: entry.task.as_mut().and_then(|(task, _)| task.label()),
            polls: entry.polls,
            ready: entry.woken,
            spawned_by: entry.spawned_by,
            spawned_at: entry.spawned_at,
        }));
        tasks.sort_unstable_by_key(|task| task.number);
        Failure(Box::new(Facts {
            kind,
            message: message.into(),
            steps: state.steps,
            at: state.elapsed(self.world.start),
            tasks,
            culprit: None,
            notes: Vec::new(),
            choices: self.chooser.choices().clone(),
            seed: self.seed,
            differs: None,
        }))
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        contain(|| self.shutdown());
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("steps", &self.steps()).finish_non_exhaustive()
    }
}
