//! Clauses f30 to f35: what a nursery that serves does with failures.

use super::{Nursery, nursery};
use crate::probe::{Counts, eventually};
use allhome::Policy;
use allhome::error::{FailureInfo, PanicPolicy};
use allhome::runtime::Runtime;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a hook for failures was told.
type Told = Arc<Mutex<Vec<String>>>;

fn noting(told: &Told) -> impl Fn(&FailureInfo<'_>) + Send + Sync + 'static {
    let told = told.clone();
    move |failure| told.lock().unwrap().push(format!("{failure:#}"))
}

pub(super) async fn f30_supervise_tells_counts_and_forgets(runtime: Runtime) {
    let told = Told::default();
    let server = nursery().on(runtime.clone()).policy(Policy::Supervise).on_failure(noting(&told));
    let run = server.run(async |n: Nursery<String>| {
        for i in 0..4 {
            n.task(format!("connection {i}")).spawn(async move {
                match i {
                    1 => Err("reset by peer".to_string()),
                    2 => panic!("a bug"),
                    _ => Ok(()),
                }
            });
        }
        eventually(|| n.is_empty()).await;
        assert_eq!(told.lock().unwrap().len(), 2, "told at once");
        assert!(!n.is_cancelled());
        Ok("4 connections served")
    });
    let settled = run.settle().await;
    assert_eq!(settled.forgotten, 2);
    assert_eq!(settled.into_result().unwrap(), "4 connections served");
    let mut told = std::mem::take(&mut *told.lock().unwrap());
    told.sort();
    let expected =
        ["task `connection 1` failed: reset by peer", "task `connection 2` panicked: a bug"];
    assert_eq!(told, expected);

    let counts = Counts::new();
    let run = nursery().on(runtime).policy(Policy::Supervise).run(async |n: Nursery<String>| {
        n.spawn(async { Err("forgotten".into()) });
        n.spawn(counts.parked().child());
        eventually(|| counts.polls() == 1 && n.len() == 1).await;
        Err::<(), _>("giving up".into())
    });
    let error = run.await.unwrap_err();
    assert_eq!(error.errors().collect::<Vec<_>>(), ["giving up"]);
    assert_eq!((error.forgotten_count(), error.cancelled_count()), (1, 1));
    assert_eq!(counts.drops(), 1);
}

pub(super) async fn f31_supervise_gives_failure_to_the_joiner(runtime: Runtime) {
    let told = Told::default();
    let server = nursery().on(runtime).policy(Policy::Supervise).on_failure(noting(&told));
    let run = server.run(async |n: Nursery<String>| {
        let joined = n.fork::<(), _>(async { Err("mine".to_string()) });
        assert_eq!(joined.await.unwrap_err().error().unwrap(), "mine");
        let unseen = n.task("unseen").fork::<(), _>(async { Err("dropped".to_string()) });
        eventually(|| unseen.is_ended()).await;
        assert!(told.lock().unwrap().is_empty(), "it may still be joined");
        drop(unseen);
        assert_eq!(*told.lock().unwrap(), ["task `unseen` failed: dropped"]);
        // Its handle is gone first.
        drop(n.task("early").fork::<(), _>(async { Err("early".to_string()) }));
        Ok(n)
    });
    let settled = run.settle().await;
    assert!(settled.error.is_none());
    assert_eq!(settled.forgotten, 2);
    assert_eq!(told.lock().unwrap()[1..], ["task `early` failed: early"]);
}

pub(super) async fn f32_panic_under_supervise(runtime: Runtime) {
    let panics = async |n: Nursery<String>| {
        let child = n.spawn(async { panic!("a bug") });
        assert!(child.is_admitted());
        eventually(|| n.is_empty()).await;
        assert!(!n.is_cancelled());
        Ok(1)
    };
    let server = || nursery().on(runtime.clone()).policy(Policy::Supervise);
    assert_eq!(server().run(panics).await.unwrap(), 1);
    let resumed = AssertUnwindSafe(server().panics(PanicPolicy::Resume).run(panics)).catch_unwind();
    assert_eq!(*resumed.await.unwrap_err().downcast_ref::<&str>().unwrap(), "a bug");
}

pub(super) async fn f33_every_failure_is_told(runtime: Runtime) {
    for policy in [Policy::FailFast, Policy::WaitAll, Policy::Isolate, Policy::Supervise] {
        let told = Told::default();
        let (note, handle) =
            (noting(&told), Arc::new(Mutex::new(None::<allhome::Nursery<String>>)));
        let seen = handle.clone();
        let builder = nursery().on(runtime.clone()).policy(policy).panics(PanicPolicy::Report);
        let builder = builder.keep_failures(1).on_failure(move |failure| {
            note(failure);
            let n = seen.lock().unwrap().clone().expect("the body has set it");
            // A lock that is held here would hang, or be found by its own assertion.
            assert!(!n.tree().nurseries().is_empty());
            assert_eq!(failure.panic().is_some(), failure.to_string().contains("panicked"));
            assert!(!failure.is_echo() && failure.error().is_none());
            panic!("a hook");
        });
        let run = builder.run(async |n: Nursery<String>| {
            *handle.lock().unwrap() = Some(allhome::Nursery::clone(&n));
            n.task("child").spawn(async { Err("one".into()) });
            eventually(|| n.is_empty()).await;
            let _ = n.defer(Duration::from_secs(60), async { Err("three".to_string()) });
            Err::<(), _>("two".to_string())
        });
        assert!(run.await.is_err());
        let told = told.lock().unwrap();
        // By the first, the nursery may be cancelled before the body comes to its error.
        assert_eq!(told[0], "task `child` failed: one", "{policy:?}");
        if policy != Policy::FailFast {
            assert_eq!(told[1], "the body failed: two", "{policy:?}");
            assert!(told.len() == 2 || told[2].ends_with("failed: three"), "{told:?}");
        }
        handle.lock().unwrap().take();
    }
}

pub(super) async fn f34_nursery_inside_has_a_hook_of_its_own(runtime: Runtime) {
    let told = Told::default();
    let server = nursery().on(runtime).policy(Policy::Supervise).on_failure(noting(&told));
    let run = server.run(async |n: Nursery<String>| {
        n.task("handled").spawn(async {
            let inside = nursery().run(async |n: Nursery<String>| {
                n.spawn(async { Err("inside".into()) });
                Ok(())
            });
            assert!(inside.await.is_err());
            Ok(())
        });
        eventually(|| n.is_empty()).await;
        assert!(told.lock().unwrap().is_empty(), "handled where it happened");
        n.task("passed on").spawn(async {
            let inside =
                nursery().name("inside").run(async |_: Nursery<String>| Err::<(), _>("x".into()));
            inside.await.map_err(|error| error.to_string())
        });
        Ok(())
    });
    run.await.unwrap();
    let line = "task `passed on` failed: nursery `inside`: the body failed: x";
    assert_eq!(*told.lock().unwrap(), [line]);
}

pub(super) async fn f35_settle_keeps_the_value(runtime: Runtime) {
    let run =
        nursery().on(runtime.clone()).policy(Policy::WaitAll).run(async |n: Nursery<String>| {
            n.spawn(async { Err("no".to_string()) });
            Ok(7)
        });
    let settled = run.settle().await;
    assert_eq!((settled.value, settled.echoes.len(), settled.forgotten), (Some(7), 0, 0));
    assert_eq!(settled.error.unwrap().first().error().unwrap(), "no");

    let run = nursery().on(runtime).run(async |_: Nursery<String>| Err::<(), _>("no".to_string()));
    let settled = run.settle().await;
    assert!(settled.value.is_none());
    assert_eq!(settled.into_result().unwrap_err().into_error().unwrap(), "no");
}
