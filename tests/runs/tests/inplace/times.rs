//! A scope's time: its deadline, its children's, the grace; and the abort that ends it.

use super::{Count, counted, drive, for_ever, poll};
use allhome::cancel::{Level, ReasonKind, cancel_reason, cancelled};
use allhome::in_place::LocalScope;
use allhome::time::{deadline, now, remaining};
use allhome::{Nursery, Scope, is_cancelled, nursery, scope, shield, sleep, yield_now};
use allhome_conformance::Gate;
use allhome_runs::{SECOND, Wakes, in_body};
use std::convert::Infallible;
use std::time::Duration;

#[test]
fn i27_a_deadline_cancels_the_body_and_the_children() {
    in_body(async |clock| {
        let gone = Count::default();
        let run = scope().local().name("batch").deadline(2 * SECOND).run(
            async |s: LocalScope<'_, Infallible>| {
                s.go(async {
                    let _gone = gone.on_drop();
                    assert_eq!(remaining(), Some(2 * SECOND));
                    assert_eq!(cancelled().await.kind(), ReasonKind::Deadline);
                });
                for_ever::<Result<(), _>>().await
            },
        );
        let error = run.await.unwrap_err();
        assert!(error.is_timeout() && error.is_cancel(), "{error}");
        assert_eq!((gone.get(), clock.elapsed(), clock.sleeps()), (1, 2 * SECOND, 0));
    });
}

#[test]
fn i27_the_earliest_holds_and_shows_at_once() {
    in_body(async |clock| {
        let inner = scope().deadline(5 * SECOND).run(async |s: Scope<'_, Infallible>| {
            assert_eq!(remaining(), Some(2 * SECOND), "that of the scope around");
            let seen = s.fork(async { Ok(deadline()) });
            Ok((seen.value().await, deadline()))
        });
        let run = scope().deadline(2 * SECOND).run(async |s: Scope<'_, Infallible>| {
            let seen = inner.await.unwrap();
            assert_eq!(seen.0, seen.1);
            let nursery = nursery().run(async |n: Nursery<Infallible>| {
                assert_eq!(remaining(), Some(2 * SECOND), "a nursery inside has it");
                Ok(n)
            });
            drop(nursery.await.unwrap());
            // The scope's future has not looked at the clock since.
            clock.advance(2 * SECOND);
            assert!(is_cancelled() && s.is_cancelled(), "from the first question on");
            assert_eq!(cancel_reason().map(|reason| reason.kind()), Some(ReasonKind::Deadline));
            Ok(s.go(async { unreachable!("never polled") }).is_admitted())
        });
        assert!(!run.await.unwrap(), "a value that is there wins, and no child was admitted");
    });
}

