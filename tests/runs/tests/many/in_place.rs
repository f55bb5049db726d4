//! Futures that run in place: order, room, wakes, and how long a poll takes.

use super::{gated, gates, poll_next};
use allhome::many::{ConcurrentExt, ConcurrentStreamExt};
use allhome::{block_on, yield_now};
use allhome_conformance::Counts;
use allhome_runs::{Log, Wakes, poll_once};
use futures_channel::mpsc::unbounded;
use futures_util::{Stream, StreamExt};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::thread;

#[test]
fn p18_outputs_are_in_the_order_of_the_items() {
    let (gates, log, wakes) = (gates(3), Log::default(), Wakes::new());
    let mut stream = (0..3).map_concurrent(3, gated(&gates, &log));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    assert_eq!(log.take(), ["0 begins", "1 begins", "2 begins"]);
    gates[2].open();
    gates[1].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    gates[0].open();
    for item in 0..3 {
        assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(item)));
    }
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(None));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(None));
    assert!(log.is_empty(), "none was dropped before its end");
}

#[test]
fn p18_unordered_each_is_given_as_it_ends() {
    let (gates, log, wakes) = (gates(4), Log::default(), Wakes::new());
    let mut stream = (0..4).map_concurrent(3, gated(&gates, &log)).unordered();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    for (item, count) in [(2, 1), (3, 2), (0, 3), (1, 4)] {
        gates[item].open();
        assert_eq!(wakes.count(), count, "one wake for each");
        assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(item)));
        let next = if item == 1 { Poll::Ready(None) } else { Poll::Pending };
        assert_eq!(poll_next(&mut stream, &wakes), next);
    }
}

#[test]
fn p18_of_no_items_there_is_no_output() {
    let none: [u8; 0] = [];
    let all: Vec<u8> = block_on(none.map_concurrent(4, ready).collect());
    assert!(all.is_empty());
    block_on(none.for_each_concurrent(1, |_| ready(())));
    assert_eq!(block_on(none.try_for_each_concurrent(1, |_| ready(Err("none")))), Ok(()));
}

#[test]
fn p18_every_item_once_whatever_the_limit() {
    for (limit, count) in [(1, 5), (2, 200), (63, 64), (64, 1_000), (1_000, 10), (usize::MAX, 300)]
    {
        let turns = |item: usize| async move {
            for _ in 0..item % 3 {
                yield_now().await;
            }
            item
        };
        let ordered: Vec<usize> = block_on((0..count).map_concurrent(limit, turns).collect());
        assert!(ordered.into_iter().eq(0..count));
        let stream = (0..count).map_concurrent(limit, turns).unordered();
        assert_eq!(stream.size_hint(), (count, Some(count)));
        let stream = (0..count).map_concurrent(limit, turns).unordered();
        let mut unordered: Vec<usize> = block_on(stream.collect());
        unordered.sort_unstable();
        assert!(unordered.into_iter().eq(0..count));
    }
}

#[test]
fn p19_an_item_is_taken_when_there_is_room() {
    let (gates, log, wakes) = (gates(9), Log::default(), Wakes::new());
    let taken = AtomicUsize::new(0);
    let source = (0..9).inspect(|_| {
        taken.fetch_add(1, SeqCst);
    });
    let mut stream = source.map_concurrent(2, gated(&gates, &log));
    assert_eq!(taken.load(SeqCst), 0, "none before the first poll");
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    assert_eq!(taken.load(SeqCst), 2);
    // What has ended and was not given takes up room: memory is for two.
    gates[1].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    assert_eq!(taken.load(SeqCst), 2);
    gates[0].open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(0)));
    assert_eq!(taken.load(SeqCst), 2, "a slow consumer makes the source wait");
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(1)));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    assert_eq!(taken.load(SeqCst), 4);
}

#[test]
fn p19_a_source_that_is_slower_wakes_the_stream() {
    let (items, source) = unbounded();
    let wakes = Wakes::new();
    let mut stream = source.map_concurrent(2, async |item: u8| item * 10);
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    items.unbounded_send(1).unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(10)));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    drop(items);
    assert_eq!(wakes.count(), 2);
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(None));
}

#[test]
fn p20_only_what_was_woken_is_polled() {
    let (gates, wakes, polls) = (gates(100), Wakes::new(), Counts::new());
    let mut stream = (0..100).map_concurrent(100, |item| {
        let (polls, mut wait) = (polls.clone(), Box::pin(gates[item].wait()));
        poll_fn(move |cx| {
            polls.polled();
            wait.as_mut().poll(cx)
        })
    });
    while poll_next(&mut stream, &wakes).is_ready() || polls.polls() < 100 {}
    let before = wakes.count();
    gates[70].open();
    gates[3].open();
    assert_eq!(wakes.count(), before + 1, "the second finds the stream woken");
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending, "70 has ended before its turn");
    assert_eq!(polls.polls(), 102);
}

