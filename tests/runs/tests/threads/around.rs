//! A thread scope in a task: what is around it, and what cancels it.

use crate::Calm;
use allhome::cancel::ReasonKind;
use allhome::error::Cause;
use allhome::in_place::ScopeChild;
use allhome::runtime::ThreadPool;
use allhome::task::NurseryInfo;
use allhome::task::ScopedKey;
use allhome::time::before_deadline;
use allhome::{
    CancelToken, Nursery, Scope, ThreadScope, Tokio, block_on, cancelled, move_on_after, nursery,
    scope, shield, thread_scope,
};
use allhome_runs::within;
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn i47_it_is_cancelled_with_the_task_around() {
    let kind = within(|| {
        let (tell, told) = channel();
        let run = nursery().run(async |n: Nursery<Infallible>| {
            let inner = n.clone();
            n.go(async move {
                let run = thread_scope().run(async |s: Calm<'_>| {
                    s.go(async {
                        inner.cancel();
                    });
                    s.go(pending());
                    pending::<Result<(), _>>().await
                });
                let kind = run.err().and_then(|error| Some(error.reason()?.kind()));
                tell.send(kind).expect("it is received");
            });
            Ok(())
        });
        drop(block_on(run));
        told.recv()
    });
    assert_eq!(kind, Ok(Some(ReasonKind::Requested)));
}

#[test]
fn i47_it_is_cancelled_with_the_cancel_scope_around() {
    // The scope's own future is not polled while the call blocks.
    let ended = within(|| {
        let run = nursery().run(async |_: Nursery<Infallible>| {
            Ok(move_on_after(Duration::from_millis(5), async {
                let run = thread_scope().run(async |s: Calm<'_>| {
                    s.go(pending());
                    pending::<Result<(), _>>().await
                });
                run.is_err()
            })
            .await)
        });
        block_on(run)
    });
    assert_ne!(ended.ok(), Some(Some(false)));
}

/// A thread scope that waits for ever. Returns why it was cancelled.
fn waits() -> Option<ReasonKind> {
    let run = thread_scope().threads(1).run(async |s: Calm<'_>| {
        s.go(pending());
        pending::<Result<(), _>>().await
    });
    run.err()?.reason().map(|reason| reason.kind())
}

const SOON: Duration = Duration::from_millis(5);

#[test]
fn i47_it_is_cancelled_by_each_deadline_around() {
    within(|| {
        let long = SOON * 1_000;
        let before = nursery()
            .deadline(long + SOON)
            .run(async |_: Nursery<Infallible>| Ok(before_deadline(long, async { waits() }).await));
        // The call returns in the scope's last poll, in which a value that is ready wins.
        let ended = block_on(before).map(|ended| ended.ok().flatten());
        assert_eq!(ended.ok().flatten(), Some(ReasonKind::Deadline));
        let in_place = scope().deadline(SOON).run(async |s: Scope<'_, Infallible>| {
            s.go(async { assert_eq!(waits(), Some(ReasonKind::Deadline)) });
            Ok(())
        });
        drop(block_on(in_place));
        let children = scope().children_deadline(SOON).run(async |s: Scope<'_, Infallible>| {
            s.go(async { assert_eq!(waits(), Some(ReasonKind::Deadline)) });
            Ok(())
        });
        drop(block_on(children));
        let around = nursery().deadline(SOON).thread_scope().threads(1);
        let around = around.run(async |s: Calm<'_>| {
            s.go(async { assert_eq!(waits(), Some(ReasonKind::Deadline)) });
            Ok(())
        });
        drop(around);
    });
}

#[test]
fn i47_a_shield_holds_its_cancel_back_and_no_longer() {
    let kind = within(|| {
        let (tell, told) = channel();
        let run = nursery().run(async |n: Nursery<Infallible>| {
            let inner = n.clone();
            n.go(async move {
                inner.cancel();
                shield(SOON, async { tell.send(waits()).expect("it is received") }).await;
            });
            Ok(())
        });
        drop(block_on(run));
        told.recv()
    });
    assert_eq!(kind, Ok(Some(ReasonKind::Requested)));
}

