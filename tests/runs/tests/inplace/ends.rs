//! The end of a scope's future: ready, dropped, forgotten.

use super::{Count, Then, counted, drive, for_ever, poll};
use allhome::cancel::{ReasonKind, cancel_reason};
use allhome::in_place::LocalScope;
use allhome::{Scope, scope, yield_now};
use allhome_conformance::Gate;
use allhome_runs::Wakes;
use std::cell::{Cell, RefCell};
use std::mem;

#[test]
fn i01_ready_when_every_child_is_home() {
    let (gone, end) = (Count::default(), Gate::new());
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_>| {
        let (inner, gone, end) = (s.clone(), &gone, &end);
        s.go(async move {
            let _gone = gone.on_drop();
            end.wait().await;
            // A child may spawn siblings when the body is gone.
            inner.go(async move {
                let _gone = gone.on_drop();
                yield_now().await;
            });
        });
        Ok(7)
    }));
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!(gone.get(), 0);
    end.open();
    assert!(matches!(poll(&mut run, &wakes), std::task::Poll::Ready(Ok(7))));
    assert_eq!(gone.get(), 2);
}

#[test]
fn i01_no_children() {
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().run(async |_: Scope<'_>| Ok(1)));
    assert!(matches!(poll(&mut run, &wakes), std::task::Poll::Ready(Ok(1))));
    assert_eq!(wakes.count(), 0);
}

#[test]
fn i07_a_forgotten_scope_is_leaked_and_polled_no_more() {
    let (gone, end) = (Count::default(), Gate::new());
    let escaped = RefCell::new(None);
    let wakes = Wakes::new();
    {
        let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_>| {
            *escaped.borrow_mut() = Some(s.clone());
            s.go(async {
                let _gone = gone.on_drop();
                counted(&gone, &end).await;
            });
            let child = s.fork(async {
                let _gone = gone.on_drop();
                for_ever::<Result<(), _>>().await
            });
            Ok(child.await?)
        }));
        assert!(poll(&mut run, &wakes).is_pending());
        assert_eq!(gone.get(), 1, "one poll was counted");
        mem::forget(run);
    }
    let s = escaped.borrow_mut().take().unwrap();
    // It takes children still; none is ever polled.
    assert!(s.go(async { gone.add() }).is_admitted());
    end.open();
    s.cancel();
    assert_eq!(gone.get(), 1, "no destructor ran, and no poll");
    drop(s);
    assert_eq!(gone.get(), 1);
}

#[test]
fn i08_a_dropped_scope_drops_everything_where_it_waits() {
    let (polls, gone, why) = (Count::default(), Count::default(), RefCell::new(Vec::new()));
    let end = Gate::new();
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_>| {
        let (polls, gone, why, end) = (&polls, &gone, &why, &end);
        let note = move || {
            let _gone = gone.on_drop();
            let _why = Then(move || why.borrow_mut().push(cancel_reason().map(|r| r.kind())));
            (_gone, _why)
        };
        for _ in 0..3 {
            s.go(async move {
                let _note = note();
                counted(polls, end).await;
            });
        }
        let _note = note();
        yield_now().await;
        s.go(async move { drop(note()) });
        counted(polls, end).await;
        Ok(())
    }));
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!((polls.get(), gone.get()), (4, 1));
    why.borrow_mut().clear();
    let woken = wakes.count();
    drop(run);
    assert_eq!(wakes.count(), woken, "nothing is left to poll");
    assert_eq!((polls.get(), gone.get()), (4, 5), "all are dropped, and none is polled");
    assert_eq!(*why.borrow(), [Some(ReasonKind::ScopeDropped); 4]);
}

#[test]
fn i08_never_polled_and_polled_once() {
    let calls = Count::default();
    let run = scope().local().run(async |s: LocalScope<'_>| {
        calls.add();
        s.go(async { for_ever().await });
        for_ever::<Result<(), _>>().await
    });
    drop(run);
    assert_eq!(calls.get(), 0);
}

#[test]
fn i09_a_destructor_that_spawns() {
    // moro: a deadlock. A child that is dropped at its own end may spawn; one that is dropped with
    // the scope, or after a cancel, is refused.
    let (ran, refused) = (Count::default(), Count::default());
    drive(scope().local().run(async |s: LocalScope<'_>| {
        let inner = s.clone();
        let ran = &ran;
        let spawns = Then(move || drop(inner.go(async move { ran.add() })));
        s.go(async move {
            let _spawns = spawns;
            yield_now().await;
        });
        Ok(())
    }))
    .unwrap();
    assert_eq!(ran.get(), 1);

    let (escaped, wakes) = (RefCell::new(None), Wakes::new());
    fn spawns<'a>(s: LocalScope<'a, String>, refused: &'a Count) -> impl Sized + 'a {
        Then(move || {
            if s.go(async { unreachable!("never polled") }).refused().is_some() {
                refused.add();
            }
        })
    }
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_, String>| {
        *escaped.borrow_mut() = Some(s.clone());
        for _ in 0..2 {
            let spawns = spawns(s.clone(), &refused);
            s.go(async move {
                let _spawns = spawns;
                for_ever().await
            });
        }
        let _spawns = spawns(s, &refused);
        for_ever::<Result<(), String>>().await
    }));
    assert!(poll(&mut run, &wakes).is_pending());
    // This one is in the queue when the future is dropped.
    let s = escaped.borrow_mut().take().unwrap();
    let queued = spawns(s.clone(), &refused);
    s.go(async move { drop(queued) });
    drop(run);
    assert_eq!(refused.get(), 4);
}

#[test]
fn i18_a_handle_that_outlives_its_scope_refuses() {
    let escaped = drive(scope().run(async |s: Scope<'_>| Ok(s))).unwrap();
    let late = escaped.go(async { unreachable!("never polled") });
    assert_eq!(late.refused().map(|reason| reason.kind()), Some(ReasonKind::Closed));
    let late = escaped.task("late").fork(async { Ok(1) });
    let error = drive(late).unwrap_err();
    assert_eq!(error.name(), Some("late"));
    assert!(error.reason().is_some() && escaped.is_closed() && escaped.is_empty());
    escaped.cancel();
}

#[test]
fn i18_a_closed_scope_drops_the_future_unpolled() {
    let gone = Count::default();
    let error = drive(scope().local().run(async |s: LocalScope<'_, String>| {
        s.close();
        let guard = gone.on_drop();
        let late = s.go(async move {
            drop(guard);
            panic!("never polled")
        });
        assert!(!late.is_admitted());
        Err::<(), _>("counted".to_string())
    }))
    .unwrap_err();
    assert_eq!((gone.get(), error.refused_count()), (1, 1));
}

#[test]
fn i20_slots_are_used_again() {
    // One at a time, a hundred thousand in all.
    let live = Cell::new(0usize);
    let most = drive(scope().local().run(async |s: LocalScope<'_>| {
        let mut most = 0;
        for _ in 0..1_000 {
            let child = s.fork(async {
                live.set(live.get() + 1);
                yield_now().await;
                live.set(live.get() - 1);
                Ok(())
            });
            child.await?;
            most = most.max(s.len());
        }
        Ok(most)
    }));
    assert_eq!((most.unwrap(), live.get()), (0, 0));
}
