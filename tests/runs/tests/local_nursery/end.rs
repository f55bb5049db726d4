//! The end of the nursery's future, and of its thread's runtime, with children alive.

use crate::probe::{elsewhere, parked, woken};
use allhome::error::Cause;
use allhome::local::LocalNursery;
use allhome::runtime::LocalExecutor;
use allhome::{Nursery, nursery};
use allhome_conformance::{Counts, eventually};
use allhome_runs::within;
use futures_util::FutureExt;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::thread;

#[test]
fn m04_future_dropped_with_children_alive() {
    within(|| {
        let (executor, counts) = (LocalExecutor::new(), Counts::new());
        let mut run =
            Box::pin(nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
                (0..20).for_each(|_| drop(n.spawn(parked(&counts))));
                pending::<Result<(), _>>().await
            }));
        executor.run(async {
            assert!(run.as_mut().now_or_never().is_none());
            eventually(|| counts.polls() == 20).await;
        });
        drop(run);
        assert_eq!((counts.drops(), counts.polls()), (20, 20), "where they wait");
        executor.run(eventually(|| executor.tasks() == 0));
    });
}

#[test]
fn m04_runtime_dropped_with_children_alive() {
    for polled in [true, false] {
        within(move || {
            let (executor, counts) = (LocalExecutor::new(), Counts::new());
            let mut run =
                Box::pin(nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
                    (0..20).for_each(|_| drop(n.spawn(parked(&counts))));
                    Ok(n)
                }));
            assert!(run.as_mut().now_or_never().is_none());
            if polled {
                executor.run(eventually(|| counts.polls() == 20));
            }
            drop(executor);
            assert_eq!(counts.drops(), 20);
            let error = run.now_or_never().expect("no child is left").unwrap_err();
            assert!(error.failures().all(|failure| matches!(failure.cause(), Cause::Lost)));
            assert_eq!(error.failures().len(), 20);
        });
    }
}

/// A child that is spawned when the runtime has ended is lost, and dropped, at once.
#[test]
fn m04_spawn_after_the_runtimes_end() {
    within(|| {
        let (executor, counts) = (LocalExecutor::new(), Counts::new());
        let mut handle = None;
        let mut run =
            Box::pin(nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
                handle = Some(n.clone());
                pending::<Result<(), _>>().await
            }));
        assert!(run.as_mut().now_or_never().is_none());
        drop(executor);
        drop(run);
        let n = handle.unwrap();
        assert!(n.spawn(parked(&counts)).refused().is_some());
        assert_eq!((counts.drops(), counts.polls()), (1, 0));

        let executor = LocalExecutor::new();
        let ended = nursery().local(&executor);
        drop(executor);
        let run = ended.run(async |n: LocalNursery<Infallible>| {
            drop(n.spawn(parked(&counts)));
            assert_eq!(counts.drops(), 2);
            Ok(())
        });
        assert!(run.now_or_never().expect("no child is left").is_err());
    });
}

/// The runtime ends while other threads wake and abort the children.
#[test]
fn m04_runtime_dropped_while_others_wake_and_abort() {
    within(|| {
        let counts = Counts::new();
        for round in 0..300 {
            let (executor, before) = (LocalExecutor::new(), counts.drops());
            let (wakers, over) = (Arc::<Mutex<Vec<Waker>>>::default(), AtomicBool::new(false));
            let handle = RefCell::new(None);
            let mut run =
                Box::pin(nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
                    (0..20).for_each(|_| drop(n.spawn(woken(&counts, &wakers))));
                    handle.replace(Some(Nursery::clone(&n)));
                    Ok(())
                }));
            assert!(run.as_mut().now_or_never().is_none());
            executor.run(eventually(|| wakers.lock().unwrap().len() >= 20));
            let n = handle.take().unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let wakers = wakers.lock().unwrap().clone();
                    while !over.load(SeqCst) {
                        wakers.iter().for_each(Waker::wake_by_ref);
                    }
                });
                scope.spawn(|| {
                    for _ in 0..round {
                        std::hint::spin_loop();
                    }
                    n.abort();
                });
                drop(executor);
                over.store(true, SeqCst);
            });
            assert_eq!(counts.drops(), before + 20, "with the runtime, at the latest");
            assert!(run.now_or_never().is_some(), "no child is left");
        }
    });
}

/// A handle that is `Send` may be the last that keeps the nursery, on another thread.
#[test]
fn m04_last_handle_elsewhere() {
    within(|| {
        let (executor, counts) = (LocalExecutor::new(), Counts::new());
        let run = nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
            n.spawn(parked(&counts));
            eventually(|| counts.polls() == 1).await;
            n.cancel();
            Ok(Nursery::clone(&n))
        });
        let n = executor.run(run).unwrap();
        assert_eq!(counts.drops(), 1);
        elsewhere(move || drop(n));
        executor.run(eventually(|| executor.tasks() == 0));
    });
}
