//! Which future is polled, and when.

use super::{Count, counted, drive, for_ever, poll};
use allhome::in_place::LocalScope;
use allhome::{Scope, scope, yield_now};
use allhome_conformance::Gate;
use allhome_runs::Wakes;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

#[test]
fn i03_only_those_are_polled_that_were_woken() {
    let (body, polls) = (Count::default(), [const { Count(std::cell::Cell::new(0)) }; 3]);
    let (end, gates) = (Gate::new(), [(); 3].map(|()| Gate::new()));
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_>| {
        for (polls, gate) in polls.iter().zip(&gates) {
            s.go(counted(polls, gate));
        }
        counted(&body, &end).await;
        Ok(())
    }));
    let counts = || (body.get(), polls.each_ref().map(Count::get));
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!(counts(), (1, [1, 1, 1]));
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!(counts(), (1, [1, 1, 1]), "none was woken");
    assert_eq!(wakes.count(), 0);
    gates[1].open();
    assert_eq!(wakes.count(), 1);
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!(counts(), (1, [1, 2, 1]));
    [&gates[0], &gates[2], &end].into_iter().for_each(Gate::open);
    assert_eq!(wakes.count(), 2, "the caller's task is woken once for all of them");
    assert!(poll(&mut run, &wakes).is_ready());
    assert_eq!(counts(), (2, [2, 2, 2]));
}

#[test]
fn i03_a_wake_is_for_the_child_and_not_for_the_next_in_its_slot() {
    let (kept, polls, end) = (Mutex::new(None::<Waker>), Count::default(), Gate::new());
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_>| {
        s.go(poll_fn(|cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::Ready(())
        }));
        yield_now().await;
        s.go(counted(&polls, &end));
        Ok(())
    }));
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!((polls.get(), wakes.count()), (1, 0));
    let late = kept.lock().unwrap().take().unwrap();
    late.wake_by_ref();
    assert_eq!(wakes.count(), 0, "the child has ended");
    assert!(poll(&mut run, &wakes).is_pending());
    assert_eq!(polls.get(), 1, "the one that has its slot was not woken");
    end.open();
    assert!(poll(&mut run, &wakes).is_ready());
    late.wake();
}

#[test]
fn i04_children_run_while_the_body_waits_for_something_else() {
    // A fair semaphore that is handed to a child which no task polls is a deadlock.
    let semaphore = allhome::Semaphore::new(1);
    let run = scope().run(async |s: Scope<'_>| {
        let permit = semaphore.acquire().await?;
        s.spawn(async {
            let _permit = semaphore.acquire().await?;
            yield_now().await;
            Ok(())
        });
        yield_now().await;
        drop(permit);
        // The child is granted it first, and is polled although the body waits here.
        let _permit = semaphore.acquire().await?;
        Ok(())
    });
    drive(run).unwrap();
}

#[test]
fn i04_children_that_spawn_without_end_keep_no_woken_child_away() {
    fn chain<'a>(s: &LocalScope<'a>, left: usize) {
        if left > 0 {
            let next = s.clone();
            s.go(async move { chain(&next, left - 1) });
        }
    }
    let (turns, seen) = (Count::default(), Count::default());
    drive(scope().local().run(async |s: LocalScope<'_>| {
        let inner = s.clone();
        s.go(async move { chain(&inner, 1_000) });
        s.go(async {
            for _ in 0..10 {
                turns.add();
                yield_now().await;
            }
        });
        for _ in 0..20 {
            yield_now().await;
        }
        (0..turns.get()).for_each(|_| seen.add());
        Ok(())
    }))
    .unwrap();
    assert_eq!(seen.get(), 10, "in twenty turns of the body it had its ten");
}

#[test]
fn i05_a_chatty_child_gives_way() {
    let polls = Count::default();
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_>| {
        s.go(async {
            loop {
                polls.add();
                yield_now().await;
            }
        });
        for_ever().await
    }));
    let mut run: std::pin::Pin<Box<dyn Future<Output = Result<(), allhome::GroupError<_>>> + '_>> =
        Box::pin(async move { run.as_mut().await });
    for round in 1..=3 {
        assert!(poll(&mut run, &wakes).is_pending());
        assert_eq!(wakes.count(), round, "it wants another turn");
        assert!(polls.get() <= 64 * round && polls.get() > 32 * round, "{}", polls.get());
    }
}

#[test]
fn i05_ready_children_beyond_the_budget_come_in_the_next_turn() {
    let done = Count::default();
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().local().run(async |s: LocalScope<'_>| {
        (0..1_000).for_each(|_| drop(s.go(async { done.add() })));
        Ok(())
    }));
    let mut polls = 0;
    while poll(&mut run, &wakes).is_pending() {
        polls += 1;
        assert_eq!(wakes.count(), polls);
        assert!(done.get() <= 64 * polls);
    }
    assert_eq!((done.get(), polls), (1_000, 15));
}

#[test]
fn i06_wakes_from_other_threads_are_seen() {
    const CHILDREN: usize = 100;
    for _ in 0..20 {
        let gates: Vec<Gate> = (0..CHILDREN).map(|_| Gate::new()).collect();
        let run = scope().run(async |s: Scope<'_>| {
            for gate in &gates {
                s.go(async {
                    gate.wait().await;
                    yield_now().await;
                });
            }
            Ok(())
        });
        std::thread::scope(|threads| {
            for half in gates.chunks(CHILDREN / 2) {
                threads.spawn(move || half.iter().for_each(Gate::open));
            }
            allhome::block_on(run).unwrap();
        });
    }
}

#[test]
fn i06_a_waker_that_outlives_the_scope_does_nothing() {
    let kept: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let keep = async || {
        poll_fn(|cx| {
            kept.lock().unwrap().push(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await
    };
    let wakes = Wakes::new();
    let mut run = Box::pin(scope().run(async |s: Scope<'_>| {
        s.go(keep());
        keep().await;
        Ok(())
    }));
    assert!(poll(&mut run, &wakes).is_pending());
    drop(run);
    let all = std::mem::take(&mut *kept.lock().unwrap());
    assert_eq!(all.len(), 2);
    all.iter().for_each(Waker::wake_by_ref);
    std::thread::spawn(move || all.into_iter().for_each(Waker::wake)).join().unwrap();
    assert_eq!(wakes.count(), 0);
}
