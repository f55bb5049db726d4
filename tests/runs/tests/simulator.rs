//! The suite on the simulator, where each child is a task of its own and the seed decides who runs.
//!
//! Without a blocking pool: the simulator calls jobs on its one thread, and some cases have jobs
//! that wait for tasks.

use allhome::Simulator;
use allhome::sim::Simulation;
use allhome_conformance::{Candidate, Host, Root};
use allhome_rt::Runtime;

struct Simulated(Simulation);

impl Host for Simulated {
    fn runtime(&self) -> Runtime {
        let handle = self.0.handle();
        Runtime::builder("simulator", handle.clone()).timer(handle).build()
    }

    fn block_on(&mut self, mut root: Root<'_>) {
        if let Err(failure) = self.0.drive(std::pin::pin!(&mut root)) {
            panic!("{failure}");
        }
    }
}

fn main() -> std::process::ExitCode {
    Candidate::new("simulator", || {
        // The cases have threads of their own, and look for what those do.
        let settings = Simulator::new().seed(7).external_wakes(true).steps(u64::MAX);
        Box::new(Simulated(settings.start()))
    })
    .clauses_only()
    .main()
}
