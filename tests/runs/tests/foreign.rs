//! The suite on executors that nobody has written an adapter for: what a `Host` costs, and what they
//! are known to do otherwise.

use allhome_conformance::{Candidate, Capabilities, Host, Root, Runtime, run};
use allhome_rt::{LocalTask, Spawn, SpawnLocal, Task};
use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_executor::{LocalPool, LocalSpawner, ThreadPool};
use futures_util::StreamExt;
use futures_util::task::{LocalSpawnExt, SpawnExt};
use smol::Executor;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// futures' `ThreadPool`, with two threads.
struct FuturesPool(ThreadPool);

impl Spawn for FuturesPool {
    fn spawn(&self, task: Task) {
        self.0.spawn_ok(task);
    }
}

impl Host for FuturesPool {
    fn runtime(&self) -> Runtime {
        Runtime::new("futures", FuturesPool(self.0.clone()))
    }

    fn block_on(&mut self, root: Root<'_>) {
        futures_executor::block_on(root);
    }

    fn threads(&self) -> usize {
        2
    }
}

/// futures' `LocalPool`. Its spawner stays on its thread, so tasks come in through a channel.
struct FuturesLocal(LocalPool, UnboundedSender<Task>);

impl FuturesLocal {
    fn new() -> FuturesLocal {
        let (pool, (tasks, mut spawned)) = (LocalPool::new(), unbounded::<Task>());
        let local = pool.spawner();
        let spawns = async move {
            while let Some(task) = spawned.next().await {
                // Refused when the pool is gone: then the task is dropped, as it should be.
                let _ = local.spawn(task);
            }
        };
        pool.spawner().spawn_local(spawns).expect("the pool is there");
        FuturesLocal(pool, tasks)
    }
}

struct Sends(UnboundedSender<Task>);

impl Spawn for Sends {
    fn spawn(&self, task: Task) {
        let _ = self.0.unbounded_send(task);
    }
}

struct FuturesSpawner(LocalSpawner);

impl SpawnLocal for FuturesSpawner {
    fn spawn_local(&self, task: LocalTask) {
        let _ = self.0.spawn_local(task);
    }
}

impl Host for FuturesLocal {
    fn runtime(&self) -> Runtime {
        Runtime::new("futures local", Sends(self.1.clone()))
    }

    fn block_on(&mut self, root: Root<'_>) {
        self.0.run_until(root);
    }

    fn local(&self) -> Option<Rc<dyn SpawnLocal>> {
        Some(Rc::new(FuturesSpawner(self.0.spawner())))
    }
}

/// async-executor's `Executor`, run by whoever waits.
struct Bare(Arc<Executor<'static>>);

struct Spawns(Weak<Executor<'static>>);

impl Spawn for Spawns {
    fn spawn(&self, task: Task) {
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }
}

impl Host for Bare {
    fn runtime(&self) -> Runtime {
        Runtime::new("async-executor", Spawns(Arc::downgrade(&self.0)))
    }

    fn block_on(&mut self, root: Root<'_>) {
        smol::block_on(self.0.run(root));
    }
}

/// async-global-executor, of which there is one a process.
struct Global;

impl Spawn for Global {
    fn spawn(&self, task: Task) {
        async_global_executor::spawn(task).detach();
    }
}

impl Host for Global {
    fn runtime(&self) -> Runtime {
        Runtime::new("async-global-executor", Global)
    }

    fn block_on(&mut self, root: Root<'_>) {
        async_global_executor::block_on(root);
    }
}

fn main() -> ExitCode {
    let pool = || ThreadPool::builder().pool_size(2).create().expect("threads");
    let ends = "a task that panics ends its worker thread, and nobody starts another";
    let starves = "a worker polls a task that has woken itself again at once, for ever";
    let futures_pool = Candidate::new("futures_pool", move || Box::new(FuturesPool(pool())))
        .deviates("R51", ends)
        .deviates("R52", ends)
        .deviates("R91", starves)
        .deviates("R97", starves);
    let passes_on = "a task's panic is passed on to whoever drives the pool";
    let futures_local = Candidate::new("futures_local", || Box::new(FuturesLocal::new()))
        .declares(Capabilities::new().local().shutdown().joins_threads())
        .deviates("W35", "`run_until` polls its future at every turn of the pool")
        .deviates("R51", passes_on)
        .deviates("R52", "a future that panics in its destructor as well aborts the process")
        .deviates("R53", passes_on)
        .deviates("W83", "the pool drops its tasks in a loop, with nothing caught");
    let bare = Candidate::new("async_executor", || Box::new(Bare(Arc::default())))
        .declares(Capabilities::new().shutdown().joins_threads())
        .deviates("W83", "async-task aborts the process when a destructor panics")
        .sometimes_deviates(
            "R87",
            "a wake that is caught between its change of state and its push keeps its task",
        );
    let global = Candidate::new("async_global_executor", || Box::new(Global));
    run([futures_pool, futures_local, bare, global])
}
