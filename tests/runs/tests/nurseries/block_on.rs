//! What holds up its thread: refused in the tasks and bodies of nurseries, on any runtime.

use allhome::runtime::{LocalExecutor, Runtime, ThreadPool};
use allhome::sim::Bare;
use allhome::{Nursery, Policy, Simulator, Tokio, block_on, nursery};
use allhome_runs::{Stepped, within};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

/// Calls it and returns what it panicked with.
fn refused<R>(call: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(call)).err().expect("it must not go on");
    payload.downcast_ref::<String>().expect("a formatted message").clone()
}

/// All that holds up its thread until a future is ready.
fn everything() -> Vec<(&'static str, String)> {
    vec![
        ("`block_on`", refused(|| block_on(async {}))),
        ("`LocalExecutor::run`", refused(|| LocalExecutor::new().run(async {}))),
        (
            "`Simulation::drive`",
            refused(|| Simulator::new().run(async |_| Ok::<_, Infallible>(()))),
        ),
        ("`Simulation::drive`", refused(|| Bare::new().run(async |_| {}))),
    ]
}

/// Opens a nursery there, in whose child and body everything is refused.
async fn refuses(runtime: Runtime) {
    let run = nursery().on(runtime).name("inner").run(async |n: Nursery<Infallible>| {
        let id = n.id();
        for (call, message) in everything() {
            assert!(message.starts_with(&format!("{call} was called in the body")), "{message}");
            assert!(message.contains(&format!("nursery {id}")), "{message}");
        }
        let child = n.fork(async { Ok(everything()) });
        let task = child.id().unwrap();
        for (call, message) in child.await.unwrap() {
            assert!(message.starts_with(&format!("{call} was called in task {task}")), "{message}");
            assert!(message.contains("await the future instead"), "{message}");
        }
        Ok(())
    });
    run.await.unwrap();
}

#[test]
fn b13_what_holds_up_a_thread_is_refused_in_tasks_and_bodies() {
    within(|| {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(refuses(runtime_of(Tokio::on(tokio.handle()))));
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        tokio.block_on(refuses(runtime_of(Tokio::on(tokio.handle()))));
        block_on(refuses(runtime_of(ThreadPool::global())));
        let local = LocalExecutor::new();
        local.run(refuses(runtime_of(&local)));
        let stepped = Stepped::new(1);
        stepped.drive(refuses(stepped.runtime()));
        let simulated = Bare::new().run(async |sim| refuses(runtime_of(sim)).await);
        assert!(simulated.is_ok());
    });
}

fn runtime_of(of: impl allhome::runtime::IntoRuntime) -> Runtime {
    of.into_runtime().unwrap()
}

/// A destructor that runs in a poll holds that up; one that is called between polls may block.
#[test]
fn b13_destructors_in_a_poll_are_a_part_of_it() {
    struct Blocks(mpsc::Sender<bool>);
    impl Drop for Blocks {
        fn drop(&mut self) {
            let refused = catch_unwind(|| block_on(async {})).is_err();
            self.0.send(refused).unwrap();
        }
    }
    within(|| {
        let (stepped, (sender, refused)) = (Stepped::new(1), mpsc::channel());
        let run = nursery().on(stepped.runtime()).run(async |n: Nursery<Infallible>| {
            let [inside, between, of_another] = [(); 3].map(|()| Blocks(sender.clone()));
            n.spawn(async move {
                drop(inside);
                Ok(())
            });
            let waits = n.fork(async move {
                let _between = between;
                std::future::pending::<Result<(), _>>().await
            });
            allhome::yield_now().await;
            assert!(refused.recv().unwrap(), "dropped by the task");
            waits.cancel();
            waits.await.unwrap_err();
            assert!(!refused.recv().unwrap(), "its last poll is over");
            let waits = n.fork(async move {
                let _of_another = of_another;
                std::future::pending::<Result<(), _>>().await
            });
            allhome::yield_now().await;
            waits.abort();
            assert!(refused.recv().unwrap(), "dropped in the poll of the one that aborts");
            Ok(())
        });
        assert!(stepped.drive(run).is_ok());
    });
}

#[test]
fn b13_blocking_work_may_and_what_it_waits_for() {
    within(|| {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handle = tokio.handle().clone();
        let run = nursery().on(Tokio::on(&handle)).run(async |n: Nursery<Infallible>| {
            let work = n.blocking(move |cx| {
                let six = block_on(async { 6 });
                let local = LocalExecutor::new().run(async { 7 });
                let inside = cx.block_on(async { block_on(async { 8 }) }).unwrap();
                let nested = nursery().run(async |n: Nursery<Infallible>| {
                    // Its body runs on the thread of the work; its children do not.
                    let child = n.fork(async { Ok(refused(|| block_on(async {}))) });
                    let message = block_on(child).unwrap();
                    assert!(message.contains("in task "), "{message}");
                    Ok(9)
                });
                Ok([six, local, inside, cx.block_on(nested).unwrap().unwrap()])
            });
            Ok(work.await.unwrap())
        });
        assert_eq!(tokio.block_on(run).unwrap(), [6, 7, 8, 9]);
    });
}

/// What was refused is a panic like any other, and a thread that works for no nursery is free.
#[test]
fn b13_refused_is_a_panic_of_the_task_and_other_threads_are_free() {
    within(|| {
        let stepped = Stepped::new(1);
        let run = nursery().on(stepped.runtime()).policy(Policy::Isolate);
        let run =
            run.panics(allhome::error::PanicPolicy::Report).run(async |n: Nursery<Infallible>| {
                let elsewhere = thread::spawn(|| block_on(async { 5 })).join().unwrap();
                let child = n.fork(async { Ok(block_on(async { 6 })) });
                let error = child.await.unwrap_err();
                assert!(error.to_string().contains("`block_on` was called in task "), "{error}");
                Ok(elsewhere)
            });
        assert_eq!(stepped.drive(run).unwrap(), 5);
        assert_eq!(block_on(async { block_on(async { 7 }) }), 7, "no nursery, no refusal");
    });
}
