//! The suite on our own local executor.

use allhome::{IntoRuntime, LocalExecutor, Runtime};
use allhome_conformance::{Host, Root, main as suite};

struct Local(LocalExecutor);

impl Host for Local {
    fn runtime(&self) -> Runtime {
        (&self.0).into_runtime().expect("it is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        self.0.run(root);
    }
}

fn main() -> std::process::ExitCode {
    suite("local", || Box::new(Local(LocalExecutor::new())))
}