/// The child of a scope in place that a thread scope is called in.
type Blocked = Arc<Mutex<Option<ScopeChild<(), Infallible>>>>;

#[test]
fn i47_it_is_cancelled_with_the_scope_in_place_around() {
    for way in 0..3 {
        let ended = within(move || {
            let (token, ended) = (CancelToken::new(), AtomicBool::new(false));
            let (token, ended) = (&token, &ended);
            let run = scope().token(token).run(async |s: Scope<'_, Infallible>| {
                let (inner, kept) = (s.clone(), Blocked::default());
                let own = kept.clone();
                let child = s.fork(async move {
                    let run = thread_scope().run(async |t: Calm<'_>| {
                        t.go(async {
                            let cancelled = match way {
                                0 => token.cancel(),
                                1 => inner.cancel(),
                                _ => own
                                    .lock()
                                    .is_ok_and(|own| own.as_ref().is_some_and(|c| c.cancel())),
                            };
                            assert!(cancelled);
                        });
                        pending::<Result<(), _>>().await
                    });
                    ended.store(run.is_err(), Ordering::Relaxed);
                    Ok(())
                });
                *kept.lock().expect("no panic") = Some(child);
                Ok(())
            });
            drop(block_on(run));
            ended.load(Ordering::Relaxed)
        });
        assert!(ended, "way {way}");
    }
}

#[test]
fn i47_a_token_and_a_deadline_end_it() {
    within(|| {
        let token = CancelToken::new();
        let run = nursery().token(&token).thread_scope().run(async |s: Calm<'_>| {
            s.go(async {
                token.cancel();
            });
            pending::<Result<(), _>>().await
        });
        assert!(run.is_err());
        let run = nursery().deadline(Duration::from_millis(5)).thread_scope();
        let run = run.run(async |s: Calm<'_>| {
            s.go(async { drop(cancelled().await) });
            pending::<Result<(), _>>().await
        });
        let reason = run.unwrap_err().reason().map(|reason| reason.kind());
        assert_eq!(reason, Some(ReasonKind::Deadline));
    });
}

#[test]
fn i47_it_is_listed_inside_of_the_task() {
    let names = within(|| {
        let run = nursery().name("outer").run(async |n: Nursery<Infallible>| {
            let scope = nursery().name("inner").thread_scope();
            let run = scope.run(async |s: Calm<'_>| {
                s.task("child").go(pending());
                let tree = n.tree();
                s.cancel();
                Ok(tree)
            });
            Ok(run.ok())
        });
        let tree = block_on(run).ok().flatten().expect("it has seen the tree");
        let name = |nursery: &NurseryInfo| nursery.name.as_deref().map(String::from);
        tree.nurseries().iter().map(name).collect::<Vec<_>>()
    });
    assert_eq!(names, [Some("outer".into()), Some("inner".into())]);
}

#[test]
fn i47_children_have_the_values_of_the_place() {
    static DEPTH: ScopedKey<u32> = ScopedKey::new();
    let run = DEPTH.sync_scope(7, || {
        thread_scope().run(async |s: Calm<'_>| {
            let child = s.fork(async { Ok(DEPTH.get()) });
            Ok(child.await.ok().flatten())
        })
    });
    assert_eq!(run.ok().flatten().as_deref(), Some(&7));
}

#[test]
fn i48_a_runtime_that_is_not_there_is_an_error() {
    let run = nursery().on(Tokio).thread_scope().run(async |_: Calm<'_>| Ok(()));
    let error = run.unwrap_err();
    assert!(matches!(error.first().cause(), Cause::NoRuntime(_)), "{error}");
}

#[test]
fn i48_a_pool_that_has_ended_leaves_all_to_the_caller() {
    let pool = ThreadPool::new(1).expect("it starts");
    pool.shutdown();
    let run = nursery()
        .on(&pool)
        .thread_scope()
        .run(async |s: ThreadScope<'_, &str>| Ok(s.fork(async { Ok(7) }).await.unwrap_or(0)));
    assert_eq!(run.unwrap_or(0), 7);
}
