//! The suite on the simulator, where each child is a task of its own and the seed decides which
//! runs.

use allhome::Simulator;
use allhome::runtime::{IntoRuntime, Runtime};
use allhome::sim::{FailureKind, Simulation};
use allhome_conformance::{Candidate, Capabilities, Host, Root, run};
use futures_util::FutureExt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;

struct Simulated(Simulation);

impl Host for Simulated {
    fn runtime(&self) -> Runtime {
        self.0.handle().into_runtime().expect("it is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        // The simulation reports a panic of the root as it does that of a task.
        let mut root = pin!(AssertUnwindSafe(root).catch_unwind());
        loop {
            match self.0.drive(root.as_mut()) {
                Ok(Ok(())) => return,
                Ok(Err(panic)) => resume_unwind(panic),
                // Of a task. That ends the run for a search for bugs; here it goes on.
                Err(failure) if failure.kind() == FailureKind::Panic => {}
                Err(failure) => panic!("{failure}"),
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    // The rules have threads of their own, and look for what those do.
    let settings = Simulator::new().external_wakes(true).steps(u64::MAX);
    let ways = [("simulator", settings.clone().seed(7)), ("simulator_fifo", settings)];
    let declared = Capabilities::new().shutdown().joins_threads();
    run(ways.map(|(name, settings)| {
        Candidate::new(name, move || Box::new(Simulated(settings.start())))
            .declares(declared.virtual_clock().jobs_in_turn())
    }))
}
