//! Nurseries beside tasks that are not `Send`, on each runtime that has them.

use allhome::runtime::{AsyncStd, IntoRuntime, LocalExecutor, Runtime, Smol};
use allhome::{Nursery, Tokio};
use allhome::{nursery, yield_now};
use allhome_conformance::{Counts, eventually};
use allhome_rt::{LocalTask, SpawnLocal};
use allhome_runs::within;
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::thread;
use tokio::task::LocalSet;

/// Local tasks that share an `Rc` open nurseries, whose bodies have it too, and whose children go
/// where the runtime likes.
async fn program(runtime: Runtime, local: Rc<dyn SpawnLocal>) {
    let (log, over, home) = (Rc::new(RefCell::new(Vec::new())), Counts::new(), thread::current());
    for task in 0..3 {
        let (runtime, log, guard, home) = (runtime.clone(), log.clone(), over.guard(), home.id());
        let spawns = local.clone();
        local.spawn_local(LocalTask::from_future(async move {
            let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
                let children: Vec<_> = (0..10)
                    .map(|number| {
                        n.fork(async move {
                            yield_now().await;
                            Ok(number)
                        })
                    })
                    .collect();
                let mut sum = 0;
                for child in children {
                    sum += child.await.unwrap();
                }
                assert_eq!(thread::current().id(), home, "the body has left");
                // One inside finds the runtime.
                let inner = nursery();
                sum += inner
                    .run(async |n: Nursery<Infallible>| Ok(n.fork(async { Ok(5) }).await))
                    .await
                    .unwrap()
                    .unwrap();
                log.borrow_mut().push((task, sum));
                Ok(())
            });
            run.await.unwrap();
            // What is left is done by another local task.
            spawns.spawn_local(LocalTask::from_future(async move { drop((guard, log)) }));
        }));
    }
    eventually(|| over.drops() == 3).await;
    log.borrow_mut().sort_unstable();
    assert_eq!(*log.borrow(), [(0, 50), (1, 50), (2, 50)]);
    assert_eq!(Rc::strong_count(&log), 1, "no child has it any more");
}

#[test]
fn x14_bodies_in_local_tasks_of_the_local_executor() {
    within(|| {
        let executor = LocalExecutor::new();
        let runtime = (&executor).into_runtime().unwrap();
        executor.run(program(runtime, Rc::new(executor.spawner())));
    });
}

#[test]
fn x14_bodies_in_local_tasks_of_tokio() {
    within(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let (tokio, set) = (builder.enable_time().build().unwrap(), Rc::new(LocalSet::new()));
        let runtime = Tokio::on(tokio.handle()).into_runtime().unwrap();
        set.block_on(&tokio, program(runtime, Rc::new(Tokio::local(&set))));
    });
}

/// The set is on the caller's thread, and the children on others.
#[test]
fn x14_bodies_in_local_tasks_beside_tokios_threads() {
    within(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let tokio = builder.worker_threads(2).enable_time().build().unwrap();
        let runtime = Tokio::on(tokio.handle()).into_runtime().unwrap();
        let set = Rc::new(LocalSet::new());
        set.block_on(&tokio, program(runtime, Rc::new(Tokio::local(&set))));
    });
}

#[test]
fn x14_bodies_in_local_tasks_of_smol() {
    within(|| {
        let executor = Rc::new(smol::LocalExecutor::new());
        let runtime = Smol.into_runtime().unwrap();
        smol::block_on(executor.run(program(runtime, Rc::new(Smol::local(&executor)))));
    });
}

#[test]
fn x14_bodies_in_local_tasks_of_async_std() {
    within(|| {
        let runtime = AsyncStd.into_runtime().unwrap();
        async_std::task::block_on(program(runtime, Rc::new(AsyncStd)));
    });
}
