//! Shutting down step by step, on a clock that the test moves.

mod late;
mod limited;
mod raised;

use allhome::cancel::{Level, ReasonKind};
use allhome::shutdown::{Shutdown, ShutdownError, ShutdownReport};
use allhome::{Builder, Nursery, cancelled, draining, nursery, shield, sleep, yield_now};
use allhome_rt::Runtime;
use allhome_runs::{Clock, Log, Opened, SECOND, Stepped, Wakes, poll_once, world};
use futures_util::FutureExt;
use futures_util::future::{Either, join, select};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LADDER: Steps = [Duration::from_secs(10), Duration::from_secs(5), Duration::from_secs(2)];
const NEVER: Steps = [Duration::MAX; 3];

/// The times to drain, after the cancel and after the abort.
type Steps = [Duration; 3];

fn steps(shutdown: Shutdown, [drain, cancel, abort]: Steps) -> Shutdown {
    shutdown.drain(drain).cancel(cancel).abort(abort)
}

/// Takes so long to leave when it is cancelled, and lasts so long if it is not.
async fn works(lasts: u32, leaves: u32) -> Result<(), Infallible> {
    if let Either::Right(_) = select(pin!(sleep(lasts * SECOND)), pin!(cancelled())).await {
        shield(Duration::MAX, sleep(leaves * SECOND)).await;
    }
    Ok(())
}

/// A nursery with no settings.
fn on(runtime: Runtime) -> Builder {
    nursery().on(runtime)
}

/// Runs a body that ends with a shutdown, and returns the report.
fn report<F, Fut>(builder: impl FnOnce(Runtime) -> Builder, body: F) -> ShutdownReport
where
    F: FnOnce(Nursery<Infallible>, Clock) -> Fut,
    Fut: Future<Output = ShutdownReport>,
{
    let (stepped, clock, runtime) = world();
    let inside = clock.clone();
    let run = builder(runtime).run(|n| body(n, inside).map(Ok));
    let report = clock.drive(&stepped, run).unwrap();
    assert_eq!(clock.sleeps(), 0, "a timer was not released");
    report
}

/// Name, step and seconds of each straggler, by name.
fn lines(report: &ShutdownReport) -> Vec<(&str, Option<Level>, u64)> {
    let stragglers = report.stragglers().iter();
    let mut lines: Vec<_> = stragglers
        .map(|late| (late.name().unwrap_or("-"), late.left(), late.took().as_secs()))
        .collect();
    lines.sort_unstable();
    lines
}

async fn shielded(inside: impl Future<Output = ()>) -> Result<(), Infallible> {
    shield(Duration::MAX, inside).await;
    Ok(())
}

#[test]
fn d01_each_step_when_the_time_of_the_last_is_over() {
    let levels = Arc::new(Mutex::new(Vec::new()));
    let seen = levels.clone();
    let report = report(on, |n, clock| async move {
        n.task("in time").spawn(works(9, 0));
        n.task("late").spawn(works(100, 3));
        n.task("too late").spawn(works(100, 7));
        // It has seen the cancel, and forgets about it.
        n.task("stays").spawn(async {
            shield(SECOND, pending::<()>()).await;
            Ok(())
        });
        let (watch, token) = (n.clone(), n.token());
        n.task("watch").spawn(shielded(async move {
            let mut last = Level::Running;
            while last < Level::Aborted {
                if watch.level() > last {
                    last = watch.level();
                    assert_eq!(token.level(), last);
                    seen.lock().unwrap().push((last, clock.elapsed().as_secs()));
                }
                sleep(SECOND / 2).await;
            }
        }));
        steps(n.shutdown(), LADDER).await.unwrap()
    });
    let expected = [(Level::Draining, 0), (Level::Cancelled, 10), (Level::Aborted, 15)];
    assert_eq!(*levels.lock().unwrap(), expected);
    assert_eq!(report.level(), Level::Aborted);
    let reason = report.reason().unwrap();
    assert_eq!(reason.kind(), ReasonKind::Shutdown);
    assert_eq!(reason.location().file(), file!());
    let (cancelled, aborted) = (Some(Level::Cancelled), Some(Level::Aborted));
    assert_eq!(
        lines(&report),
        [
            ("late", cancelled, 13),
            ("stays", cancelled, 11),
            ("too late", aborted, 17),
            ("watch", aborted, 15)
        ]
    );
}

