//! Clauses c..: cancel and abort; x..: what may be missing or slow.

use super::{Nursery, nursery};
use crate::probe::{Counts, Gate, all_wait, eventually};
use allhome::cancel::{Level, ReasonKind, cancel_reason};
use allhome::runtime::Runtime;
use allhome::task::task_id;
use allhome::{Reason, is_cancelled, yield_now};
use allhome_rt::Task;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

pub(super) async fn c01_level_only_rises(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            assert_eq!(n.level(), Level::Running);
            n.close();
            assert_eq!(n.level(), Level::Draining);
            assert!(n.cancel());
            assert!(!n.close() && !n.cancel());
            assert_eq!(n.level(), Level::Cancelled);
            assert!(n.abort());
            assert!(!n.cancel() && !n.abort());
            assert_eq!(n.level(), Level::Aborted);
            assert_eq!(n.reason().unwrap().kind(), ReasonKind::Requested, "the first stays");
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn c02_one_last_poll_then_dropped(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for _ in 0..20 {
                n.spawn(counts.parked().child());
            }
            eventually(|| counts.polls() == 20).await;
            n.cancel();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!((counts.polls(), counts.drops()), (40, 20), "each was polled once more");
}

type Seen = Arc<Mutex<Vec<Reason>>>;

fn note_reason(n: &Nursery<Infallible>, ready: &Counts, seen: &Seen) {
    let (ready, seen) = (ready.clone(), seen.clone());
    n.spawn(poll_fn(move |_| {
        if let Some(reason) = cancel_reason() {
            seen.lock().unwrap().push(reason);
            return Poll::Ready(Ok(()));
        }
        ready.polled();
        Poll::Pending
    }));
}

pub(super) async fn c03_first_reason_wins_for_every_descendant(runtime: Runtime) {
    let (ready, seen) = (Counts::new(), Seen::default());
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            note_reason(&n, &ready, &seen);
            let (inner_ready, inner_seen) = (ready.clone(), seen.clone());
            n.spawn(async move {
                let inner = nursery().run(async |inner: Nursery<Infallible>| {
                    note_reason(&inner, &inner_ready, &inner_seen);
                    pending::<Result<(), _>>().await
                });
                let error = inner.await.unwrap_err();
                inner_seen.lock().unwrap().push(error.reason().unwrap().clone());
                Ok(())
            });
            eventually(|| ready.polls() == 2).await;
            n.cancel_with(Reason::new("first"));
            n.cancel_with(Reason::new("second"));
            Ok(())
        })
        .await
        .unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3, "a child, a grandchild, and the nursery between");
    assert!(seen.iter().all(|reason| reason.message() == "first" && reason.same(&seen[0])));
}

pub(super) async fn c04_cancel_of_a_child_reaches_its_nurseries(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let sibling = Counts::new();
            n.spawn(sibling.parked().child());
            let count = counts.clone();
            let child = n.fork(async move {
                let inner = nursery().run(async |inner: Nursery<Infallible>| {
                    inner.spawn(count.parked().child());
                    pending::<Result<(), _>>().await
                });
                Ok(inner.await.unwrap_err().reason().unwrap().message().to_string())
            });
            eventually(|| counts.polls() == 1 && sibling.polls() == 1).await;
            child.cancel_with(Reason::new("only you"));
            assert_eq!(child.await.unwrap(), "only you");
            assert_eq!((counts.polls(), counts.drops()), (2, 1));
            assert_eq!((sibling.polls(), sibling.drops()), (1, 0));
            n.cancel();
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn c05_abort_destroys_unpolled(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let one = n.fork(counts.parked().child());
            for _ in 0..20 {
                n.spawn(counts.parked().child());
            }
            // A poll may have counted and not be over.
            eventually(|| counts.polls() == 21 && all_wait(&n.tree())).await;
            assert!(one.abort());
            assert_eq!(counts.drops(), 1);
            let error = one.await.unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), ReasonKind::Aborted);
            n.abort();
            assert!(n.is_empty());
            assert_eq!((counts.polls(), counts.drops()), (21, 21));
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn c07_joining_is_not_cut_short(runtime: Runtime) {
    let ended = Arc::new(AtomicBool::new(false));
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let ready = Gate::new();
            let (end, tell) = (ended.clone(), ready.clone());
            n.spawn(async move {
                let inner = nursery().run(async |inner: Nursery<Infallible>| {
                    // Takes a few polls to leave after the cancel.
                    inner.spawn(poll_fn(move |_| {
                        tell.open();
                        if is_cancelled() { Poll::Ready(Ok(())) } else { Poll::Pending }
                    }));
                    Ok(())
                });
                assert!(inner.await.is_ok(), "the inner child came to its own end");
                end.store(true, Ordering::SeqCst);
                Ok(())
            });
            ready.wait().await;
            n.cancel();
            Ok(())
        })
        .await
        .unwrap();
    assert!(ended.load(Ordering::SeqCst), "the task went on after its inner nursery had closed");
}

