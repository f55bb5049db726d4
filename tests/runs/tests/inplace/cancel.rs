//! Cancels and failures: what the siblings, the body and the joiner see.

use super::{Count, Then, counted, drive, failures, for_ever, poll};
use allhome::cancel::{ReasonKind, cancel_reason, cancel_token, cancelled};
use allhome::in_place::LocalScope;
use allhome::task::exit;
use allhome::{
    Policy, Reason, Scope, checkpoint, is_cancelled, move_on_after, scope, shield, yield_now,
};
use allhome_conformance::Gate;
use allhome_runs::Wakes;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

#[test]
fn i11_the_first_failure_cancels_the_others() {
    let (last, why) = (Count::default(), RefCell::new(None));
    let error = drive(scope().local().name("boot").run(async |s: LocalScope<'_, &str>| {
        s.task("waits").spawn(poll_fn(|_| {
            if is_cancelled() {
                last.add();
                *why.borrow_mut() = cancel_reason();
            }
            Poll::<Result<(), _>>::Pending
        }));
        s.task("fails").spawn(async {
            yield_now().await;
            Err("on fire")
        });
        for_ever::<Result<(), _>>().await
    }))
    .unwrap_err();
    assert_eq!(failures(&error), ["fails"]);
    assert_eq!(error.to_string(), "nursery `boot`: task `fails` failed: on fire");
    assert_eq!((error.cancelled_count(), last.get()), (1, 1), "one poll that shows it");
    let why = why.take().unwrap();
    assert_eq!((why.kind(), why.by()), (ReasonKind::ChildFailed, error.first().task()));
    assert!(error.reason().unwrap().same(&why));
}

#[test]
fn i11_wait_all_waits() {
    let gate = Gate::new();
    let error = drive(scope().policy(Policy::WaitAll).run(async |s: Scope<'_, &str>| {
        s.task("first").spawn(async { Err("one") });
        s.task("second").spawn(async {
            gate.wait().await;
            Err("two")
        });
        yield_now().await;
        gate.open();
        Ok(())
    }))
    .unwrap_err();
    assert_eq!(failures(&error), ["first", "second"]);
    assert!(error.reason().is_none());
}

#[test]
fn i11_the_body_that_fails_cancels_the_children() {
    let gone = Count::default();
    let error = drive(scope().local().run(async |s: LocalScope<'_, &str>| {
        s.go(async {
            let _gone = gone.on_drop();
            for_ever().await
        });
        yield_now().await;
        Err::<(), _>("no")
    }))
    .unwrap_err();
    assert_eq!((error.first().task(), gone.get(), error.cancelled_count()), (None, 1, 1));
    assert_eq!(error.reason().unwrap().kind(), ReasonKind::BodyFailed);
}

#[test]
fn i12_cancelled_before_its_first_poll() {
    let gone = Count::default();
    drive(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        let guard = gone.on_drop();
        let child = s.fork(async move {
            drop(guard);
            unreachable!("never polled");
            #[allow(unreachable_code, reason = "it says what type the future gives")]
            Ok(())
        });
        assert!(child.cancel());
        assert!(!child.cancel(), "it was cancelled before");
        assert_eq!(child.await.unwrap_err().reason().unwrap().kind(), ReasonKind::Requested);
        Ok(())
    }))
    .unwrap();
    assert_eq!(gone.get(), 1);
}

#[test]
fn i13_what_is_ready_in_the_last_poll_wins() {
    let value = drive(scope().run(async |s: Scope<'_, Infallible>| {
        let child = s.fork(async { Ok(cancelled().await.message().to_string()) });
        yield_now().await;
        child.cancel_with(Reason::new("closing time"));
        assert_eq!(child.await.unwrap(), "closing time");
        s.cancel_with(Reason::new("all of it"));
        // So does the body's own value.
        Ok(cancelled().await.message().to_string())
    }));
    assert_eq!(value.unwrap(), "all of it");
}

#[test]
fn i13_a_cancel_shows_at_once() {
    drive(scope().run(async |s: Scope<'_, Infallible>| {
        let token = cancel_token();
        assert!(!is_cancelled() && !token.is_cancelled());
        s.cancel();
        assert!(is_cancelled() && s.is_cancelled() && s.is_closed());
        assert!(cancel_token().is_cancelled());
        assert_eq!(checkpoint().await.unwrap_err().kind(), ReasonKind::Requested);
        Ok(())
    }))
    .unwrap();
}

