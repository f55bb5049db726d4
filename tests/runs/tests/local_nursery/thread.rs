//! What comes from other threads: wakes, cancels, children that are `Send`.

use crate::probe::{elsewhere, parked, woken};
use allhome::cancel::ReasonKind;
use allhome::local::LocalNursery;
use allhome::runtime::{LocalExecutor, ThreadPool};
use allhome::{CancelToken, Nursery, Reason, nursery};
use allhome_conformance::{Counts, Gate, eventually};
use allhome_runs::within;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::thread;

#[test]
fn m01_woken_from_other_threads() {
    within(|| {
        let (executor, counts) = (LocalExecutor::new(), Counts::new());
        let wakers = Arc::default();
        let run = nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
            (0..10).for_each(|_| drop(n.spawn(woken(&counts, &wakers))));
            // More often than after which a child gets a task of its own.
            for round in 1..=40 {
                eventually(|| wakers.lock().unwrap().len() == 10).await;
                assert_eq!(counts.polls(), 10 * round);
                let wakers = std::mem::take(&mut *wakers.lock().unwrap());
                thread::spawn(move || wakers.into_iter().for_each(std::task::Waker::wake));
            }
            n.cancel();
            Ok(())
        });
        executor.run(run).unwrap();
        assert_eq!(counts.drops(), 10);
    });
}

/// While the nursery's thread waits, an abort from another one leaves the children where they are.
#[test]
fn m02_aborted_elsewhere_then_dropped_at_home() {
    type Ends = fn(&Nursery<Infallible>, &CancelToken);
    let ways: [Ends; 4] = [
        |n, _| assert!(n.abort()),
        |n, _| assert!(n.cancel()),
        |_, token| assert!(token.cancel()),
        |n, _| assert!(n.cancel_with(Reason::new("enough"))),
    ];
    for (way, polled) in ways.into_iter().flat_map(|way| [(way, true), (way, false)]) {
        within(move || {
            let (executor, counts, token) =
                (LocalExecutor::new(), Counts::new(), CancelToken::new());
            let run = nursery().token(&token).local(&executor);
            let run = run.run(async |n: LocalNursery<Infallible>| {
                (0..100).for_each(|_| drop(n.spawn(parked(&counts))));
                if polled {
                    eventually(|| counts.polls() == 100).await;
                }
                let (handle, token) = (Nursery::clone(&n), &token);
                elsewhere(move || way(&handle, token));
                assert_eq!((counts.drops(), n.len()), (0, 100), "they are left to their thread");
                Ok(())
            });
            let _ended = executor.run(run);
            assert_eq!(counts.drops(), 100);
        });
    }
}

#[test]
fn m02_child_aborted_elsewhere() {
    within(|| {
        let (executor, counts) = (LocalExecutor::new(), Counts::new());
        let run = nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
            let child = n.fork(parked(&counts));
            eventually(|| counts.polls() == 1).await;
            let child = elsewhere(move || {
                assert!(child.abort());
                child
            });
            assert_eq!((counts.drops(), child.is_ended()), (0, false));
            let error = child.await.unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), ReasonKind::Aborted);
            assert_eq!((counts.drops(), counts.polls()), (1, 1));
            Ok(())
        });
        executor.run(run).unwrap();
    });
}

/// A nursery around, on other threads, waits until the children of the local one are dropped.
#[test]
fn m02_cancel_of_the_nursery_around() {
    within(|| {
        let (pool, counts) = (ThreadPool::new(2).unwrap(), Counts::new());
        for _ in 0..50 {
            let before = counts.drops();
            let run = nursery().on(&pool).run(async |n: Nursery<Infallible>| {
                let (n, counts, polls) = (n.clone(), counts.clone(), counts.polls());
                let home = thread::spawn({
                    let (n, counts) = (n.clone(), counts.clone());
                    move || {
                        let executor = LocalExecutor::new();
                        let inside = n.nursery().local(&executor);
                        let run = inside.run(async |local: LocalNursery<Infallible>| {
                            (0..20).for_each(|_| drop(local.spawn(parked(&counts))));
                            std::future::pending::<Result<(), _>>().await
                        });
                        assert!(executor.run(run).is_err());
                    }
                });
                eventually(|| counts.polls() == polls + 20).await;
                assert!(n.abort());
                Ok(home)
            });
            let home = futures_executor::block_on(run).unwrap();
            assert_eq!(counts.drops(), before + 20);
            home.join().unwrap();
        }
    });
}

#[test]
fn m05_children_that_are_send_are_spawned_from_elsewhere() {
    within(|| {
        let (executor, gate) = (LocalExecutor::new(), Gate::new());
        let home = thread::current().id();
        let seen = Arc::new(Mutex::new(None));
        let run = nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
            let (handle, note, open) = (Nursery::clone(&n), seen.clone(), gate.clone());
            thread::spawn(move || {
                handle.spawn(async move {
                    *note.lock().unwrap() = Some(thread::current().id());
                    open.open();
                    Ok(())
                })
            });
            gate.wait().await;
            Ok(())
        });
        executor.run(run).unwrap();
        assert_eq!(*seen.lock().unwrap(), Some(home));
    });
}