/// Neither one that wakes itself for ever nor a source that is always ready.
#[test]
fn p20_a_poll_has_an_end() {
    let (wakes, polls) = (Wakes::new(), Cell::new(0));
    let spins = |_| {
        let polls = &polls;
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            cx.waker().wake_by_ref();
            Poll::<u8>::Pending
        })
    };
    let mut stream = [1].map_concurrent(1, spins);
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    assert!(polls.get() <= 100 && wakes.count() == 1, "it has given way, to be polled again");
    let mut endless = (0_u64..).map_concurrent(usize::MAX, |_| pending::<u8>());
    assert_eq!(poll_next(&mut endless, &wakes), Poll::Pending);
    assert_eq!(wakes.count(), 2);
    let mut all = Box::pin((0_u64..).for_each_concurrent(9, |_| ready(())));
    assert!(poll_once(&mut all, &wakes).is_pending());
    let mut all = Box::pin((0_u64..).map_concurrent(9, ready).collect::<Vec<_>>());
    assert!(poll_once(&mut all, &wakes).is_pending());
    let mut all = Box::pin((0_u64..).try_for_each_concurrent(9, |_| ready(Ok::<_, u8>(()))));
    assert!(poll_once(&mut all, &wakes).is_pending());
    assert_eq!(wakes.count(), 5, "each gives way, to be polled again");
}

/// However fast the source is, and whatever wakes itself.
#[test]
fn p20_what_was_woken_has_its_turn() {
    let wakes = Wakes::new();
    let mut stream = (0..)
        .map_concurrent(3, |item: usize| async move {
            let yields = [usize::MAX, 2].get(item).copied().unwrap_or_default();
            for _ in 0..yields {
                yield_now().await;
            }
            item
        })
        .unordered();
    let mut given = Vec::new();
    while !given.contains(&1) {
        if let Poll::Ready(Some(item)) = poll_next(&mut stream, &wakes) {
            given.push(item);
        }
        assert!(given.len() < 100, "it starves: {given:?}");
    }
}

/// What an earlier future has kept of the slot's waker wakes the later one, which bears it.
#[test]
fn p20_late_wakers_do_no_harm() {
    let (wakes, kept) = (Wakes::new(), Cell::new(None));
    let mut stream = (0..3).map_concurrent(1, |item| {
        let kept = &kept;
        let mut polls = 0;
        poll_fn(move |cx| {
            polls += 1;
            let ready = item == 0 || polls == 2;
            if ready || item == 2 {
                kept.set(Some(cx.waker().clone()));
            }
            if ready { Poll::Ready(item) } else { Poll::Pending }
        })
    });
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(0)));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    kept.take().unwrap().wake();
    assert_eq!((wakes.count(), poll_next(&mut stream, &wakes)), (1, Poll::Ready(Some(1))));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    let late = kept.take().unwrap();
    drop(stream);
    late.wake();
    assert_eq!(wakes.count(), 1, "nothing is woken for a stream that is gone");
}

#[test]
fn p20_woken_from_other_threads_none_is_lost() {
    const ITEMS: usize = 2_000;
    let (wakers, waits) = std::sync::mpsc::channel::<std::task::Waker>();
    let waker = thread::spawn(move || waits.into_iter().for_each(std::task::Waker::wake));
    let sum = AtomicUsize::new(0);
    block_on((0..ITEMS).for_each_concurrent(70, |item| {
        let (wakers, sum) = (wakers.clone(), &sum);
        let mut polls = 0;
        poll_fn(move |cx| {
            polls += 1;
            if polls > item % 3 {
                sum.fetch_add(item, SeqCst);
                return Poll::Ready(());
            }
            wakers.send(cx.waker().clone()).unwrap();
            Poll::Pending
        })
    }));
    assert_eq!(sum.into_inner(), ITEMS * (ITEMS - 1) / 2);
    drop(wakers);
    waker.join().unwrap();
}

#[test]
fn p22_a_stream_that_is_dropped_leaves_nothing() {
    let (gates, log, wakes) = (gates(4), Log::default(), Wakes::new());
    let source = Counts::new();
    let guard = source.guard();
    let items = (0..4).inspect(move |_| {
        let _part = &guard;
    });
    let mut stream = items.map_concurrent(2, gated(&gates, &log));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    log.take();
    drop(stream);
    assert_eq!((log.take(), source.drops()), (vec!["0 dropped".into(), "1 dropped".into()], 1));
    gates[0].open();
    assert_eq!(wakes.count(), 0);
}

/// Futures that borrow, that are not `Send`, and the streams of another crate.
#[test]
fn p18_beside_the_streams_of_futures() {
    let words = ["one", "three", "five"].map(String::from);
    let longest = Cell::new(0);
    let lengths = futures_util::stream::iter(&words).map_concurrent(2, async |word| {
        longest.set(longest.get().max(word.len()));
        word.len()
    });
    let doubled: Vec<usize> = block_on(StreamExt::collect(StreamExt::map(lengths, |n| n * 2)));
    assert_eq!((doubled, longest.get()), (vec![6, 10, 8], 5));
}
