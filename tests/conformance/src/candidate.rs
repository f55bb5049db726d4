//! A runtime under test: how to start it, and what it declares.

use crate::memory::resident;
use crate::rule::{Need, Rule};
use allhome_rt::{Runtime, SpawnLocal};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// The future that a case drives its runtime with.
pub type Root<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A fresh runtime under test. Dropping it must shut the runtime down.
pub trait Host {
    /// Returns the handle that nurseries are opened on.
    fn runtime(&self) -> Runtime;

    /// Drives the runtime, and the root on the present thread, until the root is ready. The suite
    /// may call it more than once.
    fn block_on(&mut self, root: Root<'_>);

    /// Returns how many tasks can be polled at once. Default: 1.
    fn threads(&self) -> usize {
        1
    }

    /// Returns a spawner of tasks that stay on this thread, if the runtime has one. Those tasks run
    /// while this thread is in [`block_on`](Host::block_on). Default: none.
    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        None
    }
}

/// What a runtime declares that it can do. A rule about anything else is skipped, and shown as
/// skipped. A timer and a blocking pool are not in the list: every runtime has them, its own or those
/// that the boundary lends, and the rules about them hold for both.
///
/// # Examples
///
/// ```
/// use allhome_conformance::Capabilities;
///
/// let declared = Capabilities::new().shutdown().threads(2);
/// assert_ne!(declared, Capabilities::new());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Capabilities {
    pub(crate) threads: usize,
    local: bool,
    shutdown: bool,
    joins_threads: bool,
    pub(crate) virtual_clock: bool,
    pub(crate) jobs_in_turn: bool,
}

impl Default for Capabilities {
    fn default() -> Capabilities {
        Capabilities::new()
    }
}

impl Capabilities {
    /// Declares nothing: one thread that runs tasks.
    pub const fn new() -> Capabilities {
        Capabilities {
            threads: 1,
            local: false,
            shutdown: false,
            joins_threads: false,
            virtual_clock: false,
            jobs_in_turn: false,
        }
    }

    /// Declares that this many tasks can be polled at once.
    pub const fn threads(self, threads: usize) -> Capabilities {
        Capabilities { threads, ..self }
    }

    /// Declares that the host has [`local`](Host::local) tasks.
    pub const fn local(self) -> Capabilities {
        Capabilities { local: true, ..self }
    }

    /// Declares that the runtime ends when the host is dropped: by then every task is dropped, and
    /// none is polled any more. A runtime that the whole process shares cannot declare this.
    pub const fn shutdown(self) -> Capabilities {
        Capabilities { shutdown: true, ..self }
    }

    /// Declares that no thread of the runtime is left once the host is dropped.
    pub const fn joins_threads(self) -> Capabilities {
        Capabilities { joins_threads: true, ..self }
    }

    /// Declares that the timer's clock is a virtual one: it stands still while any task is busy,
    /// and goes on when all wait. A rule that waits for a sleep waits accordingly, and one about
    /// sleeps beside busy tasks is skipped.
    pub const fn virtual_clock(self) -> Capabilities {
        Capabilities { virtual_clock: true, ..self }
    }

    /// Declares that the thread that drives calls blocking jobs one at a time, in turn with the
    /// tasks. So a job must not wait for a task, and rules with jobs that do are skipped.
    pub const fn jobs_in_turn(self) -> Capabilities {
        Capabilities { jobs_in_turn: true, ..self }
    }

    /// Returns what the host visibly has: local tasks, threads.
    pub(crate) fn seen(host: &dyn Host) -> Capabilities {
        Capabilities {
            threads: host.threads(),
            local: host.local().is_some(),
            ..Capabilities::new()
        }
    }

    pub(crate) fn has(&self, need: Need) -> bool {
        match need {
            Need::Local => self.local,
            Need::Shutdown => self.shutdown,
            Need::JoinsThreads => self.joins_threads,
            Need::RealClock => !self.virtual_clock,
            Need::ParallelJobs => !self.jobs_in_turn,
            Need::TwoThreads => self.threads >= 2,
            Need::Memory => resident().is_some(),
        }
    }

    /// Returns the first of these needs that is not met.
    pub(crate) fn lacks(&self, needs: &[Need]) -> Option<Need> {
        needs.iter().copied().find(|need| !self.has(*need))
    }

    /// Returns what is declared, by the names of the methods.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let all = [
            ("local", self.local),
            ("shutdown", self.shutdown),
            ("joins_threads", self.joins_threads),
            ("virtual_clock", self.virtual_clock),
            ("jobs_in_turn", self.jobs_in_turn),
        ];
        all.into_iter().filter_map(|(name, declared)| declared.then_some(name)).collect()
    }
}

