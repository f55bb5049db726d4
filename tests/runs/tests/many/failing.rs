//! The first error, in place and in a nursery.

use super::{gates, poll_next};
use allhome::join::RaceExt;
use allhome::many::ConcurrentExt;
use allhome::{Nursery, Policy, block_on, cancelled, nursery, shield, sleep, yield_now};
use allhome_conformance::{Counts, Gate};
use allhome_runs::place::settle;
use allhome_runs::{Log, SECOND, Wakes, in_all_schedules, poll_once, world};
use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

type Job = Pin<Box<dyn Future<Output = Result<usize, usize>> + Send>>;

/// Makes futures that wait for the gate of their item; the odd ones fail.
fn odd_ones_fail(gates: &Arc<[Gate]>, counts: &Counts) -> impl FnMut(usize) -> Job + use<> {
    let (gates, counts) = (gates.clone(), counts.clone());
    move |item| {
        let (gate, guard) = (gates[item].clone(), counts.guard());
        Box::pin(async move {
            let _guard = guard;
            gate.wait().await;
            if item % 2 == 0 { Ok(item) } else { Err(item) }
        })
    }
}

#[test]
fn p21_in_order_the_error_comes_in_its_turn() {
    let (gates, counts, wakes) = (gates(9), Counts::new(), Wakes::new());
    let mut stream = (0..9).try_map_concurrent(5, odd_ones_fail(&gates, &counts));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    gates[4].open();
    gates[3].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    assert_eq!(counts.drops(), 2, "3 and 4 have ended; 0, 1 and 2 are needed; no 5 was begun");
    gates[0].open();
    gates[2].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(Ok(0))));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    // An earlier item fails: that is the error, however late it comes.
    gates[1].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(Err(1))));
    assert_eq!(counts.drops(), 5);
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(None));
}

#[test]
fn p21_in_order_later_ones_are_gone_at_once() {
    let (gates, counts, wakes) = (gates(9), Counts::new(), Wakes::new());
    let mut stream = (0..9).try_map_concurrent(5, odd_ones_fail(&gates, &counts));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    gates[4].open();
    gates[1].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    assert_eq!(counts.drops(), 4, "all but 0");
    gates[0].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(Ok(0))));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(Err(1))));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(None));
}

/// What a later item gave is of no use any more.
#[test]
fn p21_in_order_later_outputs_are_dropped_at_once() {
    let (gates, counts, wakes) = (gates(3), Counts::new(), Wakes::new());
    let mut stream = (0..3).try_map_concurrent(3, |item| {
        let (gate, guard) = (gates[item].clone(), counts.guard());
        async move {
            gate.wait().await;
            if item == 1 { Err(item) } else { Ok(guard) }
        }
    });
    assert!(poll_next(&mut stream, &wakes).is_pending());
    gates[2].open();
    assert!(poll_next(&mut stream, &wakes).is_pending());
    assert_eq!(counts.drops(), 0, "it is kept for its turn");
    gates[1].open();
    assert!(poll_next(&mut stream, &wakes).is_pending());
    assert_eq!(counts.drops(), 2, "that of 1, which has failed, and the output of 2");
}

#[test]
fn p21_unordered_the_first_error_is_given_at_once() {
    let (gates, counts, wakes) = (gates(9), Counts::new(), Wakes::new());
    let mut stream = (0..9).try_map_concurrent(5, odd_ones_fail(&gates, &counts)).unordered();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    gates[2].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(Ok(2))));
    gates[3].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(Err(3))));
    assert_eq!(counts.drops(), 5, "all that were begun are gone, and the source with them");
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(None));
}

#[test]
fn p21_the_source_is_dropped_at_the_error() {
    let source = Counts::new();
    let guard = source.guard();
    let items = (0..9).inspect(move |_| {
        let _part = &guard;
    });
    let fails = |item| ready(if item == 3 { Err(item) } else { Ok(()) });
    let mut all = Box::pin(items.try_for_each_concurrent(2, fails));
    assert_eq!(poll_once(&mut all, &Wakes::new()), Poll::Ready(Err(3)));
    assert_eq!(source.drops(), 1);
}

#[test]
fn p21_all_or_the_error() {
    let halves = |item: u32| ready(if item % 2 == 0 { Ok(item / 2) } else { Err(item) });
    let all: Result<Vec<_>, _> = block_on([2, 4, 6].try_map_concurrent(2, halves).try_collect());
    assert_eq!(all, Ok(vec![1, 2, 3]));
    let all: Result<Vec<_>, _> = block_on([2, 5, 6, 7].try_map_concurrent(4, halves).try_collect());
    assert_eq!(all, Err(5));
}

/// The errors are the stream's, and no failures of the nursery; the losers are gone before.
#[test]
fn p24_in_a_nursery_the_losers_are_gone_before_the_error() {
    for policy in [Policy::FailFast, Policy::Isolate, Policy::WaitAll] {
        let (stepped, clock, runtime) = world();
        let log = Log::default();
        let run = nursery().policy(policy).on(runtime).run(async |n: Nursery<&'static str>| {
            let each = |item: u32| {
                let log = log.clone();
                async move {
                    if item == 2 {
                        return Err("bad item");
                    }
                    let reason = cancelled().await;
                    shield(SECOND * 9, sleep(SECOND)).await;
                    log.note(format!("{item} {:?}", reason.kind()));
                    Ok(())
                }
            };
            let result = (0..).try_for_each_concurrent(3, each).on(&n).await;
            assert_eq!((result, n.len()), (Err("bad item"), 0));
            Ok(())
        });
        clock.drive(&stepped, run).expect("the nursery has no failure");
        let mut ended = log.take();
        ended.sort_unstable();
        assert_eq!(ended, ["0 RaceLost", "1 RaceLost"], "{policy:?}");
    }
}

/// In the order of the items those before the failed one are needed, and those after it are not.
#[test]
fn p24_in_order_in_a_nursery() {
    let (stepped, clock, runtime) = world();
    let (gates, counts) = (gates(9), Counts::new());
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let mut stream = (0..9).try_map_concurrent(5, odd_ones_fail(&gates, &counts)).on(&n);
        gates[1].open();
        gates[3].open();
        assert!(stream.next().until(settle()).await.is_err(), "0 has its turn");
        assert_eq!((counts.drops(), n.len()), (4, 1));
        gates[0].open();
        assert_eq!(stream.next().await, Some(Ok(0)));
        assert_eq!(stream.next().await, Some(Err(1)));
        assert_eq!((counts.drops(), stream.next().await), (5, None));
        Ok(())
    });
    clock.drive(&stepped, run).expect("the errors are the stream's");
}

#[test]
fn p24_in_all_schedules_the_error_is_that_of_the_first_item() {
    in_all_schedules(async |n| {
        let each = async |item: u32| {
            yield_now().await;
            if item == 0 { Ok(item) } else { Err(item) }
        };
        let mut stream = (0..3).try_map_concurrent(3, each).on(&n);
        assert_eq!(stream.next().await, Some(Ok(0)));
        assert_eq!(stream.next().await, Some(Err(1)));
        assert_eq!((stream.next().await, n.len()), (None, 0));
        Ok(())
    });
}
