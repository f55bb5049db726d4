//! The suite on our own thread pool.

use allhome::block_on;
use allhome::runtime::{IntoRuntime, Runtime, ThreadPool};
use allhome_conformance::{Candidate, Capabilities, Host, Root};

struct Pool(ThreadPool);

impl Host for Pool {
    fn runtime(&self) -> Runtime {
        (&self.0).into_runtime().expect("a pool is there")
    }

    fn block_on(&mut self, root: Root<'_>) {
        block_on(root);
    }

    fn threads(&self) -> usize {
        2
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

fn main() -> std::process::ExitCode {
    Candidate::new("pool", || Box::new(Pool(ThreadPool::new(2).expect("threads"))))
        .declares(Capabilities::new().threads(2).shutdown().joins_threads())
        .main()
}
