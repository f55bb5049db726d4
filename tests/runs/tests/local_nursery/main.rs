//! Nurseries whose children are not `Send` (clauses M..), on our local executor and on others.
//!
//! The suite runs the clauses of the nursery on them, too: `tests/conformance/src/cases/local.rs`.

mod end;
mod probe;
mod simulated;
mod thread;

use allhome::local::{LocalNursery, LocalRuntime};
use allhome::runtime::{IntoLocalRuntime, LocalExecutor, Runtime};
use allhome::{Nursery, Tokio, join_all, nursery, yield_now};
use allhome_conformance::{Counts, Gate, eventually};
use allhome_rt::{LocalTask, Spawn, SpawnLocal, Task};
use allhome_runs::within;
use probe::{Here, elsewhere, gated};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::LocalSet;

/// What a local nursery is for, on any local runtime.
async fn program(on: impl IntoLocalRuntime) {
    let (counts, log, gate) = (Counts::new(), Rc::new(RefCell::new(Vec::new())), Gate::new());
    let run = nursery().local(on).run(async |n: LocalNursery<Infallible>| {
        for line in ["one", "two"] {
            let log = log.clone();
            n.task(line).spawn(async move {
                yield_now().await;
                log.borrow_mut().push(line);
                Ok(())
            });
        }
        let child = n.fork(gated(gate.clone(), Here::new(&counts)));
        let open = gate.clone();
        let work = n.blocking(move |_| {
            open.open();
            Ok(())
        });
        work.await.unwrap();
        child.await.unwrap().check();
        Ok(log.clone())
    });
    let log = run.await.unwrap();
    log.borrow_mut().sort_unstable();
    assert_eq!(*log.borrow(), ["one", "two"]);
    assert_eq!(counts.drops(), 1);
}

#[test]
fn m01_children_that_are_not_send_on_the_local_executor() {
    within(|| {
        let executor = LocalExecutor::new();
        executor.run(program(&executor));
        executor.run(eventually(|| executor.tasks() == 0));
    });
}

#[test]
fn m01_children_that_are_not_send_on_a_local_set() {
    within(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let (tokio, set) = (builder.enable_time().build().unwrap(), Rc::new(LocalSet::new()));
        set.block_on(&tokio, program(Tokio::local(&set)));
    });
}

/// The set is on the caller's thread, and blocking work and the clock on others.
#[test]
fn m01_children_that_are_not_send_beside_tokios_threads() {
    within(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let tokio = builder.worker_threads(2).enable_time().build().unwrap();
        let set = Rc::new(LocalSet::new());
        set.block_on(&tokio, program(Tokio::local(&set)));
    });
}

#[test]
fn m01_children_that_are_not_send_on_smol() {
    within(|| {
        let executor = Rc::new(smol::LocalExecutor::new());
        smol::block_on(executor.run(program(allhome::runtime::Smol::local(&executor))));
    });
}

/// Tasks that are `Send` go to threads of their own: monoio takes them on its thread only.
struct Threads;

impl Spawn for Threads {
    fn spawn(&self, task: Task) {
        std::thread::spawn(|| futures_executor::block_on(task));
    }
}

struct OnMonoio;

impl SpawnLocal for OnMonoio {
    fn spawn_local(&self, task: LocalTask) {
        drop(monoio::spawn(task));
    }
}

#[test]
fn m01_children_that_are_not_send_on_monoio() {
    within(|| {
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new();
        let on = LocalRuntime::new(Runtime::new("threads", Threads), Rc::new(OnMonoio));
        builder.build().expect("epoll").block_on(program(on));
    });
}

