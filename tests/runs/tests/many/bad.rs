//! Bad input: limits of nothing, panics, and calls that come too late.

use super::poll_next;
use allhome::many::{ConcurrentExt, ConcurrentStreamExt};
use allhome_conformance::{Counts, DropPanics, Gate};
use allhome_runs::Wakes;
use futures_util::Stream;
use futures_util::stream::poll_fn;
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

type Job = Pin<Box<dyn Future<Output = u32>>>;

fn message(call: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(call)).expect_err("it panics");
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| {
        payload.downcast_ref::<&str>().map(|text| (*text).to_string()).expect("it has a text")
    })
}

#[test]
fn p25_a_limit_of_nothing_is_refused() {
    let text = "with a limit of 0 no item is ever begun: use at least 1";
    assert_eq!(message(|| drop([1].map_concurrent(0, ready))), text);
    assert_eq!(message(|| drop([1].for_each_concurrent(0, |_| ready(())))), text);
    assert_eq!(message(|| drop([1].try_map_concurrent(0, |_| ready(Ok::<_, u8>(1))))), text);
    assert_eq!(message(|| drop([1].try_for_each_concurrent(0, |_| ready(Ok::<_, u8>(()))))), text);
}

#[test]
fn p25_called_after_a_poll_is_refused() {
    let mut stream = [1, 2].map_concurrent(1, ready);
    assert_eq!(poll_next(&mut stream, &Wakes::new()), Poll::Ready(Some(1)));
    let text = message(|| drop(stream.unordered()));
    assert_eq!(text, "`unordered` was called after a poll: call it before");
}

/// Waits for ever, and counts its drop.
fn waits(counts: &Counts) -> Job {
    let guard = counts.guard();
    Box::pin(async move {
        let _guard = guard;
        pending().await
    })
}

fn ends(mut stream: impl Stream<Item = u32> + Unpin, counts: &Counts) {
    let wakes = Wakes::new();
    assert_eq!(message(|| _ = poll_next(&mut stream, &wakes)), "a bug");
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(None));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(None));
    drop(stream);
    assert_eq!(counts.drops(), 2, "those that were begun are gone");
}

#[test]
fn p23_a_panic_ends_the_stream() {
    let counts = Counts::new();
    let mut next = 0;
    let source = poll_fn(|_| {
        next += 1;
        assert!(next < 3, "a bug");
        Poll::Ready(Some(next))
    });
    ends(ConcurrentStreamExt::map_concurrent(source, 9, |_| waits(&counts)), &counts);

    let counts = Counts::new();
    let make = |item| {
        assert!(item < 2, "a bug");
        waits(&counts)
    };
    ends((0..9).map_concurrent(9, make), &counts);

    let counts = Counts::new();
    let make = |item| -> Job {
        if item < 2 { waits(&counts) } else { Box::pin(async { panic!("a bug") }) }
    };
    ends((0..9).map_concurrent(9, make), &counts);
}

#[test]
fn p22_a_destructor_that_panics_leaves_nothing() {
    let (counts, wakes) = (Counts::new(), Wakes::new());
    let make = |item| {
        let (panics, waits) = ((item == 0).then(|| DropPanics("a bug")), waits(&counts));
        async move {
            let _panics = panics;
            waits.await
        }
    };
    let mut stream = (0..2).map_concurrent(2, make);
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    assert_eq!(message(|| drop(stream)), "a bug");
    assert_eq!(counts.drops(), 2);
}

/// A future may use the stream's own crate: a stream of streams, woken through both.
#[test]
fn p20_a_stream_in_a_stream() {
    let gate = Gate::new();
    let inner = |item: u32| {
        let gate = &gate;
        async move {
            let each = async |part: u32| {
                gate.wait().await;
                item * 10 + part
            };
            (0..2).map_concurrent(2, each).collect::<Vec<_>>().await
        }
    };
    let (mut stream, wakes) = (Box::pin((0..2).map_concurrent(2, inner)), Wakes::new());
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Pending);
    gate.open();
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(vec![0, 1])));
    assert_eq!(poll_next(&mut stream, &wakes), Poll::Ready(Some(vec![10, 11])));
}
