//! Shields, islands and finalizers, on a clock that the test moves.

use allhome::{
    Cause, Child, Level, Nursery, Reason, ReasonKind, Runtime, block_on, cancel_reason,
    cancel_token, cancelled, exit, fail_after, is_cancelled, island, move_on_after, nursery,
    nursery_on, shield, sleep, strays, yield_now,
};
use allhome_conformance::Counts;
use allhome_runs::{Clock, Opened, Stepped, Wakes, poll_once};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, join, select};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn world() -> (Stepped, Clock, Runtime) {
    let (stepped, clock) = (Stepped::new(1), Clock::new());
    let runtime = clock.runtime(&stepped);
    (stepped, clock, runtime)
}

/// Lets a child wait in what `child` makes, ends it as `end` says after a second, and returns when
/// it was gone, and what it wrote.
fn ended_by<F>(end: End, child: impl FnOnce(Log) -> F) -> (Duration, Vec<String>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let future = child(log.clone());
    let run = nursery_on::<Infallible>(runtime).run(async |n| {
        let child = n.fork(future.map(Ok));
        shield(Duration::MAX, sleep(SECOND)).await.unwrap().unwrap();
        end(&n, &child);
        let _ended = shield(Duration::MAX, child.join()).await;
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!(clock.sleeps(), 0, "a timer was not released");
    (clock.elapsed(), log.take())
}

type End = fn(&Nursery<Infallible>, &Child<(), Infallible>);

const ENDS: [End; 4] = [
    |n, _| assert!(n.cancel()),
    |n, _| assert!(n.abort()),
    |_, child| assert!(child.cancel()),
    |_, child| assert!(child.abort()),
];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn on_drop(&self, line: &'static str) -> OnDrop {
        OnDrop(self.clone(), line)
    }
}

struct OnDrop(Log, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let seen = if is_cancelled() { "cancelled" } else { "not cancelled" };
        self.0.note(format!("{} dropped, {seen}", self.1));
    }
}

#[test]
fn h01_cancel_and_abort_wait_for_the_shield() {
    for end in ENDS {
        let (after, log) = ended_by(end, |log| async move {
            let inside = log.clone();
            let protected = shield(5 * SECOND, async move {
                sleep(3 * SECOND).await.unwrap();
                assert!(!is_cancelled() && cancel_reason().is_none());
                inside.note("done");
            });
            protected.await.unwrap();
            assert!(is_cancelled(), "it is visible after the shield");
            let _guard = log.on_drop("the rest");
            yield_now().await;
            unreachable!("it is dropped at the next await");
        });
        assert_eq!(after, 3 * SECOND);
        assert_eq!(log, ["done", "the rest dropped, cancelled"]);
    }
}

#[test]
fn h02_spent_budget_shows_the_cancel_for_one_poll() {
    for end in ENDS {
        let (after, log) = ended_by(end, |log| async move {
            let inside = log.clone();
            let protected = shield(5 * SECOND, async move {
                let _guard = inside.on_drop("inside");
                poll_fn::<(), _>(|_| {
                    inside.note(format!("polled, {}", is_cancelled()));
                    Poll::Pending
                })
                .await;
            });
            protected.await.unwrap();
        });
        assert_eq!(after, 6 * SECOND, "counted from the cancel");
        let (last, before) = log.split_last_chunk::<2>().map(|(a, b)| (b, a)).unwrap();
        assert_eq!(*last, ["polled, true", "inside dropped, cancelled"]);
        assert!(before.iter().all(|line| line == "polled, false"), "{before:?}");
    }
    // A value that is ready in that poll wins, and the task goes on to its next await.
    let (after, log) = ended_by(ENDS[0], |log| async move {
        let reason = shield(SECOND, cancelled()).await.unwrap();
        log.note(reason.kind().to_string());
    });
    assert_eq!((after, log), (2 * SECOND, vec!["cancel requested".to_string()]));
    // No budget at all.
    let (after, log) = ended_by(ENDS[0], |log| async move {
        let _guard = log.on_drop("it");
        shield(Duration::ZERO, pending::<()>()).await.unwrap();
    });
    assert_eq!((after, log), (SECOND, vec!["it dropped, cancelled".to_string()]));
}

#[test]
fn h03_budget_is_not_spent_while_nobody_cancels() {
    let (after, log) = ended_by(ENDS[2], |log| async move {
        shield(SECOND / 10, sleep(SECOND / 2)).await.unwrap().unwrap();
        log.note("done");
        shield(Duration::MAX, sleep(100 * SECOND)).await.unwrap().unwrap();
        log.note("done, too");
    });
    assert_eq!((after, log.len()), (100 * SECOND + SECOND / 2, 2));
}