#[test]
fn i13_a_child_that_is_cancelled_leaves_its_siblings_alone() {
    let (polls, end) = (Count::default(), Gate::new());
    drive(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        s.go(counted(&polls, &end));
        let child = s.fork(async {
            let token = cancel_token();
            let _end = Then(move || assert!(token.is_cancelled()));
            for_ever::<Result<(), _>>().await
        });
        yield_now().await;
        child.cancel();
        assert!(child.await.unwrap_err().reason().is_some());
        assert!(!is_cancelled());
        assert_eq!(polls.get(), 1);
        end.open();
        Ok(())
    }))
    .unwrap();
}

#[test]
fn i13_a_shield_holds_the_cancel_back() {
    let (gate, after) = (Gate::new(), Count::default());
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        s.go(async {
            shield(Duration::MAX, async {
                gate.wait().await;
                assert!(!is_cancelled());
                after.add();
            })
            .await;
            assert!(is_cancelled());
        });
        yield_now().await;
        s.cancel();
        Ok(())
    }));
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!(after.get(), 0);
    gate.open();
    assert!(poll(&mut run, &wakes).is_ready());
    assert_eq!(after.get(), 1);
}

#[test]
fn i16_a_cancel_scope_around_ends_it_and_tells_it() {
    let last = Count::default();
    let ended = drive(move_on_after(Duration::ZERO, async {
        let result = scope()
            .local()
            .run(async |s: LocalScope<'_, Infallible>| {
                s.go(poll_fn(|_| {
                    if is_cancelled() {
                        last.add();
                    }
                    Poll::Pending
                }));
                for_ever::<Result<(), _>>().await
            })
            .await;
        unreachable!("the cancel scope tells its end: {result:?}")
    }));
    assert!(ended.is_none());
    // At most one poll: it may have been cancelled before the first.
    assert!(last.get() <= 1);
}

#[test]
fn i16_a_cancel_of_the_task_around_is_its_own() {
    let (outer, inner) = (Count::default(), Count::default());
    drive(scope().local().run(async |s: LocalScope<'_, String>| {
        let child = s.fork(async {
            let _outer = outer.on_drop();
            let run = scope().local().run(async |s: LocalScope<'_, Infallible>| {
                for _ in 0..100 {
                    s.go(async {
                        let _inner = inner.on_drop();
                        let why = cancelled().await;
                        assert_eq!(why.message(), "enough");
                    });
                }
                for_ever::<Result<(), _>>().await
            });
            run.await.map_err(|error| {
                assert!(error.is_cancel());
                error.to_string()
            })
        });
        (0..3).for_each(|_| ());
        for _ in 0..5 {
            yield_now().await;
        }
        child.cancel_with(Reason::new("enough"));
        assert_eq!(child.await.unwrap_err().reason().unwrap().message(), "enough");
        Ok(())
    }))
    .unwrap();
    assert_eq!((outer.get(), inner.get()), (1, 100));
}

#[test]
fn i22_an_error_after_the_cancel_is_an_echo() {
    let error = drive(scope().run(async |s: Scope<'_, String>| {
        s.task("worker").spawn(async {
            let why = cancelled().await;
            Err(why.to_string())
        });
        s.task("cause").spawn(async {
            yield_now().await;
            Err("no disk".to_string())
        });
        let reason = cancelled().await;
        Err::<(), _>(reason.to_string())
    }))
    .unwrap_err();
    assert_eq!(failures(&error), ["cause"]);
    let mut echoes: Vec<_> = error.echoes().map(|echo| echo.name().unwrap_or("body")).collect();
    echoes.sort();
    assert_eq!(echoes, ["body", "worker"]);
}

#[test]
fn i24_exit_ends_the_child_alone() {
    let gone = Count::default();
    let value = drive(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        let child = s.fork(async {
            let _gone = gone.on_drop();
            match exit().await {}
            #[allow(unreachable_code, reason = "it says what type the future gives")]
            Ok(())
        });
        assert_eq!(child.await.unwrap_err().reason().unwrap().kind(), ReasonKind::Exited);
        Ok(1)
    }));
    assert_eq!((value.unwrap(), gone.get()), (1, 1));
}
