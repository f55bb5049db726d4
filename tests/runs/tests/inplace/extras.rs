//! What a scope tells while it runs, and what it does at its end: hooks, tokens, finalizers, settle.

use super::{Count, drive, failures, for_ever, poll};
use allhome::cancel::{Level, ReasonKind};
use allhome::error::{FailureInfo, PanicPolicy};
use allhome::in_place::LocalScope;
use allhome::task::exit;
use allhome::{
    CancelToken, Policy, Reason, Scope, is_cancelled, move_on_after, scope, sleep, yield_now,
};
use allhome_conformance::Gate;
use allhome_runs::{SECOND, Wakes, in_body};
use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

type Log = Arc<Mutex<Vec<String>>>;

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// A hook that writes what it is told.
fn note(log: &Log) -> impl Fn(&FailureInfo<'_>) + Send + Sync + 'static {
    let log = log.clone();
    move |what| log.lock().unwrap().push(what.to_string())
}

#[test]
fn i31_a_value_beside_the_failures() {
    let run = scope().policy(Policy::WaitAll).run(async |s: Scope<'_, &str>| {
        s.task("reader").spawn(async { Err("no file") });
        yield_now().await;
        Ok(7)
    });
    let settled = drive(run.settle());
    assert_eq!((settled.value, settled.forgotten), (Some(7), 0));
    assert_eq!(failures(&settled.error.unwrap()), ["reader"]);
    let run = scope().policy(Policy::Supervise).run(async |s: Scope<'_, &str>| {
        s.spawn(async { Err("one") });
        s.spawn(async { Err("two") });
        Ok(())
    });
    let settled = drive(run.settle());
    assert_eq!((settled.forgotten, settled.error.is_none()), (2, true));
    let run = scope().run(async |s: Scope<'_, &str>| {
        s.task("first").spawn(async { Err("one") });
        for_ever::<Result<(), _>>().await
    });
    assert!(drive(run.settle()).value.is_none());
}

#[test]
fn i32_idle_when_the_last_child_has_left() {
    let (gone, gate) = (Count::default(), Gate::new());
    drive(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        s.idle().await;
        let (gone, gate) = (&gone, &gate);
        s.go(async move {
            let _gone = gone.on_drop();
            gate.wait().await;
        });
        let (mut idle, wakes) = (Box::pin(s.idle()), Wakes::new());
        assert!(poll(&mut idle, &wakes).is_pending());
        gate.open();
        yield_now().await;
        assert_eq!((s.len(), gone.get(), wakes.count()), (0, 1, 1));
        // There was a moment without a child, though there is one now.
        s.go(for_ever());
        idle.await;
        s.cancel();
        Ok(())
    }))
    .unwrap();
}

#[test]
fn i32_idle_in_a_child_panics() {
    let open = scope().local().panics(PanicPolicy::Report);
    let error = drive(open.run(async |s: LocalScope<'_, Infallible>| {
        let inner = s.clone();
        s.go(async move { inner.idle().await });
        Ok(())
    }))
    .unwrap_err();
    assert!(error.panics().all(|panic| panic.message().contains("`idle` was awaited in a child")));
}

#[test]
fn i33_finalizers_run_last_deferred_first() {
    let log = RefCell::new(Vec::new());
    let write = |line: &'static str| {
        let log = &log;
        async move {
            yield_now().await;
            assert!(!is_cancelled(), "the cancel does not show");
            log.borrow_mut().push(line);
            Ok(())
        }
    };
    let error = drive(scope().local().run(async |s: LocalScope<'_, &str>| {
        assert!(s.defer(SECOND, write("first")));
        let (inner, log) = (s.clone(), &log);
        s.defer(SECOND, async move {
            log.borrow_mut().push("second");
            // One may register another, and it spawns nothing: the scope is cancelled.
            assert!(inner.defer(SECOND, write("third")));
            assert!(!inner.go(async {}).is_admitted());
            Err("no")
        });
        s.go(async move {
            let _then = super::Then(move || log.borrow_mut().push("child"));
            for_ever().await
        });
        yield_now().await;
        s.abort();
        for_ever::<Result<(), _>>().await
    }))
    .unwrap_err();
    assert_eq!(*log.borrow(), ["child", "second", "third", "first"]);
    assert_eq!(error.failures().map(|failure| failure.error()).collect::<Vec<_>>(), [Some(&"no")]);
}

#[test]
fn i33_a_finalizer_is_cut_panics_exits_and_may_spawn() {
    in_body(async |clock| {
        let ran = Count::default();
        let run = scope().local().panics(PanicPolicy::Report).run(
            async |s: LocalScope<'_, Infallible>| {
                s.defer(SECOND, async { for_ever().await });
                s.defer(SECOND, async { panic!("no") });
                s.defer(SECOND, async { match exit().await {} });
                let (inner, ran) = (s.clone(), &ran);
                s.defer(9 * SECOND, async move {
                    let child = inner.fork(async move {
                        ran.add();
                        Ok(())
                    });
                    child.value().await;
                    Ok(())
                });
                Ok(())
            },
        );
        let error = run.await.unwrap_err();
        assert_eq!((error.failures().count(), error.panics().count(), ran.get()), (2, 1, 1));
        assert!(error.failures().all(|failure| failure.task().is_none()));
        assert_eq!((clock.elapsed(), clock.sleeps()), (SECOND, 0));
    });
}

