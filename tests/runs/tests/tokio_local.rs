//! The suite on tokio's current-thread runtime, driven through a `LocalSet`.

use allhome::Tokio;
use allhome::runtime::{IntoRuntime, Runtime};
use allhome_conformance::{Candidate, Capabilities, Host, Root};
use allhome_rt::SpawnLocal;
use std::rc::Rc;
use tokio::task::LocalSet;

/// The set goes before the runtime: what it drops may use that.
struct Local {
    set: Rc<LocalSet>,
    runtime: tokio::runtime::Runtime,
}

impl Host for Local {
    fn runtime(&self) -> Runtime {
        Tokio::on(self.runtime.handle()).into_runtime().expect("a given runtime is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        self.set.block_on(&self.runtime, root);
    }

    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        Some(Rc::new(Tokio::local(&self.set)))
    }
}

fn main() -> std::process::ExitCode {
    let start = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().build().expect("no threads are needed");
        Local { set: Rc::default(), runtime }
    };
    let declared = Capabilities::new().local().shutdown().joins_threads();
    Candidate::new("tokio_local", move || Box::new(start()))
        .declares(declared)
        .deviates(
            "W65",
            "tokio's driver calls wakers uncaught, and passes the panic on to its caller",
        )
        .main()
}
