//! Many owners at once, on real runtimes.

use allhome::runtime::{IntoRuntime, Runtime, ThreadPool};
use allhome::{Nursery, Owner, Tokio, nursery, yield_now};
use allhome_conformance::{Counts, eventually};
use allhome_runs::within;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

/// 500 are opened; half are dropped, half closed, from two threads.
async fn half_and_half(runtime: Runtime) -> Counts {
    let counts = Counts::new();
    let opened: Vec<(Nursery<Infallible>, Owner<Infallible>)> =
        (0..500).map(|_| nursery().on(&runtime).open().unwrap()).collect();
    for (i, (n, _)) in opened.iter().enumerate() {
        for _ in 0..2 {
            let (guard, waits) = (counts.guard(), i % 2 == 0);
            n.spawn(async move {
                let _guard = guard;
                if waits {
                    pending::<()>().await;
                }
                yield_now().await;
                Ok(())
            });
        }
    }
    let (dropped, closed): (Vec<_>, Vec<_>) =
        opened.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let drops = std::thread::spawn(move || drop(dropped));
    for (_, (_, owner)) in closed {
        owner.close().await.unwrap();
    }
    drops.join().unwrap();
    counts
}

#[test]
fn a18_nothing_is_left_of_500_on_tokio() {
    within(|| {
        for workers in [None, Some(2)] {
            let mut builder = match workers {
                None => tokio::runtime::Builder::new_current_thread(),
                Some(_) => tokio::runtime::Builder::new_multi_thread(),
            };
            let tokio = builder.worker_threads(2).enable_time().build().unwrap();
            let runtime = Tokio::on(tokio.handle()).into_runtime().unwrap();
            tokio.block_on(async {
                let counts = half_and_half(runtime).await;
                eventually(|| counts.drops() == 1_000).await;
                let tasks = tokio.metrics().num_alive_tasks();
                eventually(|| tokio.metrics().num_alive_tasks() == 0).await;
                assert!(tasks <= 500 + 2, "{tasks}");
            });
        }
    });
}

#[test]
fn a18_nothing_is_left_of_500_on_the_pool() {
    within(|| {
        let pool = ThreadPool::new(2).unwrap();
        let runtime = (&pool).into_runtime().unwrap();
        allhome::block_on(async {
            let counts = half_and_half(runtime).await;
            eventually(|| counts.drops() == 1_000).await;
        });
        pool.shutdown();
    });
}

/// A deadline ends the child while the program does something else (m31).
#[test]
fn a13_a_deadline_holds_on_tokio_while_nothing_is_awaited() {
    within(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        let _context = tokio.enter();
        let counts = Counts::new();
        let opened = nursery().deadline(Duration::from_millis(20)).open::<Infallible, _>();
        let (n, owner) = opened.unwrap();
        n.spawn(counts.parked().child());
        // This thread polls nothing.
        while counts.drops() == 0 {
            std::thread::yield_now();
        }
        assert!(tokio.block_on(owner.close()).unwrap_err().is_timeout());
    });
}

/// The runtime ends on one thread while the owner closes on another.
#[test]
fn a17_tokio_ends_while_it_closes() {
    within(|| {
        for round in 0..200 {
            let tokio = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_time()
                .build()
                .unwrap();
            let runtime = Tokio::on(tokio.handle()).into_runtime().unwrap();
            let counts = Counts::new();
            let (n, owner) = nursery().on(runtime).open::<Infallible, _>().unwrap();
            n.spawn(counts.parked().child());
            let ends = std::thread::spawn(move || drop(tokio));
            if round % 2 == 0 {
                n.cancel();
            }
            let closed = allhome::block_on(owner.close());
            assert!(round % 2 == 0 || closed.is_err(), "its child was lost");
            assert_eq!(counts.drops(), 1);
            ends.join().unwrap();
        }
    });
}
