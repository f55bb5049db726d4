//! `n.idle()`: until no child is there.

use allhome::{Nursery, Simulator, Tokio, nursery, sleep, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::{Opened, Stepped, Wakes, poll_once, within};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

type Never = Nursery<Infallible>;

#[test]
fn a10_until_no_child_is_there_and_it_stays_open() {
    let stepped = Stepped::new(1);
    let outer = Opened::new(nursery().on(stepped.runtime()));
    let wakes = Wakes::new();
    assert!(poll_once(&mut Box::pin(outer.n.idle()), &wakes).is_ready(), "none was there");
    let (gate, inside) = (Gate::new(), Gate::new());
    for _ in 0..3 {
        let gate = gate.clone();
        outer.n.spawn(async move {
            gate.wait().await;
            Ok(())
        });
    }
    let mut nested = Box::pin(outer.n.nursery().run(async |_: Never| {
        inside.wait().await;
        Ok(())
    }));
    assert!(poll_once(&mut nested, &wakes).is_pending());
    let mut idle = Box::pin(outer.n.idle());
    let waits = Wakes::new();
    assert!(poll_once(&mut idle, &waits).is_pending());
    gate.open();
    stepped.run_until_stalled();
    assert!(poll_once(&mut idle, &waits).is_pending(), "a nursery is open inside");
    inside.open();
    assert!(poll_once(&mut nested, &wakes).is_ready());
    assert_eq!(waits.count(), 1);
    assert!(poll_once(&mut idle, &waits).is_ready());
    assert!(outer.n.spawn(async { Ok(()) }).is_admitted(), "it is open");
    stepped.run_until_stalled();
}

/// It was idle for a moment, and is not when the waiter comes to look.
#[test]
fn a10_a_moment_is_not_missed() {
    let stepped = Stepped::new(1);
    let outer = Opened::new(nursery().on(stepped.runtime()));
    let (waits, counts) = (Wakes::new(), Counts::new());
    outer.n.spawn(async { Ok(()) });
    let mut idle = Box::pin(outer.n.idle());
    assert!(poll_once(&mut idle, &waits).is_pending());
    stepped.run_until_stalled();
    outer.n.spawn(counts.parked().child());
    assert_eq!(waits.count(), 1);
    assert!(poll_once(&mut idle, &waits).is_ready(), "it was idle in between");
    let mut next = Box::pin(outer.n.idle());
    assert!(poll_once(&mut next, &waits).is_pending(), "but not since");
    outer.n.abort();
    assert!(poll_once(&mut next, &waits).is_ready());
}

#[test]
fn a10_dropped_it_leaves_no_waker() {
    let stepped = Stepped::new(1);
    let mut outer = Opened::new(nursery().on(stepped.runtime()));
    let (waits, counts) = (Wakes::new(), Counts::new());
    outer.n.spawn(counts.parked().child());
    let mut idle = Box::pin(outer.n.idle());
    assert!(poll_once(&mut idle, &waits).is_pending());
    drop(idle);
    outer.n.abort();
    assert_eq!(waits.count(), 0);
    assert!(outer.finish().is_ready());
    // Of one that has ended.
    assert!(poll_once(&mut Box::pin(outer.n.idle()), &waits).is_ready());
}

fn panics(n: &Never) -> String {
    let polled = || poll_once(&mut Box::pin(n.idle()), &Wakes::new()).is_ready();
    let payload = catch_unwind(AssertUnwindSafe(polled)).expect_err("it would wait for itself");
    payload.downcast_ref::<String>().expect("a formatted message").clone()
}

#[test]
fn a11_a_child_would_wait_for_itself() {
    within(|| {
        let stepped = Stepped::new(1);
        let run = nursery().on(stepped.runtime()).run(async |n: Never| {
            let own = n.clone();
            let child = n.fork(async move {
                let message = panics(&own);
                let outer = own.clone();
                let inner = nursery().name("inner").run(async |inner: Never| {
                    let deep = inner.fork(async move { Ok(panics(&outer)) });
                    Ok((panics(&own), deep.await.unwrap()))
                });
                Ok((message, inner.await.unwrap()))
            });
            let id = child.id().unwrap();
            let (own, (body, deep)) = child.await.unwrap();
            assert!(own.starts_with(&format!("`idle` was awaited in task {id}")), "{own}");
            assert!(body.contains("the body of nursery") && body.contains("`inner`"), "{body}");
            assert!(deep.starts_with("`idle` was awaited in task"), "{deep}");
            // The body of one that the body has open.
            let handle = n.clone();
            nursery()
                .run(async |_: Never| {
                    drop(panics(&handle));
                    Ok(())
                })
                .await
                .unwrap();
            n.idle().await;
            Ok(())
        });
        stepped.drive(run).unwrap();
    });
}

#[test]
fn a10_in_every_schedule() {
    let explored = Simulator::new().seed(1).schedules(1_000).check(async |n: Never| {
        let counts = Counts::new();
        let outer = nursery().run(async |m: Never| {
            for i in 0..4 {
                let guard = counts.guard();
                m.spawn(async move {
                    let _guard = guard;
                    for _ in 0..i % 3 {
                        yield_now().await;
                    }
                    Ok(())
                });
            }
            let (handle, elsewhere) = (m.clone(), m.clone());
            // Foreign to it.
            let waits = n.fork(async move {
                elsewhere.idle().await;
                Ok(())
            });
            handle.idle().await;
            assert_eq!(counts.drops(), 4);
            waits.await.unwrap();
            Ok(())
        });
        outer.await.unwrap();
        Ok(())
    });
    assert!(explored.failure().is_none() && explored.schedules() > 100);
}

/// On threads: no wake is lost.
#[test]
fn a10_on_threads() {
    within(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let run = nursery().on(Tokio::on(tokio.handle())).run(async |n: Never| {
            for round in 0..2_000_u64 {
                for _ in 0..round % 4 {
                    n.spawn(async {
                        yield_now().await;
                        Ok(())
                    });
                }
                if round % 100 == 0 {
                    n.spawn(async {
                        sleep(Duration::from_millis(1)).await;
                        Ok(())
                    });
                }
                n.idle().await;
                assert!(n.is_empty());
            }
            Ok(())
        });
        tokio.block_on(run).unwrap();
    });
}
