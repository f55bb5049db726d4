//! When `run` is ready, nothing that the user handed in is left: not in a carrier that the runtime
//! has in a queue still, and not in one that another thread has just polled.

use allhome::runtime::{Runtime, ThreadPool};
use allhome::task::ScopedKey;
use allhome::{Builder, Nursery, Semaphore, Tokio, block_on, nursery};
use allhome_rt::{Spawn, Task};
use allhome_runs::{Stepped, Wakes, poll_once};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;

static VALUE: ScopedKey<Arc<()>> = ScopedKey::new();

/// What is handed in, to see what is left of it.
struct Handed {
    value: Arc<()>,
    hook: Arc<()>,
    runtime: Arc<()>,
    limiter: Arc<Semaphore>,
}

/// A runtime that has a user's value in it.
struct Kept<S>(S, Arc<()>);

impl<S: Spawn> Spawn for Kept<S> {
    fn spawn(&self, task: Task) {
        let _ = &self.1;
        self.0.spawn(task);
    }

    fn threads(&self) -> usize {
        self.0.threads()
    }
}

impl Handed {
    fn new() -> Handed {
        let limiter = Arc::new(Semaphore::new(64));
        Handed { value: Arc::default(), hook: Arc::default(), runtime: Arc::default(), limiter }
    }

    fn open(&self, spawn: impl Spawn + 'static) -> Builder {
        let hook = self.hook.clone();
        let runtime = Runtime::new("kept", Kept(spawn, self.runtime.clone()));
        let nursery = nursery().on(runtime).limiter(&self.limiter);
        nursery.on_panic(move |_| drop(hook.clone()))
    }

    fn run<R>(&self, run: impl Future<Output = R>) -> impl Future<Output = R> {
        VALUE.scope(self.value.clone(), run)
    }

    /// How many references to each there are, but for the test's.
    fn left(&self) -> [usize; 4] {
        let left = [&self.value, &self.hook, &self.runtime].map(|kept| Arc::strong_count(kept) - 1);
        let [value, hook, runtime] = left;
        [value, hook, runtime, Arc::strong_count(&self.limiter) - 1]
    }
}

#[test]
fn v06_a_carrier_that_is_queued_keeps_nothing() {
    let (stepped, handed) = (Stepped::new(1), Handed::new());
    let run = handed.open(stepped.spawner()).run(async |n: Nursery<Infallible>| {
        n.spawn(pending());
        n.cancel();
        Ok(())
    });
    let mut run = Box::pin(handed.run(run));
    let wakes = Wakes::new();
    assert!(poll_once(&mut run, &wakes).is_ready());
    drop(run);
    assert_eq!(stepped.tasks(), 1, "the carrier of the child that was never polled");
    assert_eq!(handed.left(), [0; 4]);
    // Whatever the runtime does with it later.
    stepped.run_until_stalled();
    assert_eq!((stepped.tasks(), handed.left()), (0, [0; 4]));
}

#[test]
fn v06_nor_does_one_that_is_parked() {
    let (stepped, handed) = (Stepped::new(1), Handed::new());
    let run = handed.open(stepped.spawner()).run(async |n: Nursery<Infallible>| {
        let child = n.fork(async { Ok(()) });
        let _ = child.await;
        Ok(())
    });
    let mut run = Box::pin(handed.run(run));
    let wakes = Wakes::new();
    assert!(poll_once(&mut run, &wakes).is_pending());
    assert!(stepped.step());
    assert!(poll_once(&mut run, &wakes).is_ready());
    drop(run);
    assert_eq!((stepped.tasks(), handed.left()), (1, [0; 4]), "it has not been polled again");
}

/// Two thousand nurseries, whose last children end while a carrier of another thread looks for
/// more.
fn each_time(spawn: impl Fn() -> Box<dyn Spawn>, drive: impl Fn(&mut dyn FnMut())) {
    struct Boxed(Box<dyn Spawn>);
    impl Spawn for Boxed {
        fn spawn(&self, task: Task) {
            self.0.spawn(task);
        }
        fn threads(&self) -> usize {
            self.0.threads()
        }
    }
    for round in 0..2_000 {
        let handed = Handed::new();
        drive(&mut || {
            let run = handed.open(Boxed(spawn())).run(async |n: Nursery<Infallible>| {
                for _ in 0..4 {
                    n.spawn(async { Ok(()) });
                }
                Ok(())
            });
            block_on(handed.run(run)).unwrap();
        });
        assert_eq!(handed.left(), [0; 4], "in round {round}");
    }
}

#[test]
fn v06_on_our_pool() {
    let pool = ThreadPool::new(2).unwrap();
    each_time(|| Box::new(pool.clone()), |run| run());
}

#[test]
fn v06_on_tokio() {
    struct On(Runtime);
    impl Spawn for On {
        fn spawn(&self, task: Task) {
            self.0.spawn(task);
        }
        fn threads(&self) -> usize {
            self.0.threads()
        }
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let handle = tokio.handle().clone();
    each_time(
        || {
            use allhome::runtime::IntoRuntime;
            Box::new(On(Tokio::on(&handle).into_runtime().expect("it is there")))
        },
        |run| run(),
    );
}