#[test]
fn d02_ready_as_soon_as_everybody_is_home() {
    for (lasts, leaves, level, took) in
        [(3, 0, Level::Draining, 3), (100, 2, Level::Cancelled, 12), (100, 6, Level::Aborted, 16)]
    {
        let report = report(on, |n, clock| async move {
            n.spawn(works(lasts, leaves));
            n.spawn(async move {
                // What is opened inside counts, and may go on spawning while it drains.
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    yield_now().await;
                    assert!(n.spawn(works(lasts, leaves)).is_admitted());
                    Ok(())
                });
                drop(inner.await);
                Ok(())
            });
            let report = steps(n.shutdown(), LADDER).await.unwrap();
            assert_eq!(clock.elapsed(), took * SECOND);
            assert!(n.is_empty() && !n.spawn(async { Ok(()) }).is_admitted());
            report
        });
        assert_eq!((report.level(), report.took()), (level, took * SECOND));
        assert!(report.all_home());
        assert_eq!(report.stragglers().is_empty(), level == Level::Draining);
    }
    // No task was late.
    let report = report(on, |n, _| steps(n.shutdown(), LADDER).map(Result::unwrap));
    assert_eq!((report.level(), report.took()), (Level::Draining, Duration::ZERO));
}

#[test]
fn d04_zero_goes_on_at_once_and_max_never() {
    let zero = [Duration::ZERO; 3];
    let aborted = report(on, |n, _| async move {
        n.spawn(works(100, 100));
        sleep(SECOND).await;
        steps(n.shutdown(), zero).await.unwrap()
    });
    assert_eq!(lines(&aborted), [("-", Some(Level::Aborted), 0)]);

    let patient = report(on, |n, _| async move {
        n.spawn(works(1_000_000, 0));
        steps(n.shutdown(), NEVER).await.unwrap()
    });
    assert_eq!((patient.level(), patient.took()), (Level::Draining, 1_000_000 * SECOND));

    let stepped = Stepped::new(1);
    let run = nursery().on(stepped.runtime()).run(async |n: Nursery<Infallible>| {
        n.spawn(pending());
        let ladder = [Duration::ZERO, Duration::MAX, Duration::ZERO];
        Ok(steps(n.shutdown(), ladder).await.unwrap())
    });
    let report = stepped.drive(run).unwrap();
    assert_eq!(lines(&report), [("-", Some(Level::Cancelled), 0)]);
}

#[test]
fn d07_the_body_is_not_cut_off_by_it() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let (inside, last) = (log.clone(), log.clone());
    let run = nursery().on(runtime).run(async move |n: Nursery<Infallible>| {
        n.defer(SECOND, async move {
            last.note("finalizer");
            Ok(())
        });
        n.spawn(works(100, 1));
        let report = steps(n.shutdown(), LADDER).await.unwrap();
        inside.note("body goes on");
        // The cancel shows as soon as it does.
        assert!(allhome::is_cancelled());
        Ok(report)
    });
    let report = clock.drive(&stepped, run).unwrap();
    assert_eq!(report.level(), Level::Cancelled);
    assert_eq!(log.take(), ["body goes on", "finalizer"]);
}

#[test]
fn d07_from_outside_it_waits_for_body_and_finalizers() {
    let (stepped, clock, runtime) = world();
    let slot = Arc::new(Mutex::new(None::<Nursery<Infallible>>));
    let (fill, inside, time) = (slot.clone(), runtime.clone(), clock.clone());
    let run = nursery().on(runtime).run(async move |n: Nursery<Infallible>| {
        n.spawn(async move {
            let server = nursery().on(inside).name("server").run(async |n: Nursery<Infallible>| {
                n.defer(9 * SECOND, sleep(3 * SECOND).map(|_| Ok(())));
                *fill.lock().unwrap() = Some(n.clone());
                works(100, 1).await
            });
            server.await.unwrap();
            Ok(())
        });
        sleep(SECOND).await;
        let server = slot.lock().unwrap().take().unwrap();
        let report = steps(server.shutdown(), LADDER).await.unwrap();
        assert_eq!(time.elapsed(), SECOND + report.took());
        Ok(report)
    });
    let report = clock.drive(&stepped, run).unwrap();
    assert_eq!(report.took(), 14 * SECOND);
    let cancelled = Some(Level::Cancelled);
    assert_eq!(lines(&report), [("finalizers", cancelled, 14), ("server", cancelled, 11)]);
}

