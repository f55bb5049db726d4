//! Clauses f22.. to f28..: which errors say once more what is known, and which are failures.

use super::{Nursery, nursery};
use crate::probe::{Counts, eventually};
use allhome::cancel::ReasonKind;
use allhome::error::PanicPolicy;
use allhome::runtime::Runtime;
use allhome::{Child, GroupError, Policy, Reason, cancelled, yield_now};
use std::future::pending;

type Text = Result<u32, String>;

/// Waits for a child, and says why it has no value in its own words.
async fn use_of(child: Child<u32, String>) -> Text {
    child.await.map_err(|error| format!("no part: {error}"))
}

async fn failing() -> Text {
    yield_now().await;
    Err("no such file".to_string())
}

fn failures<R: std::fmt::Debug>(result: Result<R, GroupError<String>>) -> Vec<String> {
    let error = result.unwrap_err();
    error.failures().map(|failure| failure.to_string()).collect()
}

pub(super) async fn f22_echo_of_a_cancel_is_no_failure(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime).run(async |n: Nursery<String>| {
        let (count, index) = (counts.clone(), n.fork(pending::<Text>()));
        n.spawn(async move {
            count.polled();
            use_of(index).await.map(drop)
        });
        let count = counts.clone();
        let alone = n.fork::<(), _>(async move {
            count.polled();
            cancelled().await;
            yield_now().await;
            Err("its own words".to_string())
        });
        eventually(|| counts.polls() == 2).await;
        alone.cancel_with(Reason::new("enough"));
        let error = alone.await.unwrap_err();
        assert_eq!(error.reason().unwrap().message(), "enough", "it has ended as cancelled");
        assert!(!n.is_cancelled());
        n.cancel();
        Ok("stopped in good order")
    });
    assert_eq!(run.await.unwrap(), "stopped in good order");
}

pub(super) async fn f22_failure_of_the_task_that_asked(runtime: Runtime) {
    let run = nursery().on(runtime).run(async |n: Nursery<String>| {
        let own = n.clone();
        n.task("fatal").spawn(async move {
            own.cancel();
            Err("disk full".to_string())
        });
        pending::<Result<(), _>>().await
    });
    assert_eq!(failures(run.await), ["task `fatal` failed: disk full"]);
}

pub(super) async fn f23_one_failure_is_listed_once(runtime: Runtime) {
    for policy in [Policy::FailFast, Policy::WaitAll] {
        let run = nursery().on(runtime.clone()).policy(policy).run(async |n: Nursery<String>| {
            let first = n.task("reader").fork(failing());
            let second = n.fork(use_of(first));
            use_of(n.fork(use_of(second))).await
        });
        assert_eq!(failures(run.await), ["task `reader` failed: no such file"]);
    }
}

pub(super) async fn f24_error_of_the_body_is_not_lost(runtime: Runtime) {
    let run = nursery().on(runtime).run(async |n: Nursery<String>| {
        n.spawn(pending());
        n.cancel();
        Err::<(), _>("giving up".to_string())
    });
    assert_eq!(failures(run.await), ["the body failed: giving up"]);
}

pub(super) async fn f25_what_counts_in_any_case(runtime: Runtime) {
    let counts = Counts::new();
    let builder = nursery().on(runtime).panics(PanicPolicy::Report);
    let run = builder.run(async |n: Nursery<String>| {
        let (own, count) = (n.clone(), counts.clone());
        n.task("writer").spawn(async move {
            count.polled();
            let why = cancelled().await;
            assert!(own.fail("3 records lost".to_string()));
            Err(why.to_string())
        });
        eventually(|| counts.polls() == 1).await;
        n.cancel();
        Ok(())
    });
    assert_eq!(failures(run.await), ["task `writer` failed: 3 records lost"]);
}

pub(super) async fn f26_echoes_are_beside_the_failures(runtime: Runtime) {
    let counts = Counts::new();
    let run = nursery().on(runtime).run(async |n: Nursery<String>| {
        let count = counts.clone();
        n.task("late").spawn(async move {
            count.polled();
            cancelled().await;
            Err("an echo".to_string())
        });
        eventually(|| counts.polls() == 1).await;
        Err::<(), _>("stop".to_string())
    });
    let error = run.await.unwrap_err();
    assert_eq!((error.failures().len(), error.cancelled_count()), (1, 1));
    let echoes: Vec<_> = error.echoes().map(|echo| echo.to_string()).collect();
    assert_eq!(
        (echoes, error.omitted_echo_count()),
        (vec!["task `late` failed: an echo".into()], 0)
    );
}

pub(super) async fn f28_value_or_the_end_of_the_task(runtime: Runtime) {
    let run = nursery().on(runtime.clone()).run(async |n: Nursery<String>| {
        let part = n.fork(async { Ok(1) });
        let next = n.fork(async move { Ok(part.value().await + 1) });
        Ok(next.value().await + 1)
    });
    assert_eq!(run.await.unwrap(), 3);
    let counts = Counts::new();
    let run = nursery().on(runtime.clone()).run(async |n: Nursery<String>| {
        let (part, guard) = (n.task("reader").fork(failing()), counts.guard());
        let next = n.fork(async move {
            let _guard = guard;
            Ok(part.value().await + 1)
        });
        Ok(next.value().await + 1)
    });
    assert_eq!(failures(run.await), ["task `reader` failed: no such file"]);
    assert_eq!(counts.drops(), 1, "it is dropped where it waits");
    let run = nursery().on(runtime).run(async |n: Nursery<String>| {
        let part = n.task("part").fork(pending::<Text>());
        part.cancel();
        Ok(n.task("user").fork(async move { Ok(part.value().await) }).value().await)
    });
    let error = run.await.unwrap_err();
    assert_eq!((error.failures().len(), error.first().name()), (1, Some("user")));
    let allhome::error::Cause::NoValue(reason) = error.first().cause() else { panic!("{error}") };
    assert_eq!((reason.kind(), reason.by()), (ReasonKind::NoValue, error.first().task()));
    assert!(reason.cause().is_some(), "that of the cancel");
}