pub(super) async fn c08_a_task_can_ask(runtime: Runtime) {
    assert!(!is_cancelled() && cancel_reason().is_none() && task_id().is_none());
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            assert!(!is_cancelled() && task_id().is_none(), "the body is no task");
            let child = n.fork(async { Ok((task_id(), is_cancelled())) });
            let id = child.id();
            assert_eq!(child.await.unwrap(), (id, false));
            n.cancel_with(Reason::new("asked"));
            assert!(is_cancelled());
            assert_eq!(cancel_reason().unwrap().message(), "asked");
            Ok(())
        })
        .await
        .unwrap();
    assert!(!is_cancelled());
}

pub(super) async fn c09_nursery_opened_in_a_cancelled_task(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            n.cancel_with(Reason::new("too late"));
            let inner = nursery().run(async |inner: Nursery<Infallible>| {
                assert!(inner.is_cancelled());
                assert!(inner.spawn(counts.parked().child()).refused().is_some());
                Ok(inner.reason().unwrap().message().to_string())
            });
            assert_eq!(inner.await.unwrap(), "too late");
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!((counts.polls(), counts.drops()), (0, 1));
}

pub(super) async fn x05_blocked_child_holds_up_nobody_in_the_queue(runtime: Runtime) {
    nursery()
        .on(&runtime)
        .run(async |n: Nursery<Infallible>| {
            let is_open = Arc::new(AtomicBool::new(false));
            for i in 0..10 {
                let open = is_open.clone();
                n.spawn(async move {
                    if i == 0 {
                        while !open.load(Ordering::SeqCst) {
                            std::thread::yield_now();
                        }
                    } else if i == 9 {
                        open.store(true, Ordering::SeqCst);
                    }
                    Ok(())
                });
            }
            // A worker that is about to sleep while another searches may miss a task (tokio's): it
            // finds that when anything else is spawned. Seldom, or what is spawned would pile up.
            let mut turns = 0_u64;
            while !is_open.load(Ordering::SeqCst) {
                turns += 1;
                if turns.is_power_of_two() {
                    runtime.spawn(Task::from_future(async {}));
                }
                yield_now().await;
            }
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn x08_blocking_work_is_a_child(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<String>| {
            let guard = counts.guard();
            let child = n.task("job").blocking(move |_| {
                drop(guard);
                Ok((6, task_id()))
            });
            let id = child.id();
            assert_eq!(child.await.unwrap(), (6, id));
            assert_eq!(counts.drops(), 1);
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn x08_blocking_work_is_told(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<String>| {
            let seen = n.blocking(|_| {
                while !is_cancelled() {
                    std::thread::yield_now();
                }
                Ok(cancel_reason().unwrap().message().to_string())
            });
            eventually(|| n.tree().nurseries()[0].tasks[0].polls == 1).await;
            seen.cancel_with(Reason::new("leave"));
            assert_eq!(seen.await.unwrap(), "leave");
            Ok(())
        })
        .await
        .unwrap();
}
