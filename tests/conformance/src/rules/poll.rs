//! R2: polling. That a task is not polled after it was ready (R22) its type sees to: it is spent.

use super::probe::Probe;
use crate::bench::{Bench, many, outside, pump, until};
use crate::probe::Counts;
use crate::rule::rules;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;

rules! { "poll":
    Must r21_one_poll_at_a_time []
        "A future is `&mut` while it is polled; two at once are undefined behaviour."
        "a wake during the poll queues the task at once, and another thread takes it";
    Should r24_no_poll_without_a_wake []
        "A poll that nobody asked for costs every child a look at its whole future."
        "one waker for all tasks, or a loop over all of them";
    Must r26_stack_does_not_grow_with_a_chain []
        "A chain of children that wait for each other ends in one go."
        "`wake` polls the task on the caller's stack, and that poll wakes the next";
}

fn r21_one_poll_at_a_time(bench: &mut Bench) {
    let (runtime, counts, polls) = (bench.runtime(), Counts::new(), many(2_000));
    let (busy, overlaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let seen = overlaps.clone();
    bench.drive(async {
        let guard = counts.guard();
        let stop = Arc::new(AtomicBool::new(false));
        let (mut threads, mut left, stops) = (Vec::new(), polls, stop.clone());
        runtime.run(poll_fn(move |cx| {
            let _ = &guard;
            if busy.swap(true, Ordering::SeqCst) {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            while threads.len() < 3 {
                let (waker, stop) = (cx.waker().clone(), stop.clone());
                threads.push(outside(move || wake_until(&waker, &stop)));
            }
            cx.waker().wake_by_ref();
            thread::yield_now();
            busy.store(false, Ordering::SeqCst);
            left -= 1;
            if left > 0 {
                return Poll::Pending;
            }
            stops.store(true, Ordering::SeqCst);
            Poll::Ready(())
        }));
        until("a task that 3 threads wake has had its polls", || counts.drops() == 1).await;
    });
    assert_eq!(overlaps.load(Ordering::SeqCst), 0, "polls overlapped");
}

/// Wakes without pause, but not for ever: it must not wait for the runtime.
fn wake_until(waker: &Waker, stop: &AtomicBool) {
    for _ in 0..20_000 {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        waker.wake_by_ref();
    }
}

fn r24_no_poll_without_a_wake(bench: &mut Bench) {
    let (runtime, idle, busy) = (bench.runtime(), Probe::new(), Probe::new());
    bench.drive(async {
        runtime.run(idle.future());
        runtime.run(busy.future());
        until("both are polled", || idle.polls() > 0 && busy.polls() > 0).await;
        pump(&runtime).await;
        let before = idle.polls();
        for _ in 0..10 {
            let polls = busy.polls();
            busy.waker().wake();
            until("the task that was woken is polled", || busy.polls() > polls).await;
        }
        pump(&runtime).await;
        assert_eq!(idle.polls() - before, 0, "a task was polled that nobody woke");
        idle.finish();
        busy.finish();
        until("both are dropped", || idle.drops() + busy.drops() == 2).await;
    });
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

fn r26_stack_does_not_grow_with_a_chain(bench: &mut Bench) {
    // With a runtime that does nest, few enough for any stack.
    const LINKS: usize = 200;
    let (runtime, deepest) = (bench.runtime(), Arc::new(AtomicUsize::new(0)));
    bench.drive(async {
        let probes: Vec<_> = (0..LINKS).map(|_| Probe::new()).collect();
        for (at, probe) in probes.iter().enumerate() {
            let (mut future, deepest) = (Box::pin(probe.future()), deepest.clone());
            let next = probes.get(at + 1).cloned();
            runtime.run(poll_fn(move |cx| {
                let depth = DEPTH.get() + 1;
                DEPTH.set(depth);
                deepest.fetch_max(depth, Ordering::SeqCst);
                let poll = future.as_mut().poll(cx);
                if let (Poll::Ready(()), Some(next)) = (poll, &next) {
                    next.finish();
                }
                DEPTH.set(depth - 1);
                poll
            }));
        }
        until("all are polled", || probes.iter().all(|probe| probe.polls() > 0)).await;
        probes[0].finish();
        until("each has woken the next", || probes.iter().all(|probe| probe.drops() == 1)).await;
    });
    let deepest = deepest.load(Ordering::SeqCst);
    assert!(deepest < LINKS / 2, "{deepest} polls stood on one stack");
}
