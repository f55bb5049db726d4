//! The suite on tokio's `LocalRuntime`, which has local tasks without a set.
//!
//! The adapter has no name for it: it came to tokio after the oldest version that the adapter takes.

use allhome::Tokio;
use allhome::runtime::{IntoRuntime, Runtime};
use allhome_conformance::{Candidate, Capabilities, Host, Root};
use allhome_rt::{LocalTask, SpawnLocal};
use std::rc::{Rc, Weak};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

struct Local(Rc<LocalRuntime>);

/// It does not keep the runtime, whose tasks have it.
struct Spawner(Weak<LocalRuntime>);

impl SpawnLocal for Spawner {
    fn spawn_local(&self, task: LocalTask) {
        match self.0.upgrade() {
            Some(runtime) => drop(runtime.spawn_local(task)),
            None => drop(task),
        }
    }
}

impl Host for Local {
    fn runtime(&self) -> Runtime {
        Tokio::on(self.0.handle()).into_runtime().expect("a given runtime is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        self.0.block_on(root);
    }

    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        Some(Rc::new(Spawner(Rc::downgrade(&self.0))))
    }
}

fn main() -> std::process::ExitCode {
    let start = || {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_time().build_local(LocalOptions::default());
        Local(Rc::new(runtime.expect("no threads are needed")))
    };
    let declared = Capabilities::new().local().shutdown().joins_threads();
    Candidate::new("tokio_local_runtime", move || Box::new(start()))
        .declares(declared)
        .deviates(
            "W65",
            "tokio's driver calls wakers uncaught, and passes the panic on to its caller",
        )
        .main()
}
