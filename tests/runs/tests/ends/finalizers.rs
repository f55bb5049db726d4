//! Finalizers, on a clock that the test moves.

use allhome::cancel::{ReasonKind, cancel_token};
use allhome::error::Cause;
use allhome::task::{exit, orphans};
use allhome::{Nursery, Reason, is_cancelled, nursery, shield, sleep, yield_now};
use allhome_conformance::Counts;
use allhome_runs::{Log, Opened, SECOND, Wakes, poll_once, world};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::task::Poll;

fn writes(
    log: &Log,
    line: &'static str,
) -> impl Future<Output = Result<(), String>> + Send + use<> {
    let log = log.clone();
    async move {
        yield_now().await;
        log.note(line);
        Ok(())
    }
}

#[test]
fn n01_finalizers_run_last_first_when_everybody_has_left() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let (guards, inside) = (log.clone(), log.clone());
    let run = nursery().on(runtime).run(async move |n: Nursery<String>| {
        let _body = guards.on_drop("body");
        n.defer(SECOND, writes(&inside, "first"));
        n.defer(SECOND, writes(&inside, "second"));
        let (late, third) = (n.clone(), writes(&inside, "third"));
        n.fork(ready(Ok(()))).await.unwrap();
        assert!(guards.is_empty(), "only the body is left");
        let child = guards.on_drop("child");
        n.spawn(async move {
            let _child = child;
            sleep(2 * SECOND).await;
            assert!(late.defer(SECOND, third));
            Ok(())
        });
        Ok(7)
    });
    assert_eq!(clock.drive(&stepped, run).unwrap(), 7);
    let gone = ["body dropped, not cancelled", "child dropped, not cancelled"];
    assert_eq!(log.take(), [&gone[..], &["third", "second", "first"]].concat());
    assert_eq!(clock.sleeps(), 0);
}

/// A finalizer that takes a second and sees no cancel.
fn tidies(log: &Log) -> impl Future<Output = Result<(), String>> + Send + use<> {
    let log = log.clone();
    async move {
        assert!(!is_cancelled() && !cancel_token().is_cancelled());
        sleep(SECOND).await;
        let inner = nursery().run(async |n: Nursery<Infallible>| {
            Ok(n.fork(async { Ok(is_cancelled()) }).await.unwrap())
        });
        log.note(format!("tidy, {}", inner.await.unwrap()));
        Ok(())
    }
}

#[test]
fn n02_finalizers_run_on_every_way_out() {
    type Way = fn(&Nursery<String>) -> Result<(), String>;
    let ways: [Way; 5] = [
        |_| Ok(()),
        |_| Err("no".into()),
        |n| if n.cancel() { Err("it was running".into()) } else { Ok(()) },
        |n| if n.abort() { Ok(()) } else { Err("it was aborted".into()) },
        |_| panic!("a body that panics"),
    ];
    for way in ways {
        let (stepped, clock, runtime) = world();
        let log = Log::default();
        let finalizer = tidies(&log);
        let run = nursery().on(runtime).run(async move |n: Nursery<String>| {
            n.defer(5 * SECOND, finalizer);
            n.spawn(pending());
            n.cancel();
            way(&n)
        });
        let run = std::panic::AssertUnwindSafe(run).catch_unwind();
        let _result = clock.drive(&stepped, run);
        assert_eq!(log.take(), ["tidy, false"]);
        assert_eq!((clock.elapsed(), clock.sleeps()), (SECOND, 0));
    }
}

#[test]
fn n03_whoever_adopts_runs_the_finalizers() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let (finalizer, counts) = (tidies(&log), Counts::new());
    let run = nursery().on(&runtime).run(async |n: Nursery<Infallible>| {
        let inner = nursery().run(async |n: Nursery<String>| {
            n.defer(5 * SECOND, finalizer);
            n.spawn(counts.parked().child());
            pending::<Result<(), _>>().await
        });
        let cut = select(Box::pin(inner), Box::pin(yield_now())).await;
        assert!(matches!(cut, Either::Right(_)));
        drop(cut);
        assert_eq!(counts.drops(), 1, "the child is gone with the future");
        let tree = n.tree().to_string();
        assert!(tree.contains("[adopted]") && tree.contains("`finalizers`"), "{tree}");
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!((log.take(), clock.elapsed()), (vec!["tidy, false".to_string()], SECOND));
    // What goes wrong is reported there, as far as it has a type that is known there.
    let run = nursery().on(&runtime).run(async |_: Nursery<Infallible>| {
        let inner = nursery().run(async |n: Nursery<String>| {
            n.defer(SECOND, ready(Err("of another type".into())));
            n.defer(SECOND, pending());
            pending::<Result<(), _>>().await
        });
        drop(select(Box::pin(inner), Box::pin(yield_now())).await);
        Ok(())
    });
    let error = clock.drive(&stepped, run).unwrap_err();
    assert_eq!(error.failures().len(), 1);
    assert!(error.to_string().contains("a finalizer was cut at its budget of 1s"), "{error}");
    // Of a root, the finalizers that no nursery waits for are orphans until they are done.
    let finalizer = tidies(&log);
    let mut root =
        Box::pin(nursery().on(&runtime).name("n03 root").run(async |n: Nursery<String>| {
            n.defer(5 * SECOND, finalizer);
            pending::<Result<(), _>>().await
        }));
    assert!(poll_once(&mut root, &Wakes::new()).is_pending());
    drop(root);
    let listed = || orphans().iter().any(|tree| tree.to_string().contains("n03 root"));
    stepped.run_until_stalled();
    assert!(listed() && log.take().is_empty());
    while clock.step() {
        stepped.run_until_stalled();
    }
    assert_eq!(log.take(), ["tidy, false"]);
    assert!(!listed());
}

#[test]
fn n04_budget_cuts_a_finalizer_that_hangs() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let inside = log.clone();
    let run = nursery().on(runtime).run(async move |n: Nursery<String>| {
        n.defer(SECOND, writes(&inside, "after it"));
        n.defer(3 * SECOND, async move {
            let _guard = inside.on_drop("hanging");
            pending().await
        });
        Ok(())
    });
    let error = clock.drive(&stepped, run).unwrap_err();
    let Cause::Cancelled(reason) = error.first().cause() else { panic!("{error}") };
    assert_eq!(reason.kind(), ReasonKind::Deadline);
    assert_eq!(reason.message(), "a finalizer was cut at its budget of 3s");
    assert!(error.to_string().contains("a finalizer (deferred at "), "{error}");
    assert!(!error.is_timeout(), "the nursery was in time");
    assert_eq!(log.take(), ["hanging dropped, cancelled", "after it"]);
    assert_eq!((clock.elapsed(), clock.sleeps()), (3 * SECOND, 0));
}

