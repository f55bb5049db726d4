//! The suite on tokio's current-thread runtime.

use allhome::{IntoRuntime, Runtime, Tokio};
use allhome_conformance::{Host, Root, main as suite};

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
    suite("tokio_current", || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        Box::new(Current(builder.enable_time().build().expect("no threads are needed")))
    })
}