#[test]
fn i33_a_dropped_scope_drops_its_finalizers() {
    let (polls, gone, log, wakes) =
        (Count::default(), Count::default(), Log::default(), Wakes::new());
    let escaped = RefCell::new(None);
    let mut run = Box::pin(scope().local().on_failure(note(&log)).run(
        async |s: LocalScope<'_, Infallible>| {
            for _ in 0..2 {
                let (own, polls) = (gone.on_drop(), &polls);
                s.defer(SECOND, async move {
                    let _own = own;
                    polls.add();
                    for_ever().await
                });
            }
            *escaped.borrow_mut() = Some(s);
            Ok(())
        },
    ));
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!((polls.get(), gone.get()), (1, 0));
    drop(run);
    assert_eq!((polls.get(), gone.get(), taken(&log).len()), (1, 2, 2), "told as lost");
    let s = escaped.borrow_mut().take().unwrap();
    let own = gone.on_drop();
    assert!(!s.defer(SECOND, async move {
        drop(own);
        Ok(())
    }));
    assert_eq!(gone.get(), 3);
}

#[test]
fn i34_hooks_hear_of_every_failure() {
    let (panics, log) = (Log::default(), Log::default());
    let open = || {
        let open = scope().panics(PanicPolicy::Report);
        let panics = panics.clone();
        let open = open.on_panic(move |panic| panics.lock().unwrap().push(panic.to_string()));
        open.on_failure(note(&log))
    };
    let run = open().policy(Policy::Isolate).run(async |s: Scope<'_, &str>| {
        s.task("a").spawn(async { Err("one") });
        s.task("b").go(async { panic!("two") });
        let taken = s.task("c").fork::<(), _>(async { Err("a joiner's") });
        assert!(taken.await.is_err());
        drop(s.task("d").fork::<(), _>(async { Err("unheard") }));
        Err::<(), _>("unready")
    });
    assert!(drive(run).is_err());
    assert_eq!(taken(&panics).len(), 1);
    let told = taken(&log).concat();
    for what in ["one", "two", "unheard", "unready"] {
        assert_eq!(told.matches(what).count(), 1, "{told}");
    }
    assert!(!told.contains("a joiner's"));
    // An echo is told, and a panic of a hook is dropped.
    let run = open().on_panic(|_| panic!("in the hook")).run(async |s: Scope<'_, &str>| {
        s.go(async {
            yield_now().await;
            panic!("first")
        });
        s.spawn(async {
            allhome::cancelled().await;
            Err("echo")
        });
        for_ever::<Result<(), _>>().await
    });
    assert_eq!(drive(run).unwrap_err().echoes().count(), 1);
    assert!(taken(&log).concat().contains("echo"));
}

#[test]
fn i34_a_panic_aborts_the_process_if_the_policy_says_so() {
    const CHILD: &str = "ALLHOME_TEST_ABORTS";
    if std::env::var_os(CHILD).is_some() {
        let run = scope().panics(PanicPolicy::Abort).run(async |s: Scope<'_, Infallible>| {
            s.go(async { panic!("a bug") });
            Ok(())
        });
        let _ = drive(run);
        return;
    }
    let name = "extras::i34_a_panic_aborts_the_process_if_the_policy_says_so";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("aborting, as the nursery asks"), "{printed}");
}

#[test]
fn i35_a_token_raises_the_scope() {
    let token = CancelToken::new();
    let run = scope().token(&token).run(async |s: Scope<'_, Infallible>| {
        s.go(for_ever());
        yield_now().await;
        token.escalate_to(Level::Draining, Reason::new("no more"));
        assert!(s.is_closed() && !s.is_cancelled());
        assert!(!s.go(async { unreachable!("never polled") }).is_admitted());
        token.cancel_with(Reason::new("closing time"));
        assert!(is_cancelled() && s.is_cancelled());
        for_ever::<Result<(), _>>().await
    });
    let error = drive(run).unwrap_err();
    assert_eq!(error.reason().map(Reason::message), Some("closing time"));
    // One that is cancelled before; and another thread's call wakes the scope.
    let run = scope().token(&token).run(async |_: Scope<'_>| Ok(is_cancelled()));
    assert!(drive(run).unwrap());
    let (token, wakes) = (CancelToken::new(), Wakes::new());
    let open = scope().token(&token).grace(std::time::Duration::MAX);
    let mut run =
        Box::pin(open.run(async |_: Scope<'_, Infallible>| for_ever::<Result<(), _>>().await));
    assert!(poll(&mut run, &wakes).is_pending());
    let raise = token.clone();
    std::thread::spawn(move || raise.escalate_to(Level::Aborted, Reason::new("now")))
        .join()
        .unwrap();
    assert_eq!(wakes.count(), 1);
    assert!(poll(&mut run, &wakes).is_ready(), "an abort leaves no grace");
}

#[test]
fn i35_a_condition_cancels_the_scope() {
    in_body(async |clock| {
        let run = scope().cancel_when(sleep(SECOND)).run(async |s: Scope<'_, Infallible>| {
            s.go(for_ever());
            for_ever::<Result<(), _>>().await
        });
        let error = run.await.unwrap_err();
        assert_eq!(error.reason().map(|reason| reason.kind()), Some(ReasonKind::Requested));
        // It is no failure that it is not ready, and it goes with the scope.
        let run = scope().cancel_when(sleep(9 * SECOND)).run(async |_: Scope<'_>| Ok(1));
        assert_eq!((run.await.unwrap(), clock.elapsed(), clock.sleeps()), (1, SECOND, 0));
        let late = scope().cancel_when(sleep(9 * SECOND));
        let late = late.run(async |_: Scope<'_>| for_ever::<Result<(), _>>().await);
        assert!(move_on_after(SECOND, late).await.is_none());
        let run = scope().panics(PanicPolicy::Report).cancel_when(async { panic!("no") });
        let run = run.run(async |_: Scope<'_, Infallible>| for_ever::<Result<(), _>>().await);
        assert_eq!(run.await.unwrap_err().panics().count(), 1);
    });
}
