//! The suite on executors without an adapter: what a `Host` costs, and which rules they are known
//! to break.
//!
//! compio is not among them. It builds and io_uring is there, but `compio-executor` 0.1.4 (of
//! `compio-runtime` 0.12) uses `cfg_select!` and the driver of 0.10 uses `if let` chains, both
//! newer than the Rust 1.85 that we promise; and it takes twice as long to compile as monoio.

use allhome_conformance::{Candidate, Capabilities, Host, Root, Runtime, run};
use allhome_rt::{LocalTask, Spawn, SpawnLocal, Task};
use embassy_executor::SendSpawner;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_executor::{LocalPool, LocalSpawner, ThreadPool};
use futures_util::StreamExt;
use futures_util::task::{LocalSpawnExt, SpawnExt};
use monoio::{LegacyDriver, RuntimeBuilder};
use smol::Executor;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

/// futures' `ThreadPool`, with two threads.
struct FuturesPool(ThreadPool);

impl Spawn for FuturesPool {
    fn spawn(&self, task: Task) {
        self.0.spawn_ok(task);
    }

    fn threads(&self) -> usize {
        2
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
        let (pool, (tasks, spawned)) = (LocalPool::new(), unbounded());
        let local = pool.spawner();
        // Refused when the pool is gone: then the task is dropped, as it should be.
        let spawns = spawns(spawned, move |task: Task| drop(local.spawn(task)));
        pool.spawner().spawn_local(spawns).expect("the pool is there");
        FuturesLocal(pool, tasks)
    }
}

/// Spawns what comes in through a channel.
async fn spawns<T>(mut spawned: UnboundedReceiver<T>, spawn: impl Fn(T)) {
    while let Some(task) = spawned.next().await {
        spawn(task);
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

/// async-executor's `Executor`, run by each thread that waits.
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

/// monoio, on epoll, and on a thread of its own: what wakes itself is polled first, so as monoio's
/// root a root that waits by turns would be polled for ever.
struct Monoio(UnboundedSender<Task>, Option<JoinHandle<()>>);

impl Monoio {
    fn new() -> Monoio {
        let (tasks, spawned) = unbounded();
        let thread = thread::spawn(|| {
            let builder = RuntimeBuilder::<LegacyDriver>::new();
            let mut runtime = builder.build().expect("epoll");
            runtime.block_on(spawns(spawned, |task: Task| drop(monoio::spawn(task))));
        });
        Monoio(tasks, Some(thread))
    }
}

impl Host for Monoio {
    fn runtime(&self) -> Runtime {
        Runtime::new("monoio", Sends(self.0.clone()))
    }

    fn block_on(&mut self, root: Root<'_>) {
        futures_executor::block_on(root);
    }
}

impl Drop for Monoio {
    fn drop(&mut self) {
        self.0.close_channel();
        // An error when a task's panic has ended the thread.
        let _ = self.1.take().map(JoinHandle::join);
    }
}

/// embassy-executor on a thread of its own. It runs for ever: an executor is `'static`, and can be
/// run once. A caller waits on its own thread.
struct Embassy(SendSpawner);

/// One of the tasks that are in static memory, which is all that there are in the process.
#[embassy_executor::task(pool_size = 16384)]
async fn carries(task: Task) {
    task.await;
}

impl Embassy {
    fn new() -> Embassy {
        let (sends, spawner) = channel();
        thread::spawn(move || {
            let executor = Box::leak(Box::new(embassy_executor::Executor::new()));
            executor.run(|spawner| sends.send(spawner.make_send()).expect("the receiver waits"));
        });
        Embassy(spawner.recv().expect("the thread has started"))
    }
}

impl Spawn for Embassy {
    fn spawn(&self, task: Task) {
        // Refused when all are taken: then the task is dropped.
        if let Ok(token) = carries(task) {
            self.0.spawn(token);
        }
    }
}

impl Host for Embassy {
    fn runtime(&self) -> Runtime {
        Runtime::new("embassy", Embassy(self.0))
    }

    fn block_on(&mut self, root: Root<'_>) {
        futures_executor::block_on(root);
    }
}

fn main() -> ExitCode {
    let pool = || ThreadPool::builder().pool_size(2).create().expect("threads");
    let ends = "a task that panics ends its worker thread, which is not replaced";
    let starves = "a worker polls a task that has woken itself again at once, for ever";
    let futures_pool = Candidate::new("futures_pool", move || Box::new(FuturesPool(pool())))
        .deviates("R51", ends)
        .deviates("R52", ends)
        .deviates("R91", starves)
        .deviates("R97", starves);
    let passes_on = "a task's panic is passed on to the thread that drives the pool";
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
    let ends_drive = "\"for efficiency we do not catch\": a task's panic ends the drive";
    let first = "a task that wakes itself is put at the front of the queue";
    let of_wakers = "tasks that wait belong to their wakers: the runtime's end does not drop them";
    let monoio = Candidate::new("monoio", || Box::new(Monoio::new()))
        .declares(Capabilities::new().shutdown().joins_threads())
        .deviates("R51", ends_drive)
        .deviates("R52", "a future that panics in its destructor as well aborts the process")
        .deviates("R53", ends_drive)
        .deviates("R82", of_wakers)
        .deviates("R86", first)
        .sometimes_deviates(
            "R87",
            "a wake that comes too late stays, with its task, in a channel, which each thread keeps \
             that has ever woken a task of this runtime",
        )
        .deviates("R88", of_wakers)
        .deviates("R89", of_wakers)
        .deviates("R91", first)
        .deviates("R97", first)
        .deviates("W82", "a wake drops the task if its waker is the last one")
        .deviates("W83", of_wakers)
        .deviates("W84", of_wakers);
    let ends_thread = "a task's panic ends the thread that runs the executor";
    let embassy = Candidate::new("embassy", || Box::new(Embassy::new()))
        .sometimes_deviates(
            "R37",
            "a wake of a task that has ended queues its slot, which may be given to another spawn \
             after it is taken from the queue and before it is looked at: a data race",
        )
        .deviates("R51", ends_thread)
        .deviates("R52", ends_thread)
        .deviates("R53", ends_thread)
        .deviates("R93", "tasks are static: when all are taken, one more is refused as `Busy`");
    run([futures_pool, futures_local, bare, global, monoio, embassy])
}
