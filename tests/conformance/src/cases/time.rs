//! Clauses t..: time; h..: shields; n..: finalizers. On the runtime's own timer: nothing here says
//! how long something took, only what came first. One that has none is lent one.

use super::{Nursery, nursery};
use crate::probe::{Counts, eventually};
use allhome::cancel::{ReasonKind, cancellable};
use allhome::runtime::Runtime;
use allhome::time::remaining;
use allhome::{
    Semaphore, cancelled, fail_after, is_cancelled, move_on_after, shield, sleep, yield_now,
};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// Not long to wait for; nothing depends on its length.
const SOON: Duration = Duration::from_millis(5);
/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(3600);

pub(super) async fn t01_deadline_ends_the_nursery(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(&runtime).deadline(SOON).run(async |n: Nursery<Infallible>| {
        for _ in 0..10 {
            n.spawn(counts.parked().child());
        }
        pending::<Result<(), _>>().await
    });
    let error = run.await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.reason().unwrap().kind(), ReasonKind::Deadline);
    assert_eq!(counts.drops(), 10);
    let run = nursery().on(&runtime).deadline(LONG).run(async |n: Nursery<Infallible>| {
        let inner = n.fork(async { Ok(remaining()) }).await.unwrap();
        Ok(inner.unwrap() <= LONG && remaining().unwrap() <= LONG)
    });
    assert!(run.await.unwrap());
}

pub(super) async fn t04_deadline_is_moved_from_elsewhere(runtime: Runtime) {
    let timer = runtime.timer().clone();
    let run = nursery().on(&runtime).deadline(LONG).run(async |n: Nursery<Infallible>| {
        let mover = n.clone();
        n.spawn(async move {
            yield_now().await;
            mover.set_deadline(Some(timer.now()));
            pending().await
        });
        pending::<Result<(), _>>().await
    });
    assert!(run.await.unwrap_err().is_timeout());
}

pub(super) async fn t06_move_on_and_fail(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            // In the body, and in a task.
            assert!(scopes().await);
            assert!(n.fork(async { Ok(scopes().await) }).await.unwrap());
            Ok(())
        })
        .await
        .unwrap();
}

async fn scopes() -> bool {
    assert_eq!(move_on_after(LONG, async { 7 }).await, Some(7));
    assert_eq!(move_on_after(SOON, pending::<()>()).await, None);
    let last = move_on_after(SOON, cancelled()).await.unwrap();
    assert_eq!(last.kind(), ReasonKind::Deadline);
    let full = Semaphore::new(1);
    let _held = full.try_acquire().unwrap();
    let waits = move_on_after(SOON, full.acquire()).await;
    assert!(waits.is_none(), "what waits inside does not report the scope's end");
    let failed = fail_after(SOON, sleep(LONG)).named("case").await.unwrap_err();
    assert_eq!(failed.name(), Some("case"));
    !is_cancelled()
}

pub(super) async fn t08_scope_ends_the_nurseries_inside(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |_: Nursery<Infallible>| {
            let inside = async {
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    for _ in 0..10 {
                        n.spawn(counts.parked().child());
                    }
                    pending::<Result<(), _>>().await
                });
                inner.await
            };
            let cut = move_on_after(SOON, inside).await;
            assert!(cut.is_none(), "the scope reports its end, when all are home");
            assert_eq!(counts.drops(), 10);
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn t10_children_deadline_keeps_what_is_there(runtime: Runtime) {
    let run = nursery().on(runtime).children_deadline(SOON).run(async |n: Nursery<Infallible>| {
        let quick = n.fork(async { Ok(1) }).await.ok();
        let slow = n.fork(pending::<Result<u8, _>>()).await.ok();
        Ok((quick, slow))
    });
    let (quick, slow) = run.await.unwrap();
    assert!(quick.is_none_or(|quick| quick == 1) && slow.is_none());
}

