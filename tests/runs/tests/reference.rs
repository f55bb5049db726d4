//! The suite on the executor that a reader begins with.

use allhome::block_on;
use allhome::runtime::{IntoRuntime, Runtime};
use allhome_conformance::{Candidate, Capabilities, Host, Root};
use allhome_executors::ReferenceExecutor;

struct Reference(ReferenceExecutor);

impl Host for Reference {
    fn runtime(&self) -> Runtime {
        (&self.0).into_runtime().expect("it is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        block_on(root);
    }

    fn threads(&self) -> usize {
        2
    }
}

fn main() -> std::process::ExitCode {
    let start = || Box::new(Reference(ReferenceExecutor::new(2).expect("threads"))) as _;
    Candidate::new("reference", start)
        .declares(Capabilities::new().threads(2).shutdown().joins_threads())
        .main()
}