#[test]
fn i27_zero_never_and_a_drop() {
    in_body(async |clock| {
        let polls = Count::default();
        let run = scope().local().deadline(Duration::ZERO).run(async |s: LocalScope<'_>| {
            assert!(is_cancelled());
            assert!(!s.go(async { polls.add() }).is_admitted());
            for_ever::<Result<(), _>>().await
        });
        assert!(run.await.unwrap_err().is_timeout());
        let at = now();
        let run =
            scope().deadline_at(at).run(async |_: Scope<'_>| for_ever::<Result<(), _>>().await);
        assert!(run.await.unwrap_err().is_timeout());
        let run = scope().deadline(Duration::MAX).run(async |_: Scope<'_>| Ok(deadline()));
        assert_eq!(run.await.unwrap(), None);
        let mut run = Box::pin(
            scope().deadline(SECOND).run(async |_: Scope<'_>| for_ever::<Result<(), _>>().await),
        );
        assert!(poll(&mut run, &Wakes::new()).is_pending());
        assert_eq!(clock.sleeps(), 1);
        drop(run);
        assert_eq!((clock.sleeps(), polls.get()), (0, 0));
    });
}

#[test]
fn i28_a_children_s_deadline_leaves_the_body() {
    in_body(async |clock| {
        let run = scope().children_deadline(SECOND).run(async |s: Scope<'_, Infallible>| {
            let quick = s.fork(async { Ok(1) });
            let slow = s.fork(async {
                assert_eq!(remaining(), Some(SECOND));
                for_ever::<Result<u8, _>>().await
            });
            assert_eq!(remaining(), None, "the body has none");
            let results = (quick.await.ok(), slow.await.ok());
            assert!(!is_cancelled() && s.is_closed());
            assert!(!s.go(async { unreachable!("never polled") }).is_admitted());
            sleep(SECOND).await;
            Ok(results)
        });
        assert_eq!(run.await.unwrap(), (Some(1), None));
        assert_eq!((clock.elapsed(), clock.sleeps()), (2 * SECOND, 0));
        // Any other cancel ends the body, too.
        let run = scope().children_deadline(SECOND).run(async |s: Scope<'_, Infallible>| {
            let slow = s.fork(for_ever::<Result<(), _>>());
            assert!(slow.await.is_err());
            s.cancel();
            assert_eq!(cancel_reason().map(|reason| reason.kind()), Some(ReasonKind::Requested));
            for_ever::<Result<(), _>>().await
        });
        let error = run.await.unwrap_err();
        assert!(
            error.is_timeout() && error.is_cancel(),
            "the first reason is the scope's: {error}"
        );
    });
}

#[test]
fn i28_a_body_that_is_in_turn_when_the_time_ends_has_its_turn() {
    in_body(async |clock| {
        let gate = Gate::new();
        let mut run = Box::pin(scope().local().children_deadline(SECOND).run(
            async |s: LocalScope<'_, Infallible>| {
                s.go(async {
                    gate.wait().await;
                    assert!(is_cancelled(), "it asks before the scope looks at the clock");
                    for_ever::<()>().await;
                });
                gate.wait().await;
                Ok(())
            },
        ));
        let wakes = Wakes::new();
        assert!(poll(&mut run, &wakes).is_pending());
        clock.advance(SECOND);
        // Both are woken; the child comes first.
        gate.open();
        assert!(poll(&mut run, &wakes).is_ready(), "the body's wake was lost");
    });
}

#[test]
fn i29_a_grace_is_time_to_leave() {
    for (needs, left) in [(1, 0), (9, 2)] {
        in_body(async |clock| {
            let (polls, gone) = (Count::default(), Count::default());
            let leave = async || {
                let _gone = gone.on_drop();
                cancelled().await;
                sleep(needs * SECOND).await;
                polls.add();
            };
            let run =
                scope().local().grace(5 * SECOND).run(async |s: LocalScope<'_, Infallible>| {
                    s.go(leave());
                    yield_now().await;
                    s.go(async { unreachable!("it was never polled, and has no use for a grace") });
                    s.cancel();
                    leave().await;
                    Ok(())
                });
            assert_eq!(run.await.is_err(), left > 0);
            assert_eq!((polls.get(), gone.get()), (2 - left, 2));
            let took = needs.min(5) * SECOND;
            assert_eq!((clock.elapsed(), clock.sleeps()), (took, 0));
        });
    }
}

#[test]
fn i29_a_grace_of_one_child_alone() {
    in_body(async |clock| {
        let run = scope().grace(5 * SECOND).run(async |s: Scope<'_, Infallible>| {
            let leave = async |needs: u32| {
                cancelled().await;
                sleep(needs * SECOND).await;
                Ok::<_, Infallible>(needs)
            };
            let (quick, slow) = (s.fork(leave(1)), s.fork(leave(9)));
            yield_now().await;
            assert!(quick.cancel() && slow.cancel());
            let results = (quick.await.ok(), slow.await.ok());
            assert_eq!(clock.elapsed(), 5 * SECOND);
            Ok((results, is_cancelled()))
        });
        assert_eq!(run.await.unwrap(), ((Some(1), None), false));
    });
}