#[test]
fn n05_what_goes_wrong_in_a_finalizer_is_a_failure() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let inside = log.clone();
    let run = nursery().on(runtime).panics(allhome::error::PanicPolicy::Report).run(
        async move |n: Nursery<String>| {
            n.defer(SECOND, writes(&inside, "the last"));
            n.defer(SECOND, ready(Err("broken".to_string())));
            n.defer(SECOND, async { panic!("in a finalizer") });
            let bomb = allhome_conformance::DropPanics("in its destructor");
            n.defer(SECOND, async move {
                let _bomb = bomb;
                Ok(())
            });
            n.spawn(ready(Err("first".to_string())));
            Ok(())
        },
    );
    let error = clock.drive(&stepped, run).unwrap_err();
    let errors: Vec<_> = error.errors().cloned().collect();
    assert_eq!(errors, ["first", "broken"]);
    let panics: Vec<_> = error.panics().map(|panic| panic.message().to_string()).collect();
    assert_eq!(panics, ["in its destructor", "in a finalizer"]);
    assert_eq!(log.take(), ["the last"]);
}

#[test]
fn n06_finalizer_may_register_another() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let inside = log.clone();
    let run = nursery().on(runtime).run(async move |n: Nursery<String>| {
        let handle = n.clone();
        n.defer(SECOND, writes(&inside, "the last"));
        n.defer(SECOND, async move {
            assert!(!handle.spawn(pending()).is_admitted() || !handle.is_cancelled());
            handle.defer(SECOND, writes(&inside, "second"));
            inside.note("first");
            Ok(())
        });
        n.close();
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!(log.take(), ["first", "second", "the last"]);
}

#[test]
fn n06_finalizer_may_exit() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let inside = log.clone();
    let run = nursery().on(runtime).run(async move |n: Nursery<String>| {
        n.defer(SECOND, writes(&inside, "the last"));
        n.defer(SECOND, async move {
            let _guard = inside.on_drop("it");
            match exit().await {}
        });
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!(log.take(), ["it dropped, not cancelled", "the last"]);
}

#[test]
fn n07_after_the_end_it_is_refused() {
    let (stepped, clock, runtime) = world();
    let counts = Counts::new();
    let mut opened = Opened::<String>::fallible(nursery().on(runtime));
    assert!(opened.finish().is_ready());
    let guard = counts.guard();
    let refused = opened.n.defer(SECOND, async move {
        let _guard = guard;
        unreachable!("it is not polled")
    });
    assert!(!refused);
    assert_eq!((counts.drops(), stepped.tasks(), clock.sleeps()), (1, 0, 0));
}

#[test]
fn n08_runtime_that_goes_loses_the_finalizers() {
    let (stepped, clock, runtime) = world();
    let counts = Counts::new();
    let mut opened = Opened::<String>::fallible(nursery().on(runtime));
    for _ in 0..3 {
        let guard = counts.guard();
        let hangs = async move {
            let _guard = guard;
            pending().await
        };
        opened.n.defer(SECOND, hangs);
    }
    assert!(opened.finish().is_pending());
    stepped.run_until_stalled();
    stepped.shutdown();
    assert_eq!(counts.drops(), 3);
    let Poll::Ready(Err(error)) = opened.poll() else { panic!("it is over") };
    // The runner, the finalizer that it was at, and the two that it had not come to.
    let lost = error.failures().filter(|failure| matches!(failure.cause(), Cause::Lost)).count();
    assert_eq!(lost, 4);
    assert_eq!(clock.sleeps(), 0);
}

#[test]
fn n09_abort_while_the_finalizers_run_leaves_them_alone() {
    for end in [Nursery::<String>::cancel, Nursery::<String>::abort] {
        let (stepped, clock, runtime) = world();
        let log = Log::default();
        let mut opened = Opened::<String>::fallible(nursery().on(runtime));
        let tidies = tidies(&log);
        let shields = async move {
            // One of its own, which goes down before it waits again.
            shield(SECOND, yield_now()).await;
            tidies.await
        };
        opened.n.defer(5 * SECOND, shields);
        assert!(opened.finish().is_pending());
        // Before the first poll, and in the middle.
        assert!(end(&opened.n));
        stepped.run_until_stalled();
        opened.n.abort();
        let reason = opened.n.reason().map(|reason: Reason| reason.kind());
        assert!(matches!(reason, Some(ReasonKind::Requested | ReasonKind::Aborted)));
        assert_eq!(opened.n.len(), 1);
        clock.drive(&stepped, opened.run).unwrap();
        assert_eq!(log.take(), ["tidy, false"]);
    }
}
