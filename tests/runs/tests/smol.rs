//! The suite on smol: an executor of the test's own, run by two threads.

use allhome::{IntoRuntime, Runtime, Smol};
use allhome_conformance::{Host, Root, main as suite};
use smol::Executor;
use smol::channel::{Sender, unbounded};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

struct Threads {
    executor: Arc<Executor<'static>>,
    /// Closed, it ends the threads.
    stop: Sender<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    fn start(count: usize) -> Threads {
        let (executor, (stop, stopped)) = (Arc::new(Executor::new()), unbounded::<()>());
        let run = || {
            let (executor, stopped) = (executor.clone(), stopped.clone());
            thread::spawn(move || smol::block_on(executor.run(stopped.recv())).unwrap_or(()))
        };
        let threads = (0..count).map(|_| run()).collect();
        Threads { executor, stop, threads }
    }
}

impl Host for Threads {
    fn runtime(&self) -> Runtime {
        Smol::on(&self.executor).threads(self.threads.len()).into_runtime().expect("it is given")
    }

    fn block_on(&mut self, root: Root<'_>) {
        smol::block_on(root);
    }

    fn threads(&self) -> usize {
        self.threads.len()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.close();
        self.threads.drain(..).for_each(|thread| thread.join().expect("it does not panic"));
    }
}

fn main() -> std::process::ExitCode {
    suite("smol", || Box::new(Threads::start(2)))
}
