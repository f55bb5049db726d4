//! Shields and cancellable parts, on a clock that the test moves.

mod nurseries;

use allhome::cancel::{cancel_reason, cancel_token, cancellable};
use allhome::{
    Child, Nursery, block_on, cancelled, fail_after, is_cancelled, move_on_after, nursery, shield,
    sleep, yield_now,
};
use allhome_conformance::Counts;
use allhome_runs::{Log, Opened, SECOND, world};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join, select};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// Lets a child wait in what `child` makes, ends it as `end` says after a second, and returns when
/// it was gone, and what it wrote.
fn ended_by<F>(end: End, child: impl FnOnce(Log) -> F) -> (Duration, Vec<String>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (stepped, clock, runtime) = world();
    let log = Log::default();
    let future = child(log.clone());
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let child = n.fork(future.map(Ok));
        shield(Duration::MAX, sleep(SECOND)).await;
        end(&n, &child);
        let _ended = shield(Duration::MAX, child).await;
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

#[test]
fn h01_cancel_and_abort_wait_for_the_shield() {
    for end in ENDS {
        let (after, log) = ended_by(end, |log| async move {
            let inside = log.clone();
            let protected = shield(5 * SECOND, async move {
                sleep(3 * SECOND).await;
                assert!(!is_cancelled() && cancel_reason().is_none());
                inside.note("done");
            });
            protected.await;
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
            protected.await;
        });
        assert_eq!(after, 6 * SECOND, "counted from the cancel");
        let (last, before) = log.split_last_chunk::<2>().map(|(a, b)| (b, a)).unwrap();
        assert_eq!(*last, ["polled, true", "inside dropped, cancelled"]);
        assert!(before.iter().all(|line| line == "polled, false"), "{before:?}");
    }
    // A value that is ready in that poll wins, and the task goes on to its next await.
    let (after, log) = ended_by(ENDS[0], |log| async move {
        let reason = shield(SECOND, cancelled()).await;
        log.note(reason.kind().to_string());
    });
    assert_eq!((after, log), (2 * SECOND, vec!["cancel requested".to_string()]));
    // No budget at all.
    let (after, log) = ended_by(ENDS[0], |log| async move {
        let _guard = log.on_drop("it");
        shield(Duration::ZERO, pending::<()>()).await;
    });
    assert_eq!((after, log), (SECOND, vec!["it dropped, cancelled".to_string()]));
}

#[test]
fn h03_budget_is_not_spent_while_nobody_cancels() {
    let (after, log) = ended_by(ENDS[2], |log| async move {
        shield(SECOND / 10, sleep(SECOND / 2)).await;
        log.note("done");
        shield(Duration::MAX, sleep(100 * SECOND)).await;
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
            both.await;
        });
        outer.await;
    });
    assert_eq!(after, 6 * SECOND, "the inner's budget begins when the outer's is spent");
    assert_eq!(log, ["outer lifted", "inner dropped, cancelled"]);
}

#[test]
fn h05_inside_and_outside_differ() {
    let (stepped, clock, runtime) = world();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
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
                sleep(2 * SECOND).await;
                inside
            };
            let inside = shield(5 * SECOND, inner).await;
            assert!(token.is_cancelled() && is_cancelled());
            assert!(!inside.is_cancelled(), "it was not lifted");
            Ok(())
        });
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
}

#[test]
fn h07_cancellable_can_be_cancelled_again() {
    let (after, log) = ended_by(ENDS[0], |log| async move {
        let protected = shield(9 * SECOND, async {
            let left = cancellable(async {
                let _guard = log.on_drop("cancellable");
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    n.spawn(async {
                        cancelled().await;
                        shield(9 * SECOND, sleep(2 * SECOND)).await;
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
            sleep(SECOND).await;
            log.note("the shield goes on");
        });
        protected.await;
    });
    assert_eq!(after, 4 * SECOND);
    assert_eq!(log, ["cancellable dropped, cancelled", "cancel requested", "the shield goes on"]);
    assert_eq!(block_on(cancellable(async { 7 })).unwrap(), 7, "outside of any nursery");
}

#[test]
fn h08_scopes_work_inside_a_shield() {
    let (after, log) = ended_by(ENDS[1], |log| async move {
        let protected = shield(9 * SECOND, async {
            let kind = move_on_after(2 * SECOND, async {
                let inner = nursery().run(async |n: Nursery<Infallible>| {
                    n.spawn(pending());
                    Ok(cancelled().await.kind())
                });
                inner.await.unwrap()
            });
            log.note(kind.await.unwrap().to_string());
            let failed = fail_after(SECOND, pending::<()>()).named("it").await;
            log.note(failed.is_err().to_string());
            assert!(!is_cancelled());
        });
        protected.await;
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
                shield(9 * SECOND, sleep(5 * SECOND)).await;
                log.note(format!("out of the shield, {}", is_cancelled()));
                pending::<()>().await;
            });
            assert_eq!(cut.await, None);
            let cut = move_on_after(SECOND, shield(2 * SECOND, pending::<()>()));
            assert_eq!(cut.await, None, "for as long as it has budget");
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
        ended.as_mut().await;
        pending::<()>().await;
    });
    assert_eq!(after, SECOND);
    // Somewhere else, by another task, while its own task waits.
    let (stepped, clock, runtime) = world();
    let counts = Counts::new();
    let out: Arc<Mutex<Option<BoxFuture<'static, ()>>>> = Arc::default();
    let (hand, count) = (out.clone(), counts.clone());
    let run = nursery().on(runtime).run(async move |n: Nursery<Infallible>| {
        n.spawn(async move {
            let _guard = count.guard();
            let protected = shield(Duration::MAX, pending::<()>()).map(drop);
            let mut protected: BoxFuture<'static, ()> = Box::pin(protected);
            assert!(protected.as_mut().now_or_never().is_none());
            *hand.lock().unwrap() = Some(protected);
            pending().await
        });
        sleep(SECOND).await;
        n.abort();
        shield(Duration::MAX, async {
            sleep(SECOND).await;
            assert_eq!((n.len(), counts.drops()), (1, 0));
            drop(out.lock().unwrap().take());
            sleep(SECOND).await;
            assert_eq!((n.len(), counts.drops()), (0, 1));
        })
        .await;
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
}

#[test]
fn h12_outside_of_any_nursery_it_changes_nothing() {
    for budget in [Duration::ZERO, SECOND, Duration::MAX] {
        assert_eq!(block_on(shield(budget, async { 7 })), 7);
    }
}

#[test]
fn h13_abort_comes_while_the_task_waits_for_its_next_poll() {
    for shielded in [true, false] {
        let (stepped, clock, runtime) = world();
        let counts = Counts::new();
        let count = counts.clone();
        let mut opened = Opened::new(nursery().on(runtime));
        let gate = allhome_conformance::Gate::new();
        let wait = gate.clone();
        opened.n.spawn(async move {
            let _guard = count.guard();
            let waits = async move {
                wait.wait().await;
                count.polled();
            };
            if shielded {
                shield(SECOND, waits).await;
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
