//! The harness: one trial a case, each on a fresh runtime, under a watchdog.

use crate::cases::CASES;
use allhome_rt::Runtime;
use libtest_mimic::{Arguments, Failed, Trial};
use std::cell::RefCell;
use std::future::Future;
use std::panic;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The future that a case drives its runtime with.
pub type Root<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A fresh runtime under test. Dropping it is to shut the runtime down.
pub trait Host {
    /// Returns the handle that nurseries are opened on.
    fn runtime(&self) -> Runtime;

    /// Drives the runtime, and the root on the present thread, until the root is ready.
    fn block_on(&mut self, root: Root<'_>);

    /// Returns how many tasks can be polled at once. Default: 1.
    fn threads(&self) -> usize {
        1
    }
}

/// A case: its name, and what it does on a runtime.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Runtime) -> Root<'static>,
    /// How many tasks the runtime must be able to poll at once.
    pub(crate) threads: usize,
}

/// How long a case may take before it counts as hanging: far more than any needs.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the suite with the command line's filters, as `cargo test` and nextest pass them.
pub fn main(runtime: &str, start: fn() -> Box<dyn Host>) -> ExitCode {
    let arguments = Arguments::from_args();
    let threads = start().threads();
    panic::set_hook(Box::new(|info| {
        PANICS.with_borrow_mut(|panics| panics.push(info.to_string()))
    }));
    let trials = CASES.iter().map(|case| {
        let name = format!("{runtime}::{}", case.name);
        let trial = Trial::test(name, move || judge(case, start));
        trial.with_ignored_flag(case.threads > threads)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

thread_local! {
    /// What panicked on this thread: many cases panic on purpose, so it is only shown on failure.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn judge(case: &'static Case, start: fn() -> Box<dyn Host>) -> Result<(), Failed> {
    PANICS.with_borrow_mut(Vec::clear);
    panic::catch_unwind(|| watched(case, start))
        .map_err(|_| PANICS.with_borrow_mut(|panics| panics.join("\n")).into())
}

/// Runs a case; a case that hangs ends the process with its name, because nothing less would end
/// the case.
fn watched(case: &'static Case, start: fn() -> Box<dyn Host>) {
    let (done, watch) = channel::<()>();
    let dog = std::thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{} hangs: not done after {LIMIT:?}", case.name);
            std::process::exit(101);
        }
    });
    let mut host = start();
    let root = (case.run)(host.runtime());
    host.block_on(root);
    drop(host);
    drop(done);
    let _ = dog.join();
}
