//! Clauses f..: what a failure does, and what is reported.

use super::{Nursery, nursery};
use crate::probe::{Counts, DropPanics, Gate, eventually};
use allhome::cancel::ReasonKind;
use allhome::error::{Cause, PanicPolicy};
use allhome::runtime::Runtime;
use allhome::{GroupError, Policy, yield_now};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::pending;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex};

type Failed = Result<(), GroupError<String>>;

pub(super) async fn f01_first_error_cancels_siblings_and_body(runtime: Runtime) {
    let counts = Counts::new();
    let result: Failed = nursery()
        .on(runtime)
        .run(async |n| {
            for _ in 0..10 {
                n.spawn(counts.parked().child());
            }
            eventually(|| counts.polls() == 10).await;
            n.task("bad").spawn(async { Err("no".to_string()) });
            let _guard = counts.guard();
            pending().await
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(counts.drops(), 11, "ten siblings, and the body");
    assert_eq!(error.first().name(), Some("bad"));
    assert_eq!((error.cancelled_count(), error.failures().len()), (10, 1));
    assert_eq!(error.into_error().unwrap(), "no");
}

pub(super) async fn f02_failures_in_order_of_ending(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .policy(Policy::WaitAll)
        .run(async |n| {
            let gates: Vec<_> = (0..5).map(|_| Gate::new()).collect();
            let numbered = gates.iter().cloned().enumerate();
            let children: Vec<_> = numbered
                .map(|(i, gate)| {
                    n.fork(async move {
                        gate.wait().await;
                        Err::<(), _>(format!("{i}"))
                    })
                })
                .collect();
            for (left, (gate, child)) in gates.iter().zip(children).enumerate().rev() {
                gate.open();
                let _ = child.await;
                assert_eq!(n.len(), left, "the child has left, and its failure is recorded");
            }
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.errors().collect::<Vec<_>>(), ["4", "3", "2", "1", "0"]);
}

pub(super) async fn f03_failures_are_bounded_and_counted(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .policy(Policy::WaitAll)
        .keep_failures(3)
        .run(async |n| {
            for _ in 0..10 {
                n.spawn(async { Err("x".to_string()) });
            }
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!((error.failures().len(), error.omitted_count()), (3, 7));
    assert!(error.to_string().contains("and 9 more"), "{error}");
}

pub(super) async fn f04_cancelled_children_are_counted(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .run(async |n| {
            for _ in 0..6 {
                n.spawn(pending());
            }
            Err("stop".to_string())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!((error.failures().len(), error.cancelled_count()), (1, 6));
}

pub(super) async fn f05_always_the_group_type(runtime: Runtime) {
    let result: Failed = nursery().on(runtime).run(async |_| Err("alone".to_string())).await;
    let error = result.unwrap_err();
    assert!(error.first().task().is_none(), "it was the body");
    assert!(matches!(error.into_first().into_cause(), Cause::Error(text) if *text == "alone"));
}

pub(super) async fn f06_wait_all_cancels_nobody(runtime: Runtime) {
    let counts = Counts::new();
    let open = nursery().on(runtime).policy(Policy::WaitAll);
    let result: Failed = open
        .run(async |n| {
            let gate = Gate::new();
            for _ in 0..5 {
                let (gate, counts) = (gate.clone(), counts.clone());
                n.spawn(async move {
                    gate.wait().await;
                    counts.polled();
                    Ok(())
                });
            }
            let bad = n.fork::<(), _>(async { Err("bad".to_string()) });
            let _ = bad.await;
            assert!(!n.is_cancelled());
            gate.open();
            eventually(|| n.is_empty()).await;
            yield_now().await; // In the poll of the join it would be an echo (F23).
            Err("body".to_string())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(counts.polls(), 5, "all came to their own end");
    assert_eq!(error.errors().collect::<Vec<_>>(), ["bad", "body"]);
    assert_eq!(error.cancelled_count(), 0);
}

pub(super) async fn f07_isolate_gives_failure_to_the_joiner(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .policy(Policy::Isolate)
        .panics(PanicPolicy::Report)
        .run(async |n| {
            let bad = n.fork::<(), _>(async { Err("mine".to_string()) });
            let worse = n.fork::<(), _>(async { panic!("mine too") });
            assert_eq!(bad.await.unwrap_err().error().unwrap(), "mine");
            assert_eq!(worse.await.unwrap_err().panic().unwrap().message(), "mine too");
            assert!(!n.is_cancelled());
            Ok(())
        })
        .await;
    result.unwrap();
}

pub(super) async fn f08_isolate_reports_what_nobody_looked_at(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .policy(Policy::Isolate)
        .run(async |n| {
            n.spawn(async { Err("spawned".to_string()) });
            eventually(|| n.is_empty()).await;
            let bad = n.fork::<(), _>(async { Err("dropped".to_string()) });
            eventually(|| bad.is_ended()).await;
            drop(bad);
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.errors().collect::<Vec<_>>(), ["spawned", "dropped"]);
}

pub(super) async fn f09_panic_resumes_after_the_join(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        n.spawn(counts.parked().child());
        n.spawn(async { panic!("first") });
        pending::<Result<(), _>>().await
    });
    let payload = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "first");
    assert_eq!(counts.drops(), 1, "the sibling was home before");
}

pub(super) async fn f10_panic_is_reported_by_policy(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .panics(PanicPolicy::Report)
        .run(async |n| {
            n.task("p").spawn(async { panic!("told") });
            pending().await
        })
        .await;
    let error = result.unwrap_err();
    assert!(matches!(error.first().cause(), Cause::Panic(_)));
    assert!(error.to_string().ends_with("task `p` panicked: told"), "{error}");
}

pub(super) async fn f11_on_panic_is_called_at_the_moment(runtime: Runtime) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = seen.clone();
    let result: Failed = nursery()
        .on(runtime)
        .policy(Policy::WaitAll)
        .panics(PanicPolicy::Report)
        .on_panic(move |panic| note.lock().unwrap().push(panic.message().to_string()))
        .run(async |n| {
            n.spawn(async { panic!("one") });
            eventually(|| seen.lock().unwrap().len() == 1).await;
            Ok(())
        })
        .await;
    assert!(result.is_err());
    assert_eq!(*seen.lock().unwrap(), ["one"]);
}

pub(super) async fn f12_panic_in_a_destructor_is_a_panic_of_the_child(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .policy(Policy::WaitAll)
        .panics(PanicPolicy::Report)
        .run(async |n| {
            n.spawn(async {
                let _late = DropPanics("at the end");
                Ok(())
            });
            let counts = Counts::new();
            let count = counts.clone();
            let cut = n.fork::<(), _>(async move {
                let _late = DropPanics("when cut off");
                count.polled();
                pending().await
            });
            eventually(|| counts.polls() == 1).await;
            cut.abort();
            let error = cut.await.unwrap_err();
            assert_eq!(error.panic().unwrap().message(), "when cut off");
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    let mut messages: Vec<_> = error.panics().map(|panic| panic.message()).collect();
    messages.sort_unstable();
    assert_eq!(messages, ["at the end", "when cut off"]);
}

/// Panics in its poll, and again in its destructor, which runs after the poll's unwinding.
struct PanicsTwice(Option<DropPanics>);

impl Future for PanicsTwice {
    type Output = Result<(), String>;
    fn poll(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        assert!(self.0.is_none(), "in poll");
        std::task::Poll::Pending
    }
}

pub(super) async fn f13_panic_in_poll_and_destructor_are_both_kept(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .panics(PanicPolicy::Report)
        .run(async |n| {
            n.spawn(PanicsTwice(Some(DropPanics("in drop"))));
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    let messages: Vec<_> = error.panics().map(|panic| panic.message()).collect();
    assert_eq!(messages, ["in poll", "in drop"]);
}

pub(super) async fn f14_panic_of_the_body_joins_first(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime.clone()).run(async |n: Nursery<Infallible>| {
        n.spawn(counts.parked().child());
        eventually(|| counts.polls() == 1).await;
        panic!("the body");
        #[allow(unreachable_code, reason = "it gives the block its type")]
        Ok(())
    });
    let payload = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "the body");
    assert_eq!(counts.drops(), 1);
    let call = nursery()
        .on(runtime)
        .run(|_| -> std::future::Ready<Result<(), Infallible>> { panic!("no future even") });
    let payload = AssertUnwindSafe(call).catch_unwind().await.unwrap_err();
    assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "no future even");
}

pub(super) async fn f15_panic_of_the_hook_is_dropped(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .panics(PanicPolicy::Report)
        .on_panic(|_| panic!("the hook"))
        .run(async |n| {
            n.spawn(async { panic!("the child") });
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    let messages: Vec<_> = error.panics().map(|panic| panic.message()).collect();
    assert_eq!(messages, ["the child"]);
}

pub(super) async fn f16_failing_body_cancels_children(runtime: Runtime) {
    let counts = Counts::new();
    let reason = Arc::new(Mutex::new(None));
    let put = reason.clone();
    let result: Failed = nursery()
        .on(runtime)
        .run(async |n| {
            let seen = put;
            let child = n.fork::<(), _>(counts.parked().child());
            eventually(|| counts.polls() == 1).await;
            n.spawn(std::future::poll_fn(move |cx| {
                *seen.lock().unwrap() = allhome::cancel::cancel_reason();
                let waiting = seen.lock().unwrap().is_none();
                if waiting {
                    cx.waker().wake_by_ref();
                    return std::task::Poll::Pending;
                }
                std::task::Poll::Ready(Ok(()))
            }));
            drop(child);
            Err("body".to_string())
        })
        .await;
    assert_eq!(result.unwrap_err().into_error().unwrap(), "body");
    assert_eq!(counts.drops(), 1);
    if let Some(reason) = &*reason.lock().unwrap() {
        assert_eq!(reason.kind(), ReasonKind::BodyFailed);
    }
}

pub(super) async fn f17_converts_with_the_question_mark(runtime: Runtime) {
    async fn inner(runtime: Runtime) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        nursery()
            .on(runtime)
            .name("q")
            .run(async |n: Nursery<String>| {
                n.task("t").spawn(async { Err("why".to_string()) });
                Ok(())
            })
            .await?;
        Ok(())
    }
    let error = inner(runtime).await.unwrap_err();
    assert_eq!(error.to_string(), "nursery `q`: task `t` failed: why");
    assert!(error.downcast_ref::<GroupError<String>>().is_some());
}

pub(super) async fn f19_payload_that_panics_in_drop(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .panics(PanicPolicy::Report)
        .run(async |n| {
            n.spawn(async { resume_unwind(Box::new(DropPanics("the payload"))) });
            Ok(())
        })
        .await;
    assert_eq!(result.unwrap_err().panics().count(), 1);
}

pub(super) async fn f20_value_that_panics_in_drop(runtime: Runtime) {
    let result: Failed = nursery()
        .on(runtime)
        .policy(Policy::WaitAll)
        .panics(PanicPolicy::Report)
        .run(async |n| {
            let gate = Gate::new();
            let wait = gate.clone();
            let child = n.fork(async move {
                wait.wait().await;
                Ok(DropPanics("the value"))
            });
            drop(child);
            gate.open();
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.panics().next().unwrap().message(), "the value");
}

pub(super) async fn f21_body_of_cancelled_nursery_that_returns_ok_wins(runtime: Runtime) {
    let result: Result<i32, GroupError<String>> = nursery()
        .on(runtime.clone())
        .run(async |n| {
            n.spawn(pending());
            n.cancel();
            Ok(4)
        })
        .await;
    assert_eq!(result.unwrap(), 4);
    let cut: Result<(), GroupError<String>> = nursery()
        .on(runtime)
        .run(async |n| {
            n.cancel_with(allhome::Reason::new("cut"));
            pending().await
        })
        .await;
    assert_eq!(cut.unwrap_err().reason().unwrap().message(), "cut");
}