#[test]
fn i29_a_grace_is_that_of_what_is_around() {
    in_body(async |clock| {
        let inner = async || {
            let run = scope().run(async |s: Scope<'_, Infallible>| {
                s.cancel();
                cancelled().await;
                sleep(SECOND).await;
                Ok(clock.elapsed())
            });
            run.await.ok()
        };
        assert_eq!(inner().await, None, "none is around");
        let run = scope()
            .grace(5 * SECOND)
            .run(async |_: Scope<'_, Infallible>| Ok((inner().await, clock.elapsed())));
        assert_eq!(run.await.unwrap(), (Some(SECOND), SECOND));
        let run = nursery().grace(5 * SECOND).run(async |_: Nursery<Infallible>| Ok(inner().await));
        assert_eq!(run.await.unwrap(), Some(2 * SECOND));
    });
}

#[test]
fn i30_an_abort_polls_nothing_again() {
    let (polls, gone, gate) = (Count::default(), Count::default(), Gate::new());
    let error =
        drive(scope().local().grace(Duration::MAX).run(async |s: LocalScope<'_, Infallible>| {
            let (polls, gone, gate) = (&polls, &gone, &gate);
            for _ in 0..3 {
                s.go(async move {
                    let _gone = gone.on_drop();
                    counted(polls, gate).await;
                });
            }
            let aborts = s.clone();
            s.go(async move {
                yield_now().await;
                assert!(aborts.abort() && !aborts.abort());
                assert!(is_cancelled());
                let _gone = gone.on_drop();
                for_ever().await
            });
            let _gone = gone.on_drop();
            for_ever::<Result<(), _>>().await
        }))
        .unwrap_err();
    assert_eq!((polls.get(), gone.get()), (3, 5));
    assert_eq!(error.reason().map(|reason| reason.kind()), Some(ReasonKind::Aborted));
}

#[test]
fn i30_an_abort_of_one_child_and_what_holds_it() {
    let (gate, gone) = (Gate::new(), Count::default());
    drive(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        let kept = s.fork(async {
            let _gone = gone.on_drop();
            shield(Duration::MAX, gate.wait()).await;
            for_ever::<Result<(), _>>().await
        });
        let gone = &gone;
        let plain = s.fork(async move {
            let _gone = gone.on_drop();
            for_ever::<Result<(), _>>().await
        });
        yield_now().await;
        assert!(kept.abort() && plain.abort() && !plain.abort());
        let reason = plain.await.unwrap_err().reason().map(|reason| reason.kind());
        assert_eq!((reason, gone.get()), (Some(ReasonKind::Aborted), 1));
        assert!(!kept.is_ended(), "a shield is up");
        gate.open();
        assert!(kept.await.is_err() && !is_cancelled());
        Ok(())
    }))
    .unwrap();
    assert_eq!(gone.get(), 2);
}

#[test]
fn i30_an_abort_goes_on_into_the_nurseries_inside() {
    in_body(async |clock| {
        let run = scope().run(async |s: Scope<'_, Infallible>| {
            let child = s.fork(async {
                let run = nursery().grace(Duration::MAX).run(async |n: Nursery<Infallible>| {
                    n.go(async {
                        cancelled().await;
                        for_ever().await
                    });
                    for_ever::<Result<(), _>>().await
                });
                Ok(run.await.is_err())
            });
            sleep(SECOND).await;
            child.cancel();
            sleep(SECOND).await;
            assert!(!child.is_ended(), "the nursery inside gives a grace");
            assert!(child.abort());
            Ok(child.await.is_err())
        });
        assert!(run.await.unwrap());
        assert_eq!((clock.elapsed(), clock.sleeps()), (2 * SECOND, 0));
        assert!(Level::Aborted > Level::Cancelled);
    });
}
