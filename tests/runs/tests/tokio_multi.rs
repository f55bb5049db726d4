//! The suite on tokio, with two worker threads.

use allhome::{IntoRuntime, Runtime, Tokio};
use allhome_conformance::{Candidate, Capabilities, Host, Root};

struct Multi(tokio::runtime::Runtime);

impl Host for Multi {
    fn runtime(&self) -> Runtime {
        Tokio::on(self.0.handle()).into_runtime().expect("a given runtime is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        self.0.block_on(root);
    }

    fn threads(&self) -> usize {
        2
    }
}

fn main() -> std::process::ExitCode {
    let start = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_time().build().expect("threads")
    };
    Candidate::new("tokio_multi", move || Box::new(Multi(start())))
        .declares(Capabilities::new().threads(2).timer().blocking().shutdown().joins_threads())
        .deviates("W65", "tokio's driver calls wakers uncaught, and aborts the process")
        .main()
}
