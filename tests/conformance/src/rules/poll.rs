//! R2: polling. That a task is not polled after it was ready (R22) its type sees to: it is spent.

use super::probe::Probe;
use crate::fixture::{Fixture, before, first, many, outside, pump, step, turn, until};
use crate::rule::rules;
use allhome_rt::{Task, TaskData, Work};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

rules! { "poll":
    Must r21_one_poll_at_a_time []
        "A future is `&mut` while it is polled; two at once are undefined behaviour."
        "a wake during the poll queues the task at once, and another thread takes it";
    Should r24_no_poll_without_a_wake []
        "A poll without a wake costs every child a look at its whole future."
        "one waker for all tasks, or a loop over all of them";
    Must r26_stack_does_not_grow_with_a_chain []
        "A chain of children that wait for each other ends in one go."
        "`wake` polls the task on the caller's stack, and that poll wakes the next";
}

/// Work that sees a poll begin before another has ended. A task of a future would not do: it has a
/// lock, so the second poll would wait for the first.
struct OnePoll {
    own: Mutex<Own>,
    overlaps: AtomicUsize,
    over: Arc<AtomicBool>,
}

struct Own {
    left: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Work for OnePoll {
    fn poll(&self, _: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        let Ok(mut own) = self.own.try_lock() else {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
            return Poll::Pending;
        };
        if own.left == 0 {
            return Poll::Pending;
        }
        while own.threads.len() < 3 {
            let (waker, stop) = (cx.waker().clone(), self.over.clone());
            own.threads.push(outside(move || wake_until(&waker, &stop)));
        }
        cx.waker().wake_by_ref();
        if own.left % 20 == 0 {
            // On a machine that is busy each of these takes long.
            thread::yield_now();
        }
        own.left -= 1;
        if own.left > 0 {
            return Poll::Pending;
        }
        self.over.store(true, Ordering::SeqCst);
        Poll::Ready(())
    }

    fn discard(&self, _: &mut TaskData) {
        self.over.store(true, Ordering::SeqCst);
    }
}

fn r21_one_poll_at_a_time(fixture: &mut Fixture) {
    let (runtime, over) = (fixture.runtime(), Arc::new(AtomicBool::new(false)));
    let own = Own { left: many(2_000), threads: Vec::new() };
    let (own, overlaps) = (Mutex::new(own), AtomicUsize::new(0));
    let work = Arc::new(OnePoll { own, overlaps, over: over.clone() });
    let overlaps = || work.overlaps.load(Ordering::SeqCst);
    fixture.drive(async {
        runtime.spawn(Task::new(work.clone(), TaskData::default()));
        // If a wake is lost, that is the matter of other rules.
        before(&["R31", "R32", "W17", "W16"], "a task that 3 threads wake has its polls");
        while !over.load(Ordering::SeqCst) && overlaps() == 0 {
            turn().await;
        }
        step("a task that 3 threads woke has had its polls");
    });
    over.store(true, Ordering::SeqCst);
    assert_eq!(overlaps(), 0, "polls overlapped");
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

fn r24_no_poll_without_a_wake(fixture: &mut Fixture) {
    let (runtime, idle, busy) = (fixture.runtime(), Probe::new(), Probe::new());
    fixture.drive(async {
        runtime.run(idle.future());
        runtime.run(busy.future());
        first("both are polled", || idle.polls() > 0 && busy.polls() > 0).await;
        pump(&runtime).await;
        let before = idle.polls();
        for _ in 0..10 {
            let polls = busy.polls();
            busy.waker().wake();
            until("the task that was woken is polled", || busy.polls() > polls).await;
        }
        pump(&runtime).await;
        assert_eq!(idle.polls() - before, 0, "a task was polled without a wake");
        idle.finish();
        busy.finish();
        until("both are dropped", || idle.drops() + busy.drops() == 2).await;
    });
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

fn r26_stack_does_not_grow_with_a_chain(fixture: &mut Fixture) {
    // With a runtime that does nest, few enough for any stack.
    const LINKS: usize = 200;
    let (runtime, deepest) = (fixture.runtime(), Arc::new(AtomicUsize::new(0)));
    fixture.drive(async {
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
        first("all are polled", || probes.iter().all(|probe| probe.polls() > 0)).await;
        probes[0].finish();
        until("each has woken the next", || probes.iter().all(|probe| probe.drops() == 1)).await;
    });
    let deepest = deepest.load(Ordering::SeqCst);
    assert!(deepest < LINKS / 2, "{deepest} polls stood on one stack");
}