#[test]
fn d07_a_task_inside_would_wait_for_itself() {
    let (stepped, clock, runtime) = world();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let id = n.id();
        let (child, deep, inner) = (n.clone(), n.clone(), n.clone());
        let direct = n.fork(async move { Ok(steps(child.shutdown(), LADDER).await) });
        let nested = n.fork(async move {
            let run = nursery().run(async |n: Nursery<Infallible>| {
                Ok(n.fork(async move { Ok(steps(deep.shutdown(), LADDER).await) }).await.unwrap())
            });
            Ok(run.await.unwrap())
        });
        let body =
            nursery().run(async |_: Nursery<Infallible>| Ok(steps(inner.shutdown(), LADDER).await));
        let answers = [body.await.unwrap(), direct.await.unwrap(), nested.await.unwrap()];
        for answer in answers {
            assert_eq!(answer.unwrap_err(), ShutdownError::Inside(id));
        }
        assert_eq!(n.level(), Level::Running);
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
}

#[test]
fn d08_dropped_it_takes_no_further_step() {
    let (stepped, clock, runtime) = world();
    let (wakes, mut opened) = (Wakes::new(), Opened::new(nursery().on(runtime)));
    let n = opened.n.clone();
    n.spawn(works(100, 100));
    n.spawn(works(100, 1));
    stepped.run_until_stalled();
    let mut shutdown = Box::pin(steps(n.shutdown(), LADDER));
    loop {
        assert!(poll_once(&mut shutdown, &wakes).is_pending());
        if n.level() == Level::Cancelled {
            break;
        }
        assert!(clock.step());
    }
    drop(shutdown);
    assert_eq!(clock.elapsed(), 10 * SECOND);
    while opened.poll().is_pending() {
        assert!(stepped.step() || clock.step());
    }
    // One took its time to leave, and nothing aborted it.
    assert_eq!((n.level(), clock.elapsed()), (Level::Cancelled, 110 * SECOND));
}

#[test]
fn d09_two_at_once_see_the_same() {
    let both = Arc::new(Mutex::new(None));
    let out = both.clone();
    let quick = [SECOND, LADDER[1], LADDER[2]];
    report(on, |n, _| async move {
        n.task("late").spawn(works(100, 2));
        let (one, other) = join(steps(n.shutdown(), LADDER), steps(n.shutdown(), quick)).await;
        *out.lock().unwrap() = Some(other.unwrap());
        one.unwrap()
    });
    let other = both.lock().unwrap().take().unwrap();
    assert_eq!(lines(&other), [("late", Some(Level::Cancelled), 3)]);
}

#[test]
fn d11_who_takes_in_work_hears_of_the_drain() {
    let log = Log::default();
    let inside = log.clone();
    let report = report(on, |n, clock| async move {
        let (listener, noted) = (n.clone(), inside.clone());
        n.task("listener").spawn(async move {
            // Also in a shield, which keeps a cancel away; but not in what is inside.
            let inner = nursery().run(async |_: Nursery<Infallible>| Ok(draining().now_or_never()));
            assert_eq!(inner.await.unwrap(), None);
            let level = shield(Duration::MAX, draining()).await;
            assert_eq!((level, listener.level()), (Level::Draining, Level::Draining));
            noted.note("listener stops");
            Ok(())
        });
        n.task("request").spawn(works(3, 0));
        sleep(SECOND).await;
        inside.note("asked to stop");
        let report = steps(n.shutdown(), LADDER).await.unwrap();
        assert_eq!(clock.elapsed(), 3 * SECOND);
        assert_eq!(draining().await, Level::Draining, "at once");
        report
    });
    assert_eq!(log.take(), ["asked to stop", "listener stops"]);
    assert_eq!((report.level(), report.stragglers().len()), (Level::Draining, 0));
    assert_eq!(draining().now_or_never(), None, "outside of any nursery");
}