pub(super) async fn t12_grace_is_time_to_leave(runtime: Runtime) {
    for (grace, leaves) in [(LONG, true), (SOON, false)] {
        let counts = Counts::new();
        let run = nursery().on(&runtime).grace(grace).run(async |n: Nursery<Infallible>| {
            for _ in 0..10 {
                let counts = counts.clone();
                n.spawn(async move {
                    let _guard = counts.guard();
                    cancelled().await;
                    sleep(if leaves { SOON } else { LONG }).await;
                    counts.polled();
                    Ok(())
                });
            }
            // A child that was never polled has no use for grace.
            eventually(|| n.tree().nurseries()[0].tasks.iter().all(|task| task.polls > 0)).await;
            n.cancel();
            Ok(())
        });
        run.await.unwrap();
        assert_eq!((counts.polls(), counts.drops()), (if leaves { 10 } else { 0 }, 10));
    }
}

type Log = Arc<Mutex<Vec<&'static str>>>;

fn note(log: &Log, line: &'static str) {
    log.lock().unwrap().push(line);
}

pub(super) async fn h01_shield_keeps_cancel_and_abort_away(runtime: Runtime) {
    for abort in [false, true] {
        let log = Log::default();
        let is_told = Arc::new(AtomicBool::new(false));
        nursery()
            .on(&runtime)
            .run(async |n: Nursery<Infallible>| {
                let (child_log, child, hears) = (log.clone(), n.clone(), is_told.clone());
                n.spawn(async move {
                    let protected = shield(Duration::MAX, async {
                        note(&child_log, "up");
                        // The nursery is cancelled before each of its tasks is.
                        eventually(|| hears.load(SeqCst)).await;
                        assert!(child.is_cancelled() && !is_cancelled());
                        assert!(cancellable(pending::<()>()).await.is_err());
                        for _ in 0..20 {
                            yield_now().await;
                        }
                        note(&child_log, "done");
                    });
                    protected.await;
                    assert!(is_cancelled());
                    yield_now().await;
                    note(&child_log, "after the last poll");
                    Ok(())
                });
                eventually(|| !log.lock().unwrap().is_empty()).await;
                let began = if abort { n.abort() } else { n.cancel() };
                assert!(began);
                is_told.store(true, SeqCst);
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(*log.lock().unwrap(), ["up", "done"]);
    }
}

pub(super) async fn h02_budget_is_spent(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for _ in 0..10 {
                let inside = counts.parked().child::<Infallible>();
                n.spawn(async move { shield(SOON, inside).await });
            }
            eventually(|| counts.polls() == 10).await;
            n.abort();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(counts.drops(), 10);
}

fn writes(log: &Log, line: &'static str) -> impl Future<Output = Result<(), Infallible>> + use<> {
    let log = log.clone();
    async move {
        yield_now().await;
        assert!(!is_cancelled());
        note(&log, line);
        Ok(())
    }
}

pub(super) async fn n01_finalizers_run_at_the_end(runtime: Runtime) {
    for way in 0..4 {
        let (log, counts) = (Log::default(), Counts::new());
        nursery()
            .on(&runtime)
            .run(async |inside: Nursery<Infallible>| {
                let run = nursery().run(async |n: Nursery<Infallible>| {
                    n.defer(Duration::MAX, writes(&log, "first"));
                    n.defer(Duration::MAX, writes(&log, "second"));
                    if way == 0 {
                        return Ok(());
                    }
                    n.spawn(counts.parked().child());
                    eventually(|| counts.polls() == 1).await;
                    let began = match way {
                        1 => n.cancel(),
                        2 => n.abort(),
                        _ => inside.close(),
                    };
                    assert!(began);
                    if way == 3 {
                        pending::<()>().await;
                    }
                    Ok(())
                });
                let mut run = Box::pin(run);
                if way == 3 {
                    // Dropped early: the nursery around waits for them.
                    poll_fn(|cx| {
                        assert!(run.as_mut().poll(cx).is_pending());
                        if inside.level() > allhome::cancel::Level::Running {
                            return Poll::Ready(());
                        }
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    })
                    .await;
                    drop(run);
                } else {
                    run.await.unwrap();
                    assert_eq!(log.lock().unwrap().len(), 2);
                }
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(*log.lock().unwrap(), ["second", "first"], "way {way}");
        assert_eq!(counts.drops(), usize::from(way > 0));
    }
}
