//! A scope with a limit: slots, places, and what is lent.

use super::{Count, drive, for_ever, poll};
use allhome::in_place::LocalScope;
use allhome::limit::{ReserveError, TryReserveError};
use allhome::runtime::LocalExecutor;
use allhome::{Nursery, Scope, Semaphore, nursery, scope, yield_now};
use allhome_conformance::Gate;
use allhome_runs::Wakes;
use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;

#[test]
fn i36_no_more_children_run_than_the_limit() {
    let (running, most, ran) = (Cell::new(0), Cell::new(0), Count::default());
    let child = async || {
        running.set(running.get() + 1);
        most.set(most.get().max(running.get()));
        yield_now().await;
        running.set(running.get() - 1);
        ran.add();
    };
    drive(scope().local().limit(3).run(async |s: LocalScope<'_, Infallible>| {
        for index in 0..20 {
            match index % 3 {
                0 => drop(s.go(child())),
                1 => drop(s.spawn(async {
                    child().await;
                    Ok(())
                })),
                _ => drop(s.fork(async {
                    child().await;
                    Ok(())
                })),
            }
        }
        s.idle().await;
        assert_eq!((s.limit(), s.limiter().map(|limiter| limiter.available())), (Some(3), Some(3)));
        Ok(())
    }))
    .unwrap();
    assert_eq!((most.get(), ran.get()), (3, 20));
}

#[test]
fn i36_the_spawner_waits_for_a_place() {
    let gate = Gate::new();
    drive(scope().local().limit(1).run(async |s: LocalScope<'_, Infallible>| {
        let place = s.reserve().await.unwrap();
        assert!(matches!(s.try_reserve(), Err(TryReserveError::Full)));
        let first = place.name("first").fork(async {
            gate.wait().await;
            Ok(())
        });
        let mut second = Box::pin(s.reserve());
        assert!(poll(&mut second, &Wakes::new()).is_pending());
        gate.open();
        assert_eq!((first.name(), first.is_ended()), (Some("first"), false));
        let place = second.await.unwrap();
        assert!(first.is_ended(), "its slot is free when it is home");
        // A scope that is closed takes the child of a place that was reserved before.
        let mut third = Box::pin(s.reserve());
        let wakes = Wakes::new();
        assert!(poll(&mut third, &wakes).is_pending());
        s.close();
        assert_eq!(wakes.count(), 1);
        assert!(matches!(third.await, Err(ReserveError::Refused(_))));
        assert!(matches!(s.try_reserve(), Err(TryReserveError::Refused(_))));
        place.fork(async { Ok(()) }).value().await;
        assert!(!s.set_limit(2) || s.limit() == Some(2));
        Ok(())
    }))
    .unwrap();
}

#[test]
fn i36_a_child_that_waits_for_its_slot_is_cancelled_unpolled() {
    let gone = Count::default();
    let limiter = Arc::new(Semaphore::new(1));
    let held = limiter.try_acquire().unwrap();
    let error =
        drive(scope().local().limiter(&limiter).run(async |s: LocalScope<'_, Infallible>| {
            let own = gone.on_drop();
            let child = s.fork::<(), _>(async move {
                drop(own);
                unreachable!("never polled")
            });
            yield_now().await;
            child.cancel();
            assert!(child.await.is_err());
            let own = gone.on_drop();
            s.go(async move {
                drop(own);
                unreachable!("never polled")
            });
            yield_now().await;
            limiter.close();
            yield_now().await;
            assert!(!s.go(async { unreachable!("there is no slot") }).is_admitted());
            s.cancel();
            for_ever::<Result<(), _>>().await
        }))
        .unwrap_err();
    assert_eq!((gone.get(), error.is_cancel()), (2, true));
    assert!(error.refused_count() >= 1);
    drop(held);
}

#[test]
fn i36_a_task_lends_its_slot_to_the_children_of_a_scope_inside() {
    let local = LocalExecutor::new();
    let limiter = Arc::new(Semaphore::new(1));
    let sum =
        local.run(nursery().on(&local).limiter(&limiter).run(async |n: Nursery<Infallible>| {
            let limiter = limiter.clone();
            let child = n.fork(async move {
                let run = scope().limiter(&limiter).run(async |s: Scope<'_, Infallible>| {
                    let parts = [1, 2, 3].map(|part| s.fork(async move { Ok(part) }));
                    let mut sum = 0;
                    for part in parts {
                        sum += part.value().await;
                    }
                    Ok(sum)
                });
                let sum = run.await.unwrap();
                assert_eq!(limiter.available(), 0, "it has its slot back");
                Ok(sum)
            });
            Ok(child.value().await)
        }));
    assert_eq!((sum.unwrap(), limiter.available()), (6, 1));
}

#[test]
fn i18_a_refused_future_comes_back() {
    let polls = Count::default();
    drive(scope().local().run(async |s: LocalScope<'_, Infallible>| {
        let polls = &polls;
        assert!(
            s.try_spawn(async move {
                polls.add();
                Ok(())
            })
            .is_ok()
        );
        s.idle().await;
        s.close();
        let refused = s
            .try_spawn(async move {
                polls.add();
                Ok(())
            })
            .unwrap_err();
        assert_eq!(polls.get(), 1);
        refused.into_future().await
    }))
    .unwrap();
    assert_eq!(polls.get(), 2);
}
