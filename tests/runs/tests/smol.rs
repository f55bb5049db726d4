//! The suite on smol: an executor of the test's own, run by two threads.

use allhome::runtime::{IntoRuntime, Runtime, Smol};
use allhome_conformance::{Candidate, Capabilities, Host, Root};
use allhome_rt::SpawnLocal;
use smol::channel::{Sender, unbounded};
use smol::{Executor, LocalExecutor};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

struct Threads {
    executor: Arc<Executor<'static>>,
    /// Closed, it ends the threads.
    stop: Sender<()>,
    threads: Vec<JoinHandle<()>>,
    local: Rc<LocalExecutor<'static>>,
}

impl Threads {
    fn start(count: usize) -> Threads {
        let (executor, (stop, stopped)) = (Arc::new(Executor::new()), unbounded::<()>());
        let run = || {
            let (executor, stopped) = (executor.clone(), stopped.clone());
            thread::spawn(move || smol::block_on(executor.run(stopped.recv())).unwrap_or(()))
        };
        let threads = (0..count).map(|_| run()).collect();
        Threads { executor, stop, threads, local: Rc::default() }
    }
}

impl Host for Threads {
    fn runtime(&self) -> Runtime {
        Smol::on(&self.executor).threads(self.threads.len()).into_runtime().expect("it is given")
    }

    fn block_on(&mut self, root: Root<'_>) {
        smol::block_on(self.local.run(root));
    }

    fn threads(&self) -> usize {
        self.threads.len()
    }

    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        Some(Rc::new(Smol::local(&self.local)))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.close();
        self.threads.drain(..).for_each(|thread| thread.join().expect("it does not panic"));
    }
}

fn main() -> std::process::ExitCode {
    let declared = Capabilities::new().threads(2).local();
    Candidate::new("smol", || Box::new(Threads::start(2)))
        .declares(declared.shutdown().joins_threads())
        .deviates("W83", "async-task aborts the process when a destructor panics")
        .sometimes_deviates(
            "R87",
            "a wake that is caught between its change of state and its push keeps its task",
        )
        .main()
}