/// A runtime under test: its name, how to start one, and what it declares.
///
/// # Examples
///
/// ```no_run
/// use allhome_conformance::{Candidate, Capabilities, Host};
/// # fn start() -> Box<dyn Host> { panic!("an example") }
///
/// # #[allow(clippy::needless_doctest_main, reason = "it shows the whole file, which has a main")]
/// fn main() -> std::process::ExitCode {
///     Candidate::new("mine", start)
///         .declares(Capabilities::new().shutdown())
///         .deviates("R52", "a task that panics in its destructor aborts: see issue 7")
///         .main()
/// }
/// ```
#[derive(Clone)]
#[must_use = "nothing is examined until `main` or `examine` is called"]
pub struct Candidate {
    pub(crate) name: String,
    pub(crate) start: Start,
    declared: Option<Capabilities>,
    pub(crate) deviations: Vec<Deviation>,
    pub(crate) limit: Duration,
}

/// Starts a fresh runtime.
pub(crate) type Start = std::sync::Arc<dyn Fn() -> Box<dyn Host> + Send + Sync>;

/// A rule that a candidate is known to break.
#[derive(Clone, Debug)]
pub(crate) struct Deviation {
    pub(crate) id: String,
    pub(crate) reason: String,
    /// Not every time: a race. Then a pass is no surprise.
    pub(crate) sometimes: bool,
}

/// How long a rule may take before it counts as hanging: far more than any needs.
const LIMIT: Duration = Duration::from_secs(30);

impl Candidate {
    /// Names a runtime and says how to start a fresh one.
    pub fn new(
        name: impl Into<String>,
        start: impl Fn() -> Box<dyn Host> + Send + Sync + 'static,
    ) -> Candidate {
        Candidate {
            name: name.into(),
            start: std::sync::Arc::new(start),
            declared: None,
            deviations: Vec::new(),
            limit: LIMIT,
        }
    }

    /// Declares what the runtime can do. Without this call, it is what its host visibly has.
    pub fn declares(mut self, capabilities: Capabilities) -> Candidate {
        self.declared = Some(capabilities);
        self
    }

    /// Lists a rule that is known to be broken, by its id, with a reason in the runtime's own words
    /// or a reference. If the rule holds after all, the run fails, so that the list stays true.
    pub fn deviates(self, id: &str, reason: &str) -> Candidate {
        self.deviation(id, reason, false)
    }

    /// Lists a rule that is broken only now and then, by a race.
    pub fn sometimes_deviates(self, id: &str, reason: &str) -> Candidate {
        self.deviation(id, reason, true)
    }

    fn deviation(mut self, id: &str, reason: &str, sometimes: bool) -> Candidate {
        self.deviations.push(Deviation { id: id.into(), reason: reason.into(), sometimes });
        self
    }

    /// Changes how long a rule may take before it counts as hanging. Default: 30 s, far more than
    /// any needs.
    pub fn limit(self, limit: Duration) -> Candidate {
        Candidate { limit, ..self }
    }

    /// Runs the suite on the runtime, as the command line says: this is the whole `main` of a test.
    #[must_use]
    pub fn main(self) -> ExitCode {
        crate::suite::run([self])
    }

    /// Returns what it declares; if nothing, what a host of it visibly has. A candidate that cannot
    /// be started, or never is, has nothing, and fails rule W41.
    pub(crate) fn capabilities(&self) -> Capabilities {
        self.declared.unwrap_or_else(|| {
            crate::fixture::step("the candidate is started, to see what it has");
            let (start, (sees, seen)) = (self.start.clone(), channel());
            thread::spawn(move || {
                crate::runner::quietly();
                let seen = Capabilities::seen(&*start());
                let _ = sees.send(seen);
            });
            seen.recv_timeout(self.limit).unwrap_or_default()
        })
    }

    /// Returns how long a rule may take. A rule that is known to hang gets less time.
    pub(crate) fn limit_of(&self, rule: &Rule) -> Duration {
        let hangs = self.known(&rule.id()).is_some_and(|deviation| !deviation.sometimes);
        if hangs { self.limit / 15 } else { self.limit }
    }

    pub(crate) fn known(&self, id: &str) -> Option<&Deviation> {
        self.deviations.iter().find(|deviation| deviation.id == id)
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate").field("name", &self.name).finish_non_exhaustive()
    }
}
