//! The suite on our own local executor.

use allhome::runtime::{IntoRuntime, LocalExecutor, Runtime};
use allhome_conformance::{Candidate, Capabilities, Host, Root};
use allhome_rt::SpawnLocal;
use std::rc::Rc;

struct Local(LocalExecutor);

impl Host for Local {
    fn runtime(&self) -> Runtime {
        (&self.0).into_runtime().expect("it is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        self.0.run(root);
    }

    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        Some(Rc::new(self.0.spawner()))
    }
}

fn main() -> std::process::ExitCode {
    let declared = Capabilities::new().local().shutdown().joins_threads();
    Candidate::new("local", || Box::new(Local(LocalExecutor::new()))).declares(declared).main()
}
