//! The harness: one trial a case, each on a fresh runtime, under a watchdog.

use crate::cases::CASES;
use allhome_rt::Runtime;
use libtest_mimic::{Arguments, Trial};
use std::future::Future;
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
}

/// A case: its name, and what it does on a runtime.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Runtime) -> Root<'static>,
}

/// How long a case may take before it counts as hanging: far more than any needs.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the suite with the command line's filters, as `cargo test` and nextest pass them.
pub fn main(runtime: &str, start: fn() -> Box<dyn Host>) -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = CASES.iter().map(|case| {
        let name = format!("{runtime}::{}", case.name);
        Trial::test(name, move || {
            watched(case, start);
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
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
