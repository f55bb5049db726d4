//! Panics of the child, of the body and of destructors: contained, and told once.

use super::{Count, Then, drive, failures, for_ever, poll};
use allhome::error::PanicPolicy;
use allhome::in_place::LocalScope;
use allhome::{scope, yield_now};
use allhome_runs::Wakes;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

fn text(payload: Box<dyn std::any::Any + Send>) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("another")
}

#[test]
fn i10_a_child_that_panics() {
    let gone = Count::default();
    let run = |panics| {
        scope().local().panics(panics).run(async |s: LocalScope<'_, String>| {
            s.go(async {
                let _gone = gone.on_drop();
                for_ever().await
            });
            s.task("broken").go(async {
                yield_now().await;
                panic!("no disk")
            });
            for_ever::<Result<(), _>>().await
        })
    };
    let payload = catch_unwind(AssertUnwindSafe(|| drive(run(PanicPolicy::Resume)))).unwrap_err();
    assert_eq!((text(payload), gone.get()), ("no disk", 1), "when all are home");
    let error = drive(run(PanicPolicy::Report)).unwrap_err();
    assert_eq!((failures(&error), gone.get()), (vec!["broken".to_string()], 2));
    assert_eq!(error.panics().next().unwrap().message(), "no disk");
}

#[test]
fn i10_a_body_that_panics() {
    let count = Count::default();
    let gone = &count;
    let run = |early: bool| {
        scope().local().panics(PanicPolicy::Report).run(async move |s: LocalScope<'_, String>| {
            s.go(async move {
                let _gone = gone.on_drop();
                for_ever().await
            });
            if !early {
                yield_now().await;
            }
            panic!("no");
            #[allow(unreachable_code, reason = "it says what type the future gives")]
            Ok(())
        })
    };
    for early in [true, false] {
        let error = drive(run(early)).unwrap_err();
        assert_eq!((error.panics().count(), error.first().task()), (1, None));
    }
    assert_eq!(gone.get(), 1, "one was never polled");
    // So does the function that makes the body.
    let made = scope().local().panics(PanicPolicy::Report).run(|_: LocalScope<'_, String>| {
        if true {
            panic!("no");
        }
        std::future::ready(Ok(()))
    });
    assert_eq!(drive(made).unwrap_err().panics().count(), 1);
}

#[test]
fn i10_a_destructor_that_panics() {
    let error = drive(scope().local().panics(PanicPolicy::Report).run(
        async |s: LocalScope<'_, String>| {
            let child = s.task("returned").fork(async {
                let _then = Then(|| panic!("no"));
                yield_now().await;
                Ok(1)
            });
            assert!(child.await.unwrap_err().panic().is_some(), "the value is lost");
            Ok(())
        },
    ))
    .unwrap_err();
    assert_eq!(failures(&error), ["returned"]);
    // Of a child that is cancelled, and of one that has panicked.
    let error = drive(scope().local().panics(PanicPolicy::Report).run(
        async |s: LocalScope<'_, String>| {
            s.task("cancelled").go(async {
                let _then = Then(|| panic!("no"));
                for_ever().await
            });
            yield_now().await;
            s.task("unpolled").go({
                let then = Then(|| panic!("no"));
                async move { drop(then) }
            });
            s.cancel();
            Ok(())
        },
    ))
    .unwrap_err();
    assert_eq!(error.panics().count(), 2);
}

#[test]
fn i10_destructors_that_panic_when_the_scope_is_dropped() {
    // async-scoped and moro: the process aborts.
    let gone = Count::default();
    let wakes = Wakes::new();
    let open = || {
        let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_, String>| {
            for _ in 0..3 {
                s.go(async {
                    let _gone = gone.on_drop();
                    let _then = Then(|| panic!("in a destructor"));
                    for_ever().await
                });
            }
            let _then = Then(|| panic!("in the body's destructor"));
            for_ever::<Result<(), _>>().await
        }));
        assert!(poll(&mut run, &wakes).is_pending());
        run
    };
    drop(open());
    assert_eq!(gone.get(), 3);
    // Also while another panic unwinds.
    let payload = catch_unwind(AssertUnwindSafe(|| {
        let _run = open();
        panic!("the caller's");
    }))
    .unwrap_err();
    assert_eq!((text(payload), gone.get()), ("the caller's", 6));
}

#[test]
fn i10_a_waker_that_panics() {
    struct Broken;
    impl std::task::Wake for Broken {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("no");
        }
    }
    let gate = allhome_conformance::Gate::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_, String>| {
        s.go(gate.wait());
        Ok(())
    }));
    let broken = Waker::from(std::sync::Arc::new(Broken));
    let polled = run.as_mut().poll(&mut std::task::Context::from_waker(&broken));
    assert!(polled.is_pending());
    gate.open();
    assert!(poll(&mut run, &Wakes::new()).is_ready());
}