#[test]
fn h04_shields_nest() {
    let (after, log) = ended_by(ENDS[0], |log| async move {
        let inside = log.clone();
        let outer = shield(2 * SECOND, async move {
            let inner = shield(3 * SECOND, async {
                let _guard = inside.on_drop("inner");
                pending::<()>().await;
            });
            let both = join(inner, async {
                cancelled().await;
                inside.note("outer lifted");
                pending::<()>().await;
            });
            both.await.0.unwrap();
        });
        outer.await.unwrap();
    });
    assert_eq!(after, 6 * SECOND, "the inner's budget begins when the outer's is spent");
    assert_eq!(log, ["outer lifted", "inner dropped, cancelled"]);
}

#[test]
fn h05_inside_and_outside_differ() {
    let (stepped, clock, runtime) = world();
    let run = nursery_on::<Infallible>(runtime).run(async |n| {
        let watch = n.clone();
        n.spawn(async move {
            let token = cancel_token();
            let inner = async move {
                let inside = cancel_token();
                watch.cancel();
                yield_now().await;
                assert!(!is_cancelled() && !inside.is_cancelled());
                assert!(watch.is_cancelled() && watch.token().is_cancelled());
                let tree = watch.tree();
                assert!(tree.nurseries()[0].tasks[0].cancelled, "as the tree says");
                sleep(2 * SECOND).await.unwrap();
                inside
            };
            let inside = shield(5 * SECOND, inner).await.unwrap();
            assert!(token.is_cancelled() && is_cancelled());
            assert!(!inside.is_cancelled(), "it was not lifted");
            Ok(())
        });
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
}

#[test]
fn h06_nursery_in_a_shield_is_cancelled_when_it_is_lifted() {
    let ways = ENDS.into_iter().flat_map(|end| [(2, 3, end), (9, 5, end)]);
    for (budget, ends, end) in ways {
        let (after, log) = ended_by(end, |log| async move {
            let protected = shield(budget * SECOND, async move {
                let inner = nursery::<Infallible>().run(async |n| {
                    n.spawn(async move {
                        sleep(5 * SECOND).await.unwrap();
                        log.note(format!("done, {}", is_cancelled()));
                        Ok(())
                    });
                    sleep(2 * SECOND).await.unwrap();
                    assert!(!n.is_cancelled());
                    Ok(())
                });
                inner.await
            });
            let result = protected.await.unwrap();
            assert!(result.is_ok(), "the body had its value: {result:?}");
        });
        assert_eq!(after, ends * SECOND, "budget {budget}");
        assert_eq!(log.len(), usize::from(budget > 5));
    }
}

#[test]
fn h07_island_can_be_cancelled_again() {
    let (after, log) = ended_by(ENDS[0], |log| async move {
        let protected = shield(9 * SECOND, async {
            let left = island(async {
                let _guard = log.on_drop("island");
                let inner = nursery::<Infallible>().run(async |n| {
                    n.spawn(async {
                        cancelled().await;
                        shield(9 * SECOND, sleep(2 * SECOND)).await.unwrap().unwrap();
                        Ok(())
                    });
                    pending::<Result<(), _>>().await
                });
                assert!(inner.await.is_err());
                yield_now().await;
            });
            let reason = left.await.unwrap_err();
            log.note(reason.kind().to_string());
            assert!(!is_cancelled());
            sleep(SECOND).await.unwrap();
            log.note("the shield goes on");
        });
        protected.await.unwrap();
    });
    assert_eq!(after, 4 * SECOND);
    assert_eq!(log, ["island dropped, cancelled", "cancel requested", "the shield goes on"]);
    assert_eq!(block_on(island(async { 7 })).unwrap(), 7, "outside of any nursery");
}

#[test]
fn h08_scopes_work_inside_a_shield() {
    let (after, log) = ended_by(ENDS[1], |log| async move {
        let protected = shield(9 * SECOND, async {
            let kind = move_on_after(2 * SECOND, async {
                let inner = nursery::<Infallible>().run(async |n| {
                    n.spawn(pending());
                    pending::<Result<(), _>>().await
                });
                inner.await.unwrap_err().reason().unwrap().kind()
            });
            log.note(kind.await.unwrap().unwrap().to_string());
            let failed = fail_after("it", SECOND, pending::<()>()).await;
            log.note(failed.is_err().to_string());
            assert!(!is_cancelled());
        });
        protected.await.unwrap();
    });
    assert_eq!((after, log), (3 * SECOND, vec!["a deadline has passed".into(), "true".into()]));
}

#[test]
fn h09_scope_waits_for_the_shields_inside() {
    let (after, log) = ended_by(
        |_, _| {},
        |log| async move {
            let cut = move_on_after(2 * SECOND, async {
                let _guard = log.on_drop("inside");
                shield(9 * SECOND, sleep(5 * SECOND)).await.unwrap().unwrap();
                log.note(format!("out of the shield, {}", is_cancelled()));
                pending::<()>().await;
            });
            assert_eq!(cut.await, Ok(None));
            let cut = move_on_after(SECOND, shield(2 * SECOND, pending::<()>()));
            assert_eq!(cut.await, Ok(None), "for as long as it has budget");
        },
    );
    assert_eq!(after, 8 * SECOND);
    assert_eq!(log, ["out of the shield, true", "inside dropped, cancelled"]);
}

#[test]
fn h10_shield_that_is_dropped_protects_no_more() {
    // Inside its task.
    let (after, _) = ended_by(ENDS[1], |_| async move {
        let protected = shield(Duration::MAX, pending::<()>());
        select(Box::pin(protected), Box::pin(sleep(3 * SECOND))).await;
        pending::<()>().await;
    });
    assert_eq!(after, 3 * SECOND, "the task was aborted after one");
    // One that has ended, and is kept.
    let (after, _) = ended_by(ENDS[1], |_| async move {
        let mut ended = Box::pin(shield(Duration::MAX, yield_now()));
        ended.as_mut().await.unwrap();
        pending::<()>().await;
    });
    assert_eq!(after, SECOND);
    // Somewhere else, by somebody else, while its task waits.
    let (stepped, clock, runtime) = world();
    let counts = Counts::new();
    let out: Arc<Mutex<Option<BoxFuture<'static, ()>>>> = Arc::default();
    let (hand, count) = (out.clone(), counts.clone());
    let run = nursery_on::<Infallible>(runtime).run(async move |n| {
        n.spawn(async move {
            let _guard = count.guard();
            let protected = shield(Duration::MAX, pending::<()>()).map(drop);
            let mut protected: BoxFuture<'static, ()> = Box::pin(protected);
            assert!(protected.as_mut().now_or_never().is_none());
            *hand.lock().unwrap() = Some(protected);
            pending().await
        });
        sleep(SECOND).await.unwrap();
        n.abort();
        shield(Duration::MAX, async {
            sleep(SECOND).await.unwrap();
            assert_eq!((n.len(), counts.drops()), (1, 0));
            drop(out.lock().unwrap().take());
            sleep(SECOND).await.unwrap();
            assert_eq!((n.len(), counts.drops()), (0, 1));
        })
        .await
        .unwrap();
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
}

#[test]
fn h11_body_has_shields_too() {
    for end in [Nursery::<Infallible>::cancel, Nursery::<Infallible>::abort] {
        let (stepped, clock, runtime) = world();
        let log = Log::default();
        let inside = log.clone();
        let run = nursery_on::<Infallible>(runtime).run(async |n| {
            end(&n);
            shield(2 * SECOND, sleep(SECOND)).await.unwrap().unwrap();
            let _guard = inside.on_drop("body");
            shield(2 * SECOND, pending::<()>()).await.unwrap();
            Ok(())
        });
        assert!(clock.drive(&stepped, run).is_err());
        assert_eq!(clock.elapsed(), 3 * SECOND);
        assert_eq!(log.take(), ["body dropped, cancelled"]);
    }
}

/// The body of a nursery inside a task goes with the task.
#[test]
fn h11_shield_in_the_body_of_a_nursery_inside() {
    for end in ENDS {
        let (after, log) = ended_by(end, |log| async move {
            let inner = nursery::<Infallible>().run(async |_| {
                let innermost = nursery::<Infallible>().run(async |_| {
                    shield(5 * SECOND, sleep(3 * SECOND)).await.unwrap().unwrap();
                    log.note("done");
                    Ok(())
                });
                innermost.await.unwrap();
                Ok(())
            });
            inner.await.unwrap();
            yield_now().await;
            unreachable!("it was cancelled");
        });
        assert_eq!((after, log), (3 * SECOND, vec!["done".to_string()]));
    }
    // And with a scope.
    let (after, log) = ended_by(
        |_, _| {},
        |log| async move {
            let cut = move_on_after(2 * SECOND, async {
                let inner = nursery::<Infallible>().run(async |_| {
                    shield(9 * SECOND, sleep(5 * SECOND)).await.unwrap().unwrap();
                    log.note("done");
                    Ok(())
                });
                inner.await.is_ok()
            });
            assert_eq!(cut.await, Ok(Some(true)));
        },
    );
    assert_eq!((after, log), (5 * SECOND, vec!["done".to_string()]));
}

#[test]
fn h12_shield_that_cannot_count_its_budget_says_so() {
    let stepped = Stepped::new(1);
    let run = nursery_on::<Infallible>(stepped.runtime()).run(async |_| {
        let error = shield(SECOND, std::future::poll_fn::<(), _>(|_| unreachable!("not polled")));
        let error = error.await.unwrap_err();
        assert_eq!(error.to_string(), "the runtime `stepped` has not got a timer");
        Ok(())
    });
    stepped.drive(run).unwrap();
    assert_eq!(block_on(shield(SECOND, async { 7 })), Ok(7), "nothing to keep away");
}

#[test]
fn h13_abort_comes_while_the_task_waits_for_its_next_poll() {
    for shielded in [true, false] {
        let (stepped, clock, runtime) = world();
        let counts = Counts::new();
        let count = counts.clone();
        let mut opened = Opened::new(nursery_on::<Infallible>(runtime));
        let gate = allhome_conformance::Gate::new();
        let wait = gate.clone();
        opened.n.spawn(async move {
            let _guard = count.guard();
            let waits = async move {
                wait.wait().await;
                count.polled();
            };
            if shielded {
                shield(SECOND, waits).await.unwrap();
            } else {
                waits.await;
            }
            Ok(())
        });
        stepped.run_until_stalled();
        gate.open();
        // Woken, and not polled yet.
        opened.n.abort();
        assert_eq!(counts.drops(), usize::from(!shielded), "at once, or in its own time");
        stepped.run_until_stalled();
        assert_eq!((counts.polls(), counts.drops()), (usize::from(shielded), 1));
        assert!(opened.finish().is_ready());
        assert_eq!(clock.sleeps(), 0);
    }
}

#[test]
fn h14_drop_of_the_nursery_waits_for_its_shields_elsewhere() {
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let inside = log.clone();
    let run = nursery_on::<Infallible>(runtime).run(async |n| {
        let inner = nursery::<Infallible>().run(async |n| {
            n.named("kept").spawn(async move {
                let _guard = inside.on_drop("child");
                shield(9 * SECOND, sleep(5 * SECOND)).await.unwrap().unwrap();
                inside.note("done");
                Ok(())
            });
            pending::<Result<(), _>>().await
        });
        let cut = select(Box::pin(inner), Box::pin(sleep(SECOND)));
        let cut = cut.await;
        assert!(matches!(cut, Either::Right(_)));
        drop(cut);
        let tree = n.tree();
        let adopted = &tree.nurseries()[1];
        assert!(adopted.adopted && adopted.level == Level::Aborted);
        assert_eq!(adopted.tasks[0].name.as_deref(), Some("kept"));
        Ok(())
    });
    let mut run = Box::pin(run);
    let wakes = Wakes::new();
    assert!(poll_once(&mut run, &wakes).is_pending());
    clock.drive(&stepped, run).unwrap();
    assert_eq!(clock.elapsed(), 5 * SECOND, "the nursery around waited");
    assert_eq!(log.take().len(), 2);
}

// ---- finalizers

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
    let run = nursery_on::<String>(runtime).run(async move |n| {
        let _body = guards.on_drop("body");
        n.defer(SECOND, writes(&inside, "first")).unwrap();
        n.defer(SECOND, writes(&inside, "second")).unwrap();
        let (late, third) = (n.clone(), writes(&inside, "third"));
        n.fork(ready(Ok(()))).join().await.unwrap();
        assert!(guards.0.lock().unwrap().is_empty(), "nobody is left, but the body");
        let child = guards.on_drop("child");
        n.spawn(async move {
            let _child = child;
            sleep(2 * SECOND).await.unwrap();
            late.defer(SECOND, third).map_err(|error| error.to_string())
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
        sleep(SECOND).await.unwrap();
        let inner = nursery::<Infallible>()
            .run(async |n| Ok(n.fork(async { Ok(is_cancelled()) }).join().await.unwrap()));
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
        let run = nursery_on::<String>(runtime).run(async move |n| {
            n.defer(5 * SECOND, finalizer).unwrap();
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
    let run = nursery_on::<Infallible>(&runtime).run(async |n| {
        let inner = nursery::<String>().run(async |n| {
            n.defer(5 * SECOND, finalizer).unwrap();
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
    let run = nursery_on::<Infallible>(&runtime).run(async |_| {
        let inner = nursery::<String>().run(async |n| {
            n.defer(SECOND, ready(Err("of another type".into()))).unwrap();
            n.defer(SECOND, pending()).unwrap();
            pending::<Result<(), _>>().await
        });
        drop(select(Box::pin(inner), Box::pin(yield_now())).await);
        Ok(())
    });
    let error = clock.drive(&stepped, run).unwrap_err();
    assert_eq!(error.failures().len(), 1);
    assert!(error.to_string().contains("a finalizer was cut at its budget of 1s"), "{error}");
    // Of a root, those that nobody waits for are strays until they are done.
    let finalizer = tidies(&log);
    let mut root = Box::pin(nursery_on::<String>(&runtime).name("n03 root").run(async |n| {
        n.defer(5 * SECOND, finalizer).unwrap();
        pending::<Result<(), _>>().await
    }));
    assert!(poll_once(&mut root, &Wakes::new()).is_pending());
    drop(root);
    let listed = || strays().iter().any(|tree| tree.to_string().contains("n03 root"));
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
    let run = nursery_on::<String>(runtime).run(async move |n| {
        n.defer(SECOND, writes(&inside, "after it")).unwrap();
        n.defer(3 * SECOND, async move {
            let _guard = inside.on_drop("hanging");
            pending().await
        })
        .unwrap();
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
    let run =
        nursery_on::<String>(runtime).panics(allhome::PanicPolicy::Report).run(async move |n| {
            n.defer(SECOND, writes(&inside, "the last")).unwrap();
            n.defer(SECOND, ready(Err("broken".to_string()))).unwrap();
            n.defer(SECOND, async { panic!("in a finalizer") }).unwrap();
            let bomb = allhome_conformance::DropPanics("in its destructor");
            n.defer(SECOND, async move {
                let _bomb = bomb;
                Ok(())
            })
            .unwrap();
            n.spawn(ready(Err("first".to_string())));
            Ok(())
        });
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
    let run = nursery_on::<String>(runtime).run(async move |n| {
        let handle = n.clone();
        n.defer(SECOND, writes(&inside, "the last")).unwrap();
        n.defer(SECOND, async move {
            assert!(!handle.spawn(pending()).is_admitted() || !handle.is_cancelled());
            handle.defer(SECOND, writes(&inside, "second")).unwrap();
            inside.note("first");
            Ok(())
        })
        .unwrap();
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
    let run = nursery_on::<String>(runtime).run(async move |n| {
        n.defer(SECOND, writes(&inside, "the last")).unwrap();
        n.defer(SECOND, async move {
            let _guard = inside.on_drop("it");
            exit().await.map(|never| match never {}).map_err(|error| error.to_string())
        })
        .unwrap();
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!(log.take(), ["it dropped, not cancelled", "the last"]);
}

#[test]
fn n07_after_the_end_it_is_refused() {
    let (stepped, clock, runtime) = world();
    let counts = Counts::new();
    let mut opened = Opened::new(nursery_on::<String>(runtime));
    assert!(opened.finish().is_ready());
    let guard = counts.guard();
    let refused = opened.n.defer(SECOND, async move {
        let _guard = guard;
        unreachable!("it is not polled")
    });
    let text = refused.unwrap_err().to_string();
    assert!(text.starts_with("not registered: the nursery takes no more children"), "{text}");
    assert_eq!((counts.drops(), stepped.tasks(), clock.sleeps()), (1, 0, 0));
}

#[test]
fn n08_runtime_that_goes_loses_the_finalizers() {
    let (stepped, clock, runtime) = world();
    let counts = Counts::new();
    let mut opened = Opened::new(nursery_on::<String>(runtime));
    for _ in 0..3 {
        let guard = counts.guard();
        let hangs = async move {
            let _guard = guard;
            pending().await
        };
        opened.n.defer(SECOND, hangs).unwrap();
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
        let mut opened = Opened::new(nursery_on::<String>(runtime));
        let tidies = tidies(&log);
        let shields = async move {
            // One of its own, which goes down before it waits again.
            shield(SECOND, yield_now()).await.unwrap();
            tidies.await
        };
        opened.n.defer(5 * SECOND, shields).unwrap();
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
