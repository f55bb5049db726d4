//! Clauses b..: work that blocks its thread, on runtimes that have threads for it.

use super::{Nursery, nursery};
use crate::probe::{Counts, eventually};
use allhome::cancel::ReasonKind;
use allhome::error::PanicPolicy;
use allhome::runtime::Runtime;
use allhome::{Policy, Reason};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

type Failure = Arc<str>;

fn failure(text: &str) -> Failure {
    text.into()
}

pub(super) async fn b01_told_work_ends_as_cancelled(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime).run(async |n: Nursery<Failure>| {
        let count = counts.clone();
        let work = n.blocking(move |cx| {
            count.polled();
            loop {
                cx.check().map_err(|reason| failure(reason.message()))?;
                thread::yield_now();
            }
            #[expect(unreachable_code)]
            Ok(())
        });
        eventually(|| counts.polls() == 1).await;
        assert!(work.cancel_with(Reason::new("leave")));
        let reason = work.await.unwrap_err();
        assert_eq!(reason.reason().unwrap().message(), "leave");
        assert!(!n.is_cancelled());
        Ok(())
    });
    run.await.unwrap();
}

pub(super) async fn b03_block_on_opens_a_nursery(runtime: Runtime) {
    let run = nursery().on(runtime).run(async |n: Nursery<Failure>| {
        let work = n.blocking(|cx| {
            let run = allhome::nursery().run(async |inner: allhome::Nursery<Failure>| {
                let parts: Vec<_> = (0..10).map(|i| inner.fork(async move { Ok(i) })).collect();
                let mut sum = 0;
                for part in parts {
                    sum += part.await.unwrap();
                }
                Ok(sum)
            });
            Ok(cx.block_on(run).unwrap().unwrap())
        });
        Ok(work.await.unwrap())
    });
    assert_eq!(run.await.unwrap(), 45);
}

pub(super) async fn b04_cancel_reaches_the_nursery_inside(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime).run(async |n: Nursery<Failure>| {
        let count = counts.clone();
        let work = n.blocking(move |cx| {
            let run = allhome::nursery().run(async |inner: allhome::Nursery<Failure>| {
                inner.spawn(count.parked().child());
                pending::<Result<(), _>>().await
            });
            // The nursery ends by itself, with an error that gives the reason.
            let error = cx.block_on(run).unwrap().unwrap_err();
            assert_eq!((count.polls(), count.drops()), (2, 1), "all are home");
            assert_eq!(error.reason().unwrap().message(), "leave");
            count.polled();
            Ok(())
        });
        drop(work);
        eventually(|| counts.polls() == 1).await;
        n.cancel_with(Reason::new("leave"));
        Ok(())
    });
    run.await.unwrap();
    assert_eq!(counts.polls(), 3);
}

pub(super) async fn b05_never_more_than_the_limit_at_once(runtime: Runtime) {
    for limit in [1, 2, 3] {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let builder = nursery().on(&runtime).blocking_limit(limit);
        let run = builder.run(async |n: Nursery<Failure>| {
            for _ in 0..50 {
                let (now, most) = (now.clone(), most.clone());
                let work = n.blocking(move |_| {
                    let here = now.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(here, Ordering::SeqCst);
                    thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                });
                drop(work);
            }
            Ok(())
        });
        run.await.unwrap();
        let most = most.load(Ordering::SeqCst);
        assert!((1..=limit).contains(&most), "{most} at once");
    }
}

pub(super) async fn b06_cancel_ends_those_that_wait(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime).blocking_limit(1).run(async |n: Nursery<Failure>| {
        let first = n.blocking(|cx| {
            while !cx.is_cancelled() {
                thread::yield_now();
            }
            Ok(())
        });
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let guard = counts.guard();
                n.blocking(move |_| {
                    drop(guard);
                    Ok(())
                })
            })
            .collect();
        assert!(waiting[3].cancel());
        assert_eq!(counts.drops(), 1);
        n.cancel();
        assert_eq!(counts.drops(), 10);
        for child in waiting {
            let error = child.await.unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), ReasonKind::Requested);
        }
        drop(first);
        Ok(())
    });
    run.await.unwrap();
}

pub(super) async fn b08_panic_of_blocking_work(runtime: Runtime) {
    let builder = nursery().on(runtime).panics(PanicPolicy::Report);
    let run = builder.policy(Policy::Isolate).blocking_limit(1).run(async |n: Nursery<Failure>| {
        let bad = n.blocking(|cx| {
            assert!(cx.is_cancelled(), "thrown on purpose");
            Ok(())
        });
        let good = n.blocking(|_| Ok(7));
        let error = bad.await.unwrap_err();
        assert_eq!(error.panic().unwrap().message(), "thrown on purpose");
        Ok(good.await.unwrap())
    });
    assert_eq!(run.await.unwrap(), 7);
}

pub(super) async fn b09_nursery_waits_for_blocking_work(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime).run(async |n: Nursery<Failure>| {
        for _ in 0..4 {
            let (guard, count) = (counts.guard(), counts.clone());
            let work = n.blocking(move |_| {
                count.polled();
                for _ in 0..100 {
                    thread::yield_now();
                }
                drop(guard);
                Ok(())
            });
            drop(work);
        }
        eventually(|| counts.polls() > 0).await;
        n.abort();
        Ok(())
    });
    run.await.unwrap();
    assert_eq!(counts.drops(), 4);
}
