//! Handles: values, outcomes, failures that are left to the joiner.

use super::{Count, drive, failures, for_ever};
use allhome::in_place::LocalScope;
use allhome::join::{Children, first_ok, race};
use allhome::task::{Outcome, TaskState, task_id};
use allhome::{Policy, Scope, scope, yield_now};
use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

#[test]
fn i14_the_joiner_gets_the_value_when_the_child_has_left() {
    let gone = Count::default();
    drive(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        let mut child = s.task("six").fork(async {
            let _gone = gone.on_drop();
            yield_now().await;
            Ok(Rc::new(6))
        });
        assert_eq!((child.state(), child.is_ended(), s.len()), (TaskState::Queued, false, 1));
        assert!(child.try_join().is_none());
        // By reference, the wait may be dropped and begun again.
        drop(allhome::move_on_after(std::time::Duration::ZERO, &mut child));
        let value = (&mut child).await.unwrap();
        assert_eq!((*value, gone.get(), s.len()), (6, 1, 0));
        assert_eq!((child.state(), child.name()), (TaskState::Ended, Some("six")));
        assert!((&mut child).await.unwrap_err().is_taken(), "it is given once");
        Ok(())
    }))
    .unwrap();
}

#[test]
fn i14_a_handle_outlives_the_scope() {
    let child = drive(scope().run(async |s: Scope<'_, Infallible>| {
        Ok(s.fork(async {
            yield_now().await;
            Ok(7)
        }))
    }));
    assert_eq!(drive(child.unwrap()).unwrap(), 7);
}

#[test]
fn i14_a_value_that_no_task_joins_is_dropped_first() {
    let gone = Count::default();
    drive(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        drop(s.fork(async {
            yield_now().await;
            Ok(gone.on_drop())
        }));
        let kept = s.fork(async { Ok(gone.on_drop()) });
        yield_now().await;
        yield_now().await;
        assert_eq!((gone.get(), s.len()), (1, 0));
        drop(kept);
        assert_eq!(gone.get(), 2);
        Ok(())
    }))
    .unwrap();
}

#[test]
fn i15_errors_say_which_child() {
    let error = drive(scope().policy(Policy::WaitAll).run(async |s: Scope<'_, &str>| {
        let id = s.task("named").spawn(async {
            assert_eq!(task_id().unwrap().number(), 1);
            Err("no")
        });
        assert_eq!(id.id().map(|id| (id.nursery(), id.number())), Some((s.id(), 1)));
        let place = std::panic::Location::caller();
        let error = s.fork(async { Err::<(), _>("neither") }).await.unwrap_err();
        assert_eq!(error.location().unwrap().line(), place.line() + 1);
        assert_eq!((error.error(), error.task().unwrap().number()), (Some(&"neither"), 2));
        assert_eq!(task_id(), None, "the body has none");
        Ok(())
    }))
    .unwrap_err();
    let mut numbers: Vec<_> = error.failures().map(|f| f.task().unwrap().number()).collect();
    numbers.sort();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn i23_an_isolated_failure_is_the_joiners() {
    let isolated = || scope().policy(Policy::Isolate);
    let value = drive(isolated().run(async |s: Scope<'_, &str>| {
        let outcome = s.fork(async { Err::<u8, _>("no") }).await.unwrap_err().into_outcome::<u8>();
        assert!(matches!(outcome, Some(Outcome::Err(error)) if *error == "no"));
        Ok(1)
    }));
    assert_eq!(value.unwrap(), 1);
    let error = drive(isolated().run(async |s: Scope<'_, &str>| {
        let unseen = s.task("unseen").fork(async { Err::<u8, _>("no") });
        s.task("spawned").spawn(async { Err("neither") });
        yield_now().await;
        yield_now().await;
        drop(unseen);
        Ok(1)
    }))
    .unwrap_err();
    assert_eq!(failures(&error), ["spawned", "unseen"]);
}

