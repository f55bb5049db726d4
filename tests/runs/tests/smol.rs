//! The suite on smol: an executor of the test's own, run by two threads.

use allhome::{IntoRuntime, Runtime, Smol, SmolLocal};
use allhome_conformance::{Host, Root, main as suite};
use allhome_rt::SpawnLocal;
use smol::Executor;
use smol::channel::{Sender, unbounded};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

struct Threads {
    executor: Arc<Executor<'static>>,
    /// Closed, it ends the threads.
    stop: Sender<()>,
    threads: Vec<JoinHandle<()>>,
    local: SmolLocal,
}

impl Threads {
    fn start(count: usize) -> Threads {
        let (executor, (stop, stopped)) = (Arc::new(Executor::new()), unbounded::<()>());
        let run = || {
            let (executor, stopped) = (executor.clone(), stopped.clone());
            thread::spawn(move || smol::block_on(executor.run(stopped.recv())).unwrap_or(()))
        };
        let threads = (0..count).map(|_| run()).collect();
        Threads { executor, stop, threads, local: SmolLocal::new() }
    }
}

impl Host for Threads {
    fn runtime(&self) -> Runtime {
        Smol::on(&self.executor).threads(self.threads.len()).into_runtime().expect("it is given")
    }

    fn block_on(&mut self, root: Root<'_>) {
        smol::block_on(self.local.executor().run(root));
    }

    fn threads(&self) -> usize {
        self.threads.len()
    }

    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        Some(Rc::new(self.local.clone()))
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
