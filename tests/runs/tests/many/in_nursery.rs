//! Futures that run as children of a nursery.

use super::{gated, gates};
use allhome::join::RaceExt;
use allhome::local::LocalNursery;
use allhome::many::ConcurrentExt;
use allhome::runtime::LocalExecutor;
use allhome::{Nursery, Policy, nursery, yield_now};
use allhome_conformance::Counts;
use allhome_runs::place::settle;
use allhome_runs::{Log, everywhere, in_all_schedules, world};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;

#[test]
fn p24_they_run_while_nothing_polls_the_stream() {
    let (stepped, clock, runtime) = world();
    let (gates, log) = (gates(9), Log::default());
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let mut stream = (0..9).map_concurrent(2, gated(&gates, &log)).on(&n);
        assert!(stream.next().until(settle()).await.is_err());
        assert_eq!((log.take(), n.len()), (vec!["0 begins".into(), "1 begins".into()], 2));
        gates[0].open();
        gates[1].open();
        settle().await;
        assert_eq!(n.len(), 0, "both have ended, and no item was taken meanwhile");
        assert_eq!(stream.next().await, Some(0));
        assert_eq!(stream.next().await, Some(1));
        assert!(log.is_empty(), "an item is taken by a poll");
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
}

#[test]
fn p24_everywhere_each_item_once() {
    everywhere(async |n| {
        let each = async |item: usize| {
            for _ in 0..item % 3 {
                yield_now().await;
            }
            item * 2
        };
        let ordered: Vec<_> = (0..7).map_concurrent(3, each).on(&n).collect().await;
        assert_eq!(ordered, [0, 2, 4, 6, 8, 10, 12]);
        let mut all: Vec<_> = (0..7).map_concurrent(3, each).on(&n).unordered().collect().await;
        all.sort_unstable();
        assert_eq!(all, ordered);
        Ok(())
    });
}

#[test]
fn p24_in_a_local_nursery() {
    let (executor, sum) = (LocalExecutor::new(), Rc::new(Cell::new(0)));
    let run = nursery().local(&executor).run(async |n: LocalNursery<Infallible>| {
        let each = |item: u32| {
            let sum = sum.clone();
            async move {
                yield_now().await;
                sum.set(sum.get() + item);
                Rc::new(item)
            }
        };
        let all: Vec<_> = (0..5).map_concurrent(2, each).on(&n).collect().await;
        assert!(all.iter().map(|item| **item).eq(0..5));
        Ok(())
    });
    executor.run(run).unwrap();
    assert_eq!(sum.get(), 10);
}

#[test]
fn p22_dropped_its_children_are_cancelled() {
    let (stepped, clock, runtime) = world();
    let (gates, log) = (gates(9), Log::default());
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let mut stream = (0..9).map_concurrent(2, gated(&gates, &log)).on(&n);
        assert!(stream.next().until(settle()).await.is_err());
        log.take();
        drop(stream);
        n.idle().await;
        assert_eq!(log.take(), ["0 dropped", "1 dropped"]);
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
}

#[test]
fn p22_in_all_schedules_nothing_is_left() {
    in_all_schedules(async |n| {
        let counts = Counts::new();
        let each = |item: u32| {
            let guard = counts.guard();
            async move {
                let _guard = guard;
                yield_now().await;
                item
            }
        };
        let mut stream = (0..9).map_concurrent(2, each).on(&n).unordered();
        stream.next().await;
        drop(stream);
        n.idle().await;
        assert!((2..=3).contains(&counts.drops()));
        Ok(())
    });
}

/// Its children are the nursery's: a panic is its failure, and ends the task that needs the value.
#[test]
fn p23_a_panic_of_a_child_is_the_nursery_s() {
    for policy in [Policy::FailFast, Policy::Isolate, Policy::WaitAll] {
        let (stepped, clock, runtime) = world();
        let run =
            nursery().policy(policy).panics(allhome::error::PanicPolicy::Report).on(runtime).run(
                async |n: Nursery<Infallible>| {
                    let mut stream = (0..9)
                        .map_concurrent(2, async |item| match item {
                            1 => panic!("a bug"),
                            _ => item,
                        })
                        .on(&n);
                    assert_eq!(stream.next().await, Some(0));
                    let _ = stream.next().await;
                    unreachable!("there is no value");
                },
            );
        let run: std::pin::Pin<Box<dyn Future<Output = Result<(), _>>>> = Box::pin(run);
        let error = clock.drive(&stepped, run).unwrap_err();
        assert_eq!(error.failures().len(), 1, "{policy:?}: {error}");
        assert!(error.to_string().contains("panicked: a bug"), "{error}");
    }
}

/// A nursery that takes no more children has no values, and the task that needs one ends.
#[test]
fn p24_a_nursery_that_refuses() {
    let (stepped, clock, runtime) = world();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        n.cancel();
        let mut stream = [1].map_concurrent(2, async |item| item).on(&n);
        let _ = stream.next().await;
        unreachable!("there is no value")
    });
    let run: std::pin::Pin<Box<dyn Future<Output = Result<(), _>>>> = Box::pin(run);
    let error = clock.drive(&stepped, run).unwrap_err();
    assert!(error.to_string().contains("the body was cancelled"), "{error}");
}

/// A child that waits for ever, of a stream in a task that is cancelled.
#[test]
fn p22_a_task_that_is_cancelled_drops_its_stream() {
    in_all_schedules(async |n| {
        let counts = Counts::new();
        let (m, inner) = (n.clone(), counts.clone());
        let child = n.fork(async move {
            // By value: in a task that is `Send`, a future that is `'static` must have no lifetime in
            // its type, and this closure's would have that of what it borrows.
            let each = move |_: u32| {
                let guard = inner.guard();
                async move {
                    let _guard = guard;
                    pending::<()>().await;
                }
            };
            (0..2).for_each_concurrent(2, each).on(&m).await;
            Ok(())
        });
        yield_now().await;
        child.cancel();
        n.idle().await;
        assert!(counts.drops() == 0 || counts.drops() == 2);
        Ok(())
    });
}