/// The same code as in a nursery that is not local, and the same errors.
#[test]
fn m06_names_limits_places_and_finalizers() {
    within(|| {
        let (executor, counts) = (LocalExecutor::new(), Counts::new());
        let run = nursery().name("desk").local(&executor).limit(1);
        let run = run.run(async |n: LocalNursery<String>| {
            let here = Here::new(&counts);
            n.defer(Duration::from_secs(60), async move {
                here.check();
                Ok(())
            });
            let place = n.reserve().await.unwrap();
            assert!(n.try_reserve().is_err(), "there is but one");
            let second = n.task("second").fork(gated(Gate::new(), Here::new(&counts)));
            let here = Here::new(&counts);
            let first = place.name("first").fork(async move {
                yield_now().await;
                Ok(here)
            });
            first.await.unwrap().check();
            eventually(|| second.state() == allhome::task::TaskState::Waiting).await;
            n.close();
            let late = n.try_spawn(gated(Gate::new(), Here::new(&counts)).map_drop());
            assert_eq!(counts.drops(), 1);
            drop(late.expect_err("it takes no more").into_future());
            assert_eq!(counts.drops(), 2);
            n.fail("a note".into());
            Ok(())
        });
        let error = executor.run(run).unwrap_err();
        assert!(error.to_string().contains("a note"), "{error}");
        assert_eq!(counts.drops(), 4);
    });
}

trait MapDrop: Future<Output = Result<Here, String>> + Sized {
    async fn map_drop(self) -> Result<(), String> {
        self.await.map(drop)
    }
}

impl<F: Future<Output = Result<Here, String>>> MapDrop for F {}

/// One that is local runs where it is, one that is not on the runtime beside it.
#[test]
fn m07_nurseries_inside() {
    within(|| {
        let executor = LocalExecutor::new();
        let (counts, on) = (Counts::new(), (&executor).into_local_runtime());
        let run = nursery().local(&on).run(async |n: LocalNursery<Infallible>| {
            let (counts, on) = (counts.clone(), on.clone());
            let child = n.fork(async move {
                let local = nursery().local(on).run(async |inner: LocalNursery<Infallible>| {
                    let here = Here::new(&counts);
                    Ok(inner.fork(async move { Ok(here) }).await.unwrap())
                });
                local.await.unwrap().check();
                let plain = nursery()
                    .run(async |inner: Nursery<Infallible>| Ok(inner.fork(async { Ok(7) }).await));
                Ok(plain.await.unwrap().unwrap())
            });
            Ok(child.await.unwrap())
        });
        assert_eq!(executor.run(run).unwrap(), 7);
        assert_eq!(counts.drops(), 1);
    });
}

#[test]
fn m03_values_that_are_not_send() {
    within(|| {
        let (executor, counts) = (LocalExecutor::new(), Counts::new());
        let kept = executor.run(nursery().local(&executor).run(async |n: LocalNursery<String>| {
            let fork = |at: usize| {
                let here = Here::new(&counts);
                n.fork(async move {
                    for _ in 0..at {
                        yield_now().await;
                    }
                    Ok(here)
                })
            };
            let all = join_all([fork(0), fork(1), fork(40)]).await.unwrap();
            all.iter().for_each(Here::check);
            drop(all);
            assert_eq!(counts.drops(), 3);
            drop(fork(1));
            fork(2).value().await.check();
            let (ended, taken) = (fork(0), fork(0));
            eventually(|| ended.is_ended() && taken.is_ended()).await;
            drop(ended);
            assert_eq!(counts.drops(), 6, "the value is dropped with the handle");
            Ok(taken)
        }));
        let kept = kept.unwrap();
        assert_eq!(counts.drops(), 6);
        futures_executor::block_on(kept).unwrap().check();
        assert_eq!(counts.drops(), 7);
    });
}

/// The handle of a value that is `Send` may leave, and waits there for a child that stays.
#[test]
fn m03_value_that_is_send_is_awaited_elsewhere() {
    within(|| {
        let (executor, counts, gate) = (LocalExecutor::new(), Counts::new(), Gate::new());
        let run = nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
            let wait = gated::<Infallible>(gate.clone(), Here::new(&counts));
            let child = n.fork(async move {
                drop(wait.await);
                Ok(())
            });
            let number = n.fork(async { Ok(Arc::new(7)) });
            eventually(|| number.is_ended()).await;
            assert_eq!(elsewhere(|| *futures_executor::block_on(number).unwrap()), 7);
            let joins = std::thread::spawn(|| futures_executor::block_on(child).is_ok());
            gate.open();
            eventually(|| joins.is_finished()).await;
            Ok(joins.join().unwrap())
        });
        assert!(executor.run(run).unwrap());
        assert_eq!(counts.drops(), 1);
    });
}
