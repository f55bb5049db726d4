//! Clauses e..: how a child ends.

use super::{Nursery, nursery};
use crate::probe::{Counts, Gate, eventually};
use allhome::cancel::ReasonKind;
use allhome::error::PanicPolicy;
use allhome::runtime::Runtime;
use allhome::task::{Outcome, TaskState};
use allhome::{GroupError, Policy, Reason, is_cancelled, yield_now};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

pub(super) async fn e01_ok_gives_the_value(runtime: Runtime) {
    let text = nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let child = n.task("speaker").fork(async {
                yield_now().await;
                Ok("hello".to_string())
            });
            assert_eq!(child.name(), Some("speaker"));
            assert!(child.location().unwrap().file().ends_with("outcome.rs"));
            assert_eq!(child.id().unwrap().nursery(), n.id());
            Ok(child.await.unwrap())
        })
        .await
        .unwrap();
    assert_eq!(text, "hello");
}

pub(super) async fn e02_err_is_shared_with_the_group(runtime: Runtime) {
    let mut seen = None;
    let error = nursery()
        .on(runtime)
        .policy(Policy::WaitAll)
        .run(async |n: Nursery<String>| {
            let child = n.fork::<(), _>(async { Err("broken".to_string()) });
            seen = Some(child.await.unwrap_err());
            Ok(())
        })
        .await
        .unwrap_err();
    let seen = seen.unwrap();
    assert_eq!(error.errors().collect::<Vec<_>>(), ["broken"]);
    assert!(std::ptr::eq(error.first().error().unwrap(), seen.error().unwrap()));
    let shown = format!("{error:?}");
    let whole = error.into_error().expect_err("the joiner shares it");
    assert_eq!(format!("{whole:?}"), shown);
    drop(whole);
    let Some(Outcome::Err(alone)) = seen.into_outcome::<()>() else { panic!("not an error") };
    assert_eq!(Arc::into_inner(alone).unwrap(), "broken");
}

pub(super) async fn e03_cancelled_gives_the_reason(runtime: Runtime) {
    let counts = Counts::new();
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let child = n.fork(counts.parked().child());
            eventually(|| counts.polls() == 1).await;
            assert!(child.cancel_with(Reason::new("not wanted")));
            let error = child.await.unwrap_err();
            assert_eq!(error.reason().unwrap().message(), "not wanted");
            assert_eq!(counts.drops(), 1);
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn e04_panicked_gives_the_panic(runtime: Runtime) {
    let number = std::hint::black_box(3);
    let result: Result<(), GroupError<Infallible>> = nursery()
        .on(runtime)
        .panics(PanicPolicy::Report)
        .policy(Policy::WaitAll)
        .run(async |n| {
            let child = n.task("p").fork::<(), _>(async move { panic!("by {}", number) });
            let id = child.id();
            let error = child.await.unwrap_err();
            let panic = error.panic().unwrap();
            assert_eq!((panic.message(), panic.task(), panic.name()), ("by 3", id, Some("p")));
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    let payload = error.panics().next().unwrap().take_payload().unwrap();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "by 3");
}

pub(super) async fn e06_joined_twice_says_taken(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let mut child = n.fork(async { Ok(1) });
            assert_eq!((&mut child).await.unwrap(), 1);
            assert!((&mut child).await.unwrap_err().is_taken());
            assert!(child.try_join().unwrap().unwrap_err().is_taken());
            assert!(child.await.unwrap_err().is_taken());
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn e07_value_ready_in_the_last_poll_wins(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let counts = Counts::new();
            let count = counts.clone();
            let child = n.fork(poll_fn(move |_| {
                // Before it counts: then the cancel comes, at the earliest.
                let cancelled = is_cancelled();
                count.polled();
                if cancelled { Poll::Ready(Ok(9)) } else { Poll::Pending }
            }));
            eventually(|| counts.polls() == 1).await;
            child.cancel();
            assert_eq!(child.await.unwrap(), 9);
            assert_eq!(counts.polls(), 2);
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn e08_never_polled_is_cancelled(runtime: Runtime) {
    // They are admitted and cancelled within one poll of the body. On a runtime with threads some
    // are polled before that, or about to be; the others are destroyed by the cancel.
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let counts: Vec<_> = (0..50).map(|_| Counts::new()).collect();
            let spawned = counts.iter().map(|counts| n.fork(counts.parked().child()));
            let children: Vec<_> = spawned.collect();
            let mut unpolled = Vec::new();
            for (child, counts) in children.iter().zip(&counts) {
                child.cancel();
                unpolled.push(child.is_ended() && counts.polls() == 0);
            }
            for ((child, counts), unpolled) in children.into_iter().zip(&counts).zip(unpolled) {
                let error = child.await.unwrap_err();
                assert_eq!(error.reason().unwrap().kind(), ReasonKind::Requested);
                assert_eq!(counts.drops(), 1);
                assert!(!unpolled || counts.polls() == 0, "polled after its end");
            }
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn e09_join_before_and_after_the_end(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let gate = Gate::new();
            let wait = gate.clone();
            let mut child = n.fork(async move {
                wait.wait().await;
                Ok(1)
            });
            assert!(child.try_join().is_none());
            assert!((&mut child).now_or_never().is_none(), "nothing is lost by the drop");
            assert!((&mut child).now_or_never().is_none());
            gate.open();
            assert_eq!((&mut child).await.unwrap(), 1);
            let mut done = n.fork(async { Ok(2) });
            eventually(|| done.is_ended()).await;
            assert_eq!(done.try_join().unwrap().unwrap(), 2);
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn e10_join_of_cancelled_child_is_a_value(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            let child = n.fork(pending::<Result<(), Infallible>>());
            let joiner = n.fork(async move {
                child.cancel();
                let error = child.await.unwrap_err();
                assert!(error.reason().is_some() && !is_cancelled());
                Ok("I go on")
            });
            assert_eq!(joiner.await.unwrap(), "I go on");
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn e13_refused_child_says_why(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            n.cancel_with(Reason::new("over"));
            let mut child = n.task("late").fork(async { Ok(1) });
            assert!(child.id().is_none() && child.is_ended() && !child.cancel());
            assert_eq!(child.state(), TaskState::Ended);
            let error = (&mut child).await.unwrap_err();
            assert_eq!(error.reason().unwrap().message(), "over");
            assert!(child.await.unwrap_err().is_taken());
            Ok(())
        })
        .await
        .unwrap();
}

pub(super) async fn e16_joined_child_has_left(runtime: Runtime) {
    nursery()
        .on(runtime)
        .run(async |n: Nursery<Infallible>| {
            for i in 0..100 {
                let child = n.fork(async move {
                    if i % 2 == 1 {
                        yield_now().await;
                    }
                    Ok(i)
                });
                while i % 4 < 2 && !child.is_ended() {
                    yield_now().await;
                }
                assert_eq!(child.await.unwrap(), i);
                assert_eq!((n.len(), n.tree().tasks()), (0, 0), "joined, and still there");
            }
            Ok(())
        })
        .await
        .unwrap();
}
