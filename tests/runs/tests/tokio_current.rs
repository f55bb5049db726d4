//! The suite on tokio's current-thread runtime.

use allhome::Tokio;
use allhome::runtime::{IntoRuntime, Runtime};
use allhome_conformance::{Candidate, Capabilities, Host, Root};

struct Current(tokio::runtime::Runtime);

impl Host for Current {
    fn runtime(&self) -> Runtime {
        Tokio::on(self.0.handle()).into_runtime().expect("a given runtime is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        self.0.block_on(root);
    }
}

fn main() -> std::process::ExitCode {
    let start = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("no threads are needed")
    };
    Candidate::new("tokio_current", move || Box::new(Current(start())))
        .declares(Capabilities::new().shutdown().joins_threads())
        .deviates(
            "W65",
            "tokio's driver calls wakers uncaught, and passes the panic on to its caller",
        )
        .main()
}