#[test]
fn i23_supervised_failures_are_counted() {
    let ran = Cell::new(0);
    let run = scope().policy(Policy::Supervise).local().run(async |s: LocalScope<'_, &str>| {
        for _ in 0..3 {
            s.spawn(async {
                ran.set(ran.get() + 1);
                Err("reset by peer")
            });
        }
        s.go(async { panic!("reported as none") });
        Ok("served")
    });
    assert_eq!((drive(run).unwrap(), ran.get()), ("served", 3));
}

#[test]
fn i25_a_value_that_is_lacking_ends_the_joiner() {
    // The scope reports the child, and the joiners with it.
    let error = drive(scope().policy(Policy::WaitAll).run(async |s: Scope<'_, &str>| {
        let child = s.task("cause").fork(async { Err::<u8, _>("no") });
        s.task("joiner").spawn(async move {
            let _: u8 = child.value().await;
            Ok(())
        });
        Ok(())
    }))
    .unwrap_err();
    assert_eq!((failures(&error), error.cancelled_count()), (vec!["cause".to_string()], 1));
    // A cancelled child is no failure that the scope reports: the joiner is one.
    let error = drive(scope().run(async |s: Scope<'_, &str>| {
        let child = s.task("cause").fork(for_ever::<Result<u8, _>>());
        yield_now().await;
        child.cancel();
        let joiner = s.task("joiner").fork(async move { Ok(child.value().await) });
        Ok(joiner.value().await)
    }))
    .unwrap_err();
    assert_eq!(failures(&error), ["joiner"]);
    assert!(matches!(error.first().cause(), allhome::error::Cause::NoValue(_)));
    // The body by `?`.
    let error = drive(scope().run(async |s: Scope<'_, allhome::BoxError>| {
        let child = s.task("cause").fork(async { Err::<u8, _>("no".into()) });
        Ok(child.await?)
    }))
    .unwrap_err();
    assert_eq!((failures(&error), error.echoes().len()), (vec!["cause".to_string()], 1));
}

#[test]
fn p04_the_children_of_a_race_borrow() {
    let (texts, gone) = (["one", "three"], Count::default());
    let run = scope().local().run(async |s: LocalScope<'_, Infallible>| {
        let longest = s.fork(async { Ok(texts.iter().map(|text| text.len()).max()) });
        let waits = s.fork(async {
            let _gone = gone.on_drop();
            for_ever().await
        });
        let first = race([waits, longest]).await.unwrap();
        assert_eq!((gone.get(), s.len()), (1, 0), "the loser is gone");
        Ok(first)
    });
    assert_eq!(drive(run).unwrap(), Some(5));
}

#[test]
fn p11_a_child_of_a_scope_that_is_not_opened_is_one_that_no_joiner_took() {
    for opens in [false, true] {
        let run = scope().policy(Policy::Isolate).run(async |s: Scope<'_, &'static str>| {
            let bad = s.task("bad").fork(async { Err::<(), _>("bad") });
            let mut children = Children::from_iter([bad]);
            let child = children.join_next().await.expect("there is one");
            assert_eq!((child.name(), child.is_ok(), s.len()), (Some("bad"), false, 0));
            if opens {
                assert_eq!(child.into_result().unwrap_err().error(), Some(&"bad"));
            } else {
                drop(child);
            }
            Ok(())
        });
        assert_eq!(drive(run).is_ok(), opens);
    }
}

#[test]
fn p11_an_error_that_follows_from_a_scope_s_failure_is_an_echo() {
    let run = scope().policy(Policy::WaitAll).run(async |s: Scope<'_, &'static str>| {
        let bad = s.fork(async { Err::<u8, _>("bad") });
        first_ok([bad]).await.map_err(|_| "nothing was left to try")
    });
    let error = drive(run).unwrap_err();
    assert_eq!((error.failures().len(), error.first().error()), (1, Some(&"bad")));
    assert_eq!(error.echoes().len(), 1);
    // A scope that is cancelled refuses, which is told, too.
    let run = scope().run(async |s: Scope<'_, &'static str>| {
        s.cancel();
        race([s.fork(async { Ok(1) })]).await.map_err(|_| "it was refused")
    });
    let error = drive(run).unwrap_err();
    assert!(error.is_cancel() && error.echoes().len() == 1, "{error:?}");
}
