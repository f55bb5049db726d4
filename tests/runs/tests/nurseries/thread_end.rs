//! Everything is used in the destructor of a thread-local value, after those of ours are gone.
//!
//! The value is registered before anything else on its thread, so it is destroyed last. Everything
//! is called once before, so that the values of ours have been there.

use allhome::cancel::{CancelExt, cancel_reason, cancel_token, cancellable};
use allhome::error::Cause;
use allhome::limit::{AcquireBoth, KeyedSemaphore, Rate, RateLimiter};
use allhome::runtime::{AsyncStd, IntoRuntime, LocalExecutor, Smol, ThreadPool};
use allhome::task::ScopedKey;
use allhome::task::{orphans, task_id};
use allhome::time::{deadline, remaining};
use allhome::{
    CancelToken, GroupError, Nursery, Reason, Semaphore, Simulator, Tokio, block_on, cancelled,
    checkpoint, draining, fail_after, is_cancelled, move_on_after, nursery, shield, sleep,
    yield_now,
};
use allhome_rt::{Spawn, SpawnBlocking, SpawnLocal, Task, Timer};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{LazyLock, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

static NUMBER: ScopedKey<u32> = ScopedKey::new();

const MOMENT: Duration = Duration::from_millis(1);

type Case = (&'static str, fn());

const CASES: &[Case] = &[
    ("block_on", || assert_eq!(block_on(twice(1)), 2)),
    ("ambient", ambient),
    ("local executor", local_executor),
    ("thread pool", thread_pool),
    ("nursery without a runtime", nowhere),
    ("nursery on the pool", || whole(ThreadPool::new(2).unwrap())),
    ("nursery on the global pool", || whole(ThreadPool::global())),
    ("nursery on the local executor", on_local),
    ("nursery on smol", || whole(Smol)),
    ("nursery on async-std", || whole(AsyncStd)),
    ("nursery on tokio", on_tokio),
    ("simulator", simulator),
    ("tokens", tokens),
    ("limits", limits),
    ("values", values),
];

async fn twice(number: u32) -> u32 {
    yield_now().await;
    2 * number
}

/// The answers are those outside of any nursery.
fn ambient() {
    assert!(!is_cancelled());
    assert!(cancel_reason().is_none() && task_id().is_none());
    assert!(deadline().is_none() && remaining().is_none());
    assert!(!cancel_token().is_cancelled());
    assert_eq!(NUMBER.get(), None);
    assert!(orphans().iter().all(|tree| tree.tasks() < 1_000));
    block_on(checkpoint()).unwrap();
    block_on(sleep(MOMENT));
    assert_eq!(block_on(move_on_after(MOMENT, pending::<()>())), None);
    assert_eq!(block_on(shield(Duration::MAX, twice(1))), 2);
    assert_eq!(block_on(cancellable(twice(1))).unwrap(), 2);
    // They wait for ever.
    block_on(async {
        let (mut told, mut drains) = (Box::pin(cancelled()), Box::pin(draining()));
        poll_fn(|cx| {
            assert!(told.as_mut().poll(cx).is_pending() && drains.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    });
}

fn local_executor() {
    let executor = LocalExecutor::new();
    let log = Rc::new(RefCell::new(Vec::new()));
    let write = |line: &'static str| {
        let log = log.clone();
        async move {
            yield_now().await;
            log.borrow_mut().push(line);
        }
    };
    executor.spawn_future(write("future"));
    executor.spawner().spawn_future(write("spawner"));
    executor.spawn_local(allhome_rt::LocalTask::from_future(write("task")));
    let (tx, rx) = mpsc::channel();
    let (from_task, from_job) = (tx.clone(), tx);
    executor.handle().spawn(Task::from_future(async move { from_task.send("sent").unwrap() }));
    executor.handle().spawn_blocking(Box::new(move || from_job.send("job").unwrap()));
    let slept = executor.run(async {
        executor.handle().sleep_until(Instant::now() + MOMENT).await;
        while log.borrow().len() < 3 {
            yield_now().await;
        }
        true
    });
    let mut sent = [rx.recv().unwrap(), rx.recv().unwrap()];
    sent.sort_unstable();
    assert_eq!((slept, sent, log.borrow().len()), (true, ["job", "sent"], 3));
    executor.spawn_future(pending());
    executor.shutdown();
    assert_eq!(executor.tasks(), 0);
}

fn thread_pool() {
    let pool = ThreadPool::new(2).unwrap();
    let (tx, rx) = mpsc::channel();
    let (from_task, from_job) = (tx.clone(), tx);
    pool.spawn(Task::from_future(async move { from_task.send("task").unwrap() }));
    pool.spawn_blocking(Box::new(move || from_job.send("job").unwrap()));
    let mut sent = [rx.recv().unwrap(), rx.recv().unwrap()];
    sent.sort_unstable();
    assert_eq!(sent, ["job", "task"]);
    block_on(pool.sleep_until(Instant::now() + MOMENT));
    pool.shutdown();
}

fn nowhere() {
    // That of the executors: inside of the other one the pool is known.
    let run = nursery().run(async |_: Nursery<Infallible>| Ok(()));
    let error = allhome_executors::block_on(run).unwrap_err();
    assert!(matches!(error.first().cause(), Cause::NoRuntime(_)));
}

fn on_local() {
    let executor = LocalExecutor::new();
    executor.run(everything(&executor)).unwrap();
}

/// Opens a nursery on it, and uses it and what is in it.
fn whole(runtime: impl IntoRuntime) {
    block_on(everything(runtime)).unwrap();
}

async fn everything(runtime: impl IntoRuntime) -> Result<(), GroupError<Infallible>> {
    let builder = nursery().on(runtime).name("last").limit(8);
    builder.run(body).await
}

async fn body(n: Nursery<Infallible>) -> Result<(), Infallible> {
    n.defer(Duration::from_secs(9), async { Ok(()) });
    let two = n.fork(async { Ok(twice(1).await) });
    assert_eq!(two.await.unwrap(), 2);
    let sleeps = n.fork(async {
        sleep(MOMENT).await;
        Ok(())
    });
    let slot = n.reserve().await.unwrap();
    slot.name("in a slot").fork(async { Ok(()) }).await.unwrap();
    let work = n.blocking(|cx| Ok(cx.block_on(twice(2)).unwrap()));
    assert_eq!(work.await.unwrap(), 4);
    sleep(MOMENT).await;
    assert_eq!(move_on_after(MOMENT, pending::<()>()).await, None);
    assert!(fail_after(MOMENT, pending::<()>()).named("late").await.is_err());
    assert_eq!(shield(MOMENT, twice(1)).await, 2);
    let inner = nursery()
        .run(async |n: Nursery<Infallible>| Ok(n.fork(NUMBER.scope(7, seven())).await.unwrap()));
    assert_eq!(inner.await.unwrap(), 7);
    sleeps.await.unwrap();
    n.spawn(pending());
    assert!(n.tree().to_string().contains("last"));
    n.token().on_cancel(|_| {}).keep();
    let report = n.shutdown().drain(MOMENT).await.unwrap();
    assert_eq!(report.stragglers().len(), 1);
    Ok(())
}

async fn seven() -> Result<u32, Infallible> {
    Ok(*NUMBER.get().unwrap())
}

/// Tokio has its context in a thread-local value, and cannot be used without it: that is an error.
fn on_tokio() {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_time().build().unwrap()
    });
    let here =
        block_on(nursery().on(Tokio).run(async |_: Nursery<Infallible>| Ok(()))).unwrap_err();
    assert!(matches!(here.first().cause(), Cause::NoRuntime(_)));
    let end = LAST.try_with(|_| {}).is_err();
    match block_on(everything(Tokio::on(RUNTIME.handle()))) {
        Ok(()) => assert!(!end),
        Err(error) => {
            assert!(end && matches!(error.first().cause(), Cause::NoRuntime(_)), "{error}");
            assert!(error.to_string().contains("thread-local"), "{error}");
        }
    }
}

fn simulator() {
    let run = Simulator::new().seed(7).run(async |n: Nursery<Infallible>| {
        n.spawn(async {
            sleep(Duration::from_secs(60)).await;
            Ok(())
        });
        Ok(n.fork(async { Ok(twice(1).await) }).await.unwrap())
    });
    assert_eq!(run.unwrap(), 2);
}

fn tokens() {
    let token = CancelToken::new();
    let (tx, rx) = mpsc::channel();
    let child = token.child();
    child.on_cancel(move |_| tx.send(()).unwrap()).keep();
    let other = token.clone();
    let cancels = thread::spawn(move || other.cancel_with(Reason::new("over")));
    block_on(token.cancelled());
    cancels.join().unwrap();
    assert!(block_on(pending::<()>().until_cancelled(&token)).is_err());
    assert!(rx.recv().is_ok());
}

fn limits() {
    let semaphore = Semaphore::new(1);
    let permit = block_on(semaphore.acquire()).unwrap();
    assert!(semaphore.try_acquire().is_err());
    drop(permit);
    let keyed = KeyedSemaphore::<str>::new(1);
    drop(block_on(keyed.acquire("key")).unwrap());
    let pool = &ThreadPool::new(1).unwrap();
    let limiter = RateLimiter::new(&pool.into_runtime().unwrap(), Rate::per_second(1_000), 1);
    drop(block_on(AcquireBoth::new(semaphore.acquire(), limiter.acquire()).unwrap()).unwrap());
    block_on(limiter.acquire()).unwrap();
}

fn values() {
    let found = block_on(NUMBER.scope(1, async { NUMBER.get() }));
    assert_eq!(found.as_deref(), Some(&1));
    NUMBER.sync_scope(2, || assert_eq!(NUMBER.get().as_deref(), Some(&2)));
}

struct Last(mpsc::Sender<(&'static str, bool)>);

impl Drop for Last {
    fn drop(&mut self) {
        for (name, case) in CASES {
            let fine = catch_unwind(AssertUnwindSafe(case)).is_ok();
            self.0.send((name, fine)).unwrap();
        }
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[test]
fn x15_all_of_it_works_in_the_destructor_of_a_thread_local_value() {
    let (tx, rx) = mpsc::channel();
    let thread = thread::spawn(move || {
        LAST.with(|last| *last.borrow_mut() = Some(Last(tx)));
        for (name, case) in CASES {
            assert!(catch_unwind(AssertUnwindSafe(case)).is_ok(), "{name}, before the end");
        }
    });
    thread.join().unwrap();
    let found: Vec<_> = rx.iter().collect();
    let failed: Vec<_> = found.iter().filter(|(_, fine)| !fine).map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(found.len(), CASES.len());
}
