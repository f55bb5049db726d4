//! Which runtime `nursery()` finds.

use allhome::error::Cause;
use allhome::runtime::{IntoRuntime, LocalExecutor, ThreadPool};
use allhome::{GroupError, Nursery, Simulator, Tokio, block_on, nursery, run};
use allhome_runs::{Log, Stepped, within};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::Future;
use std::sync::mpsc::channel;
use std::thread;
use tokio::runtime::{Builder, RuntimeFlavor};
use tokio::task::LocalSet;

/// The name of the runtime that is found where this is polled for the first time.
async fn found() -> Result<&'static str, GroupError<Infallible>> {
    nursery().run(async |n: Nursery<Infallible>| Ok(n.runtime().name())).await
}

async fn in_child() -> Result<&'static str, Infallible> {
    Ok(found().await.expect("the nursery has one"))
}

fn no_runtime<R>(result: Result<R, GroupError<Infallible>>) -> bool {
    result.is_err_and(|error| {
        let text = error.to_string();
        matches!(error.first().cause(), Cause::NoRuntime(_)) && text.contains("nursery().on(..)")
    })
}

fn flavours() -> [tokio::runtime::Runtime; 2] {
    [
        Builder::new_current_thread().enable_time().build().expect("no threads are needed"),
        Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("threads"),
    ]
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn a01_the_nursery_around_comes_first() {
    within(|| {
        let stepped = Stepped::new(1);
        let tokio = &flavours()[0];
        let _context = tokio.enter();
        let outer = nursery().on(stepped.runtime()).run(async |n: Nursery<Infallible>| {
            let child = n.fork(in_child());
            let child = child.await.unwrap_or("none");
            Ok((found().await.unwrap(), child))
        });
        assert_eq!(stepped.drive(outer).unwrap(), ("stepped", "stepped"));
    });
}

#[test]
fn a01_also_in_blocking_work_and_on_the_simulator() {
    within(|| {
        for tokio in flavours() {
            let work = nursery().run(async |n: Nursery<Infallible>| {
                let work = n.blocking(|cx| {
                    let own = (cx.block_on(found()).unwrap(), block_on(found()));
                    Ok((own.0.unwrap(), own.1.unwrap(), run(async |n| Ok(n.runtime().name()))))
                });
                Ok(work.await.unwrap())
            });
            let (a, b, c) = tokio.block_on(work).unwrap();
            let c: Result<_, GroupError<Infallible>> = c;
            assert_eq!((a, b, c.unwrap()), ("tokio", "tokio", "tokio"));
        }
        let simulated = Simulator::new().run(async |n: Nursery<Infallible>| {
            let child = n.fork(in_child());
            Ok((found().await.unwrap(), child.await.unwrap()))
        });
        assert_eq!(simulated.unwrap(), ("simulator", "simulator"));
    });
}

#[test]
fn a02_else_block_on_and_run_have_the_global_pool() {
    within(|| {
        assert_eq!(block_on(found()).unwrap(), "pool");
        assert_eq!(run(async |n: Nursery<Infallible>| Ok(n.runtime().name())).unwrap(), "pool");
        assert_eq!(block_on(async { block_on(found()) }).unwrap(), "pool", "inside another");
        assert!(no_runtime(allhome_executors::block_on(found())), "that knows no nursery");
        // It is over with the call, also by a panic.
        assert!(thread::spawn(|| block_on(async { panic!("over") })).join().is_err());
        let over = std::panic::catch_unwind(|| block_on(async { panic!("over") }));
        assert!(over.is_err() && no_runtime(found().now_or_never().expect("at once")));
    });
}

/// Whether another crate has switched tokio on or not, the pool it is.
#[test]
fn a02_also_in_tokios_context() {
    within(|| {
        for tokio in flavours() {
            let context = tokio.enter();
            assert_eq!(block_on(found()).unwrap(), "pool");
            drop(context);
            let blocking = tokio.spawn_blocking(|| block_on(found()).unwrap());
            assert_eq!(tokio.block_on(blocking).unwrap(), "pool");
            assert_eq!(block_on(async { tokio.block_on(found()) }).unwrap(), "pool");
        }
    });
}

#[test]
fn a03_else_tokios_where_its_context_is() {
    within(|| {
        for tokio in flavours() {
            assert_eq!(tokio.block_on(found()).unwrap(), "tokio");
            let spawned = tokio.spawn(is_send(found()));
            assert_eq!(tokio.block_on(spawned).unwrap().unwrap(), "tokio");
            let set = LocalSet::new();
            let local = set.run_until(async { tokio::task::spawn_local(found()).await.unwrap() });
            assert_eq!(tokio.block_on(local).unwrap(), "tokio");
            let handle = tokio.handle().clone();
            let work = tokio.spawn_blocking(move || handle.block_on(found()).unwrap());
            assert_eq!(tokio.block_on(work).unwrap(), "tokio");
            // A plain thread in its context.
            let _context = tokio.enter();
            assert_eq!(allhome_executors::block_on(found()).unwrap(), "tokio");
        }
    });
}

#[test]
fn a03_else_none_and_no_other_is_guessed() {
    within(|| {
        assert!(no_runtime(LocalExecutor::new().run(found())));
        assert!(no_runtime(smol::block_on(found())));
        assert!(no_runtime(smol::block_on(smol::spawn(found()))));
        assert!(no_runtime(async_std::task::block_on(found())));
        let (tx, rx) = channel();
        let task = async move { tx.send(found().await.map(drop)).unwrap() };
        let pool: allhome::runtime::Runtime = ThreadPool::global().into_runtime().unwrap();
        pool.spawn(allhome_rt::Task::from_future(task));
        assert!(no_runtime(rx.recv().unwrap()), "a plain task of the pool");
    });
}

/// Made in one place and awaited in another, it is opened there.
#[test]
fn a04_it_is_looked_for_at_the_first_poll() {
    within(|| {
        let made = || {
            let name = |n: Nursery<Infallible>| std::future::ready(Ok(n.runtime().name()));
            [nursery().run(name), nursery().on(Tokio).run(name)]
        };
        for tokio in flavours() {
            for run in made() {
                assert_eq!(tokio.block_on(run).unwrap(), "tokio");
            }
            // Made in its context and awaited outside of it.
            let context = tokio.enter();
            let mut elsewhere = made();
            drop(context);
            assert_eq!(block_on(&mut elsewhere[0]).unwrap(), "pool");
            assert!(block_on(&mut elsewhere[1]).is_err(), "it was named, and is not here");
            if tokio.handle().runtime_flavor() == RuntimeFlavor::CurrentThread {
                continue; // Nothing drives it while another thread awaits.
            }
            // It stays where it was opened.
            let (go, wait) = tokio::sync::oneshot::channel::<()>();
            let mut run = Box::pin(nursery().run(async |n: Nursery<Infallible>| {
                wait.await.unwrap();
                Ok(n.fork(in_child()).await.unwrap())
            }));
            assert!(tokio.block_on(async { (&mut run).now_or_never() }).is_none());
            go.send(()).unwrap();
            assert_eq!(tokio.block_on(async { block_elsewhere(run) }).unwrap(), "tokio");
        }
        let task_per_child = nursery().on(Tokio.task_per_child());
        let own =
            task_per_child.run(async |n: Nursery<Infallible>| Ok(n.runtime().task_per_child()));
        assert!(flavours()[0].block_on(own).unwrap());
    });
}

/// Awaits it on another thread, inside of `block_on`.
fn block_elsewhere<F: Future<Output: Send> + Send>(future: F) -> F::Output {
    thread::scope(|scope| scope.spawn(|| block_on(future)).join().unwrap())
}

/// Says which runtime is found in its destructor.
struct Opens(Log);

impl Drop for Opens {
    fn drop(&mut self) {
        let opened = found().now_or_never().expect("it has no child to wait for");
        self.0.note(opened.unwrap_or_else(|error| {
            assert!(no_runtime(Err::<(), _>(error)));
            "none"
        }));
    }
}

/// Of a future that `block_on` drops, of a value that it only borrows, of a child, of a thread.
#[test]
fn a05_in_a_destructor() {
    within(|| {
        let log = Log::default();
        let held = Opens(log.clone());
        block_on(async move { drop(held) });
        let held = Opens(log.clone());
        block_on(async move {
            let _held = held;
            std::future::poll_fn(|_| std::task::Poll::Ready(())).await;
        });
        let kept = std::sync::Mutex::new(Some(Opens(log.clone())));
        let dropped = std::panic::catch_unwind(move || {
            block_on(async move {
                let _kept = kept;
                panic!("it is dropped by the panic");
            })
        });
        assert!(dropped.is_err());
        let child = Opens(log.clone());
        run(async |n: Nursery<Infallible>| {
            n.spawn(async move {
                let _child = child;
                Ok(())
            });
            Ok(())
        })
        .unwrap();
        assert_eq!(log.take(), ["pool"; 4]);
        drop(Opens(log.clone()));
        assert_eq!(log.take(), ["none"]);
    });
}

/// Of a value of the thread, when tokio's own are gone.
#[test]
fn a05_in_the_destructor_of_a_thread_local_value() {
    thread_local! {
        static LAST: std::cell::RefCell<Option<Opens>> = const { std::cell::RefCell::new(None) };
    }
    within(|| {
        let log = Log::default();
        let last = Opens(log.clone());
        let thread = thread::spawn(move || {
            LAST.with(|place| *place.borrow_mut() = Some(last));
            let tokio = &flavours()[0];
            assert_eq!(tokio.block_on(found()).unwrap(), "tokio");
            assert_eq!(block_on(found()).unwrap(), "pool");
        });
        thread.join().unwrap();
        assert_eq!(log.take(), ["none"]);
    });
}
