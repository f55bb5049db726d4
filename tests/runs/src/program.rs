//! A program that uses a bit of everything, for runtimes with odd manners.

use allhome::error::PanicPolicy;
use allhome::runtime::Runtime;
use allhome::{Nursery, nursery, yield_now};
use allhome_conformance::{Counts, eventually};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::pending;

const CHILDREN: usize = 12;

/// Opens nurseries of every kind on the runtime, one after the other, and checks what comes out.
///
/// `exact` says that tasks are polled when they are woken and at no other time: then the polls
/// are counted too.
///
/// # Panics
///
/// Panics if anything comes out wrong.
pub async fn program(runtime: &Runtime, exact: bool) {
    spawn_and_fork(runtime).await;
    nest(runtime).await;
    cancel_and_abort(runtime, exact).await;
    fail(runtime, exact).await;
    panic(runtime).await;
    drop_run(runtime, exact).await;
}

async fn spawn_and_fork(runtime: &Runtime) {
    let counts = Counts::new();
    let sum = nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let mut children = Vec::new();
            for i in 0..CHILDREN {
                let (first, second) = (counts.guard(), counts.guard());
                n.spawn(async move {
                    for _ in 0..i % 3 {
                        yield_now().await;
                    }
                    drop(first);
                    Ok(())
                });
                let siblings = n.clone();
                children.push(n.fork(async move {
                    yield_now().await;
                    siblings.spawn(async move {
                        drop(second);
                        Ok(())
                    });
                    Ok(i)
                }));
            }
            let mut sum = 0;
            for child in children {
                sum += child.await.expect("it gives its number");
            }
            Ok(sum)
        })
        .await;
    assert_eq!(sum.expect("no child fails"), CHILDREN * (CHILDREN - 1) / 2);
    assert_eq!(counts.drops(), 2 * CHILDREN);
}

async fn nest(runtime: &Runtime) {
    let counts = Counts::new();
    let result = nursery()
        .on(runtime)
        .run(async |n: Nursery<&str>| {
            for _ in 0..CHILDREN {
                let counts = counts.clone();
                n.spawn(async move {
                    let inner = nursery().run(async |inner: Nursery<&str>| {
                        inner.spawn(counts.parked().child());
                        inner.spawn(async {
                            yield_now().await;
                            Err("inner")
                        });
                        pending::<Result<(), _>>().await
                    });
                    assert_eq!(inner.await.expect_err("it fails").into_error().ok(), Some("inner"));
                    Ok(())
                });
            }
            Ok(())
        })
        .await;
    assert!(result.is_ok(), "what failed inside was dealt with: {result:?}");
    assert_eq!(counts.drops(), CHILDREN);
}

async fn cancel_and_abort(runtime: &Runtime, exact: bool) {
    for abort in [false, true] {
        let counts = Counts::new();
        let value = nursery()
            .on(runtime)
            .run(async |n: Nursery<Infallible>| {
                for _ in 0..CHILDREN {
                    n.spawn(counts.parked().child());
                }
                eventually(|| counts.polls() >= CHILDREN).await;
                assert!(if abort { n.abort() } else { n.cancel() });
                Ok(7)
            })
            .await;
        assert_eq!(value.expect("a cancel is no failure"), 7);
        assert_eq!(counts.drops(), CHILDREN);
        let polls = if abort { CHILDREN } else { 2 * CHILDREN };
        assert!(!exact || counts.polls() == polls, "{} polls, not {polls}", counts.polls());
    }
}

async fn fail(runtime: &Runtime, exact: bool) {
    let counts = Counts::new();
    let error = nursery()
        .on(runtime)
        .run(async |n: Nursery<&str>| {
            for _ in 0..CHILDREN {
                n.spawn(counts.parked().child());
            }
            eventually(|| counts.polls() >= CHILDREN).await;
            n.spawn(async { Err("first") });
            pending::<Result<(), _>>().await
        })
        .await
        .expect_err("a child fails");
    assert_eq!((error.failures().len(), error.cancelled_count()), (1, CHILDREN));
    assert_eq!(error.into_error().ok(), Some("first"));
    assert_eq!(counts.drops(), CHILDREN);
    assert!(!exact || counts.polls() == 2 * CHILDREN, "{} polls", counts.polls());
}

async fn panic(runtime: &Runtime) {
    let counts = Counts::new();
    let error = nursery()
        .on(runtime)
        .panics(PanicPolicy::Report)
        .run(async |n: Nursery<Infallible>| {
            n.spawn(counts.parked().child());
            eventually(|| counts.polls() >= 1).await;
            n.spawn(async { panic!("thrown on purpose") });
            pending::<Result<(), _>>().await
        })
        .await
        .expect_err("a child panics");
    assert_eq!(error.panics().next().expect("it is there").message(), "thrown on purpose");
    assert_eq!((error.failures().len(), error.cancelled_count(), counts.drops()), (1, 1, 1));
}

async fn drop_run(runtime: &Runtime, exact: bool) {
    let counts = Counts::new();
    let mut run = Box::pin(nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        for _ in 0..CHILDREN {
            n.spawn(counts.parked().child());
        }
        pending::<Result<(), _>>().await
    }));
    assert!(run.as_mut().now_or_never().is_none());
    eventually(|| counts.polls() >= CHILDREN).await;
    drop(run);
    eventually(|| counts.drops() == CHILDREN).await;
    assert!(!exact || counts.polls() == CHILDREN, "{} polls", counts.polls());
}
