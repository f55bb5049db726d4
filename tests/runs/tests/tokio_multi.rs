//! The suite on tokio, with two worker threads; and once more with a task of tokio's for each
//! child.

use allhome::Tokio;
use allhome::runtime::{IntoRuntime, Runtime};
use allhome_conformance::{Candidate, Capabilities, Host, Root, run};

struct Multi {
    tokio: tokio::runtime::Runtime,
    task_per_child: bool,
}

impl Host for Multi {
    fn runtime(&self) -> Runtime {
        let given = Tokio::on(self.tokio.handle());
        let runtime = match self.task_per_child {
            true => given.task_per_child().into_runtime(),
            false => given.into_runtime(),
        };
        runtime.expect("a given runtime is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        self.tokio.block_on(root);
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
    let ways = [("tokio_multi", false), ("tokio_task_per_child", true)];
    run(ways.map(|(name, task_per_child)| {
        Candidate::new(name, move || Box::new(Multi { tokio: start(), task_per_child }))
            .declares(Capabilities::new().threads(2).shutdown().joins_threads())
            .deviates("W65", "tokio's driver calls wakers uncaught, and aborts the process")
    }))
}
