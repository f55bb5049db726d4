//! What an executor needs for a task that waits, beside the task itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::thread;

use allhome::runtime::{LocalExecutor, ThreadPool};
use allhome_rt::{Spawn, Task, TaskData, Work};
use async_executor::Executor;

use crate::case::{Case, Measure, Side};
use crate::watch::{Sample, Watch};

static POLLS: AtomicUsize = AtomicUsize::new(0);

pub(super) fn cases() -> Vec<Case> {
    [("1k", 1_000), ("10k", 10_000)].map(|(label, n)| case(label, n)).into()
}

/// A future of no bytes, so that what is measured is the executor's.
fn case(label: &str, n: usize) -> Case {
    Case {
        name: format!("parked_task/{label}"),
        ops: n as u64,
        measure: Measure::Bytes,
        heavy: false,
        sides: Box::new(move || {
            vec![
                Side::new("ours", move |times| repeated(times, || pool(n))),
                Side::new("ours, local", move |times| repeated(times, || local(n))),
                Side::new("Executor", move |times| repeated(times, || peer(n))),
            ]
        }),
    }
}

fn repeated(times: u64, pass: impl Fn() -> Sample) -> Sample {
    let mut total = Sample::default();
    for _ in 0..times {
        total += pass();
    }
    total
}

fn wait() -> impl Future<Output = ()> {
    poll_fn(|_| {
        POLLS.fetch_add(1, SeqCst);
        Poll::Pending
    })
}

/// One task's work for all of them.
struct Waits;

impl Work for Waits {
    fn poll(&self, _: &mut TaskData, _: &mut Context<'_>) -> Poll<()> {
        POLLS.fetch_add(1, SeqCst);
        Poll::Pending
    }

    fn discard(&self, _: &mut TaskData) {}
}

fn until_polled(n: usize) {
    while POLLS.load(SeqCst) < n {
        thread::yield_now();
    }
}

fn pool(n: usize) -> Sample {
    let (pool, work) = (ThreadPool::new(1).expect("one thread"), Arc::new(Waits));
    POLLS.store(0, SeqCst);
    let watch = Watch::start();
    for _ in 0..n {
        pool.spawn(Task::new(work.clone(), TaskData::default()));
    }
    until_polled(n);
    watch.stop()
}

fn local(n: usize) -> Sample {
    let executor = LocalExecutor::new();
    POLLS.store(0, SeqCst);
    let watch = Watch::start();
    for _ in 0..n {
        executor.spawn_future(wait());
    }
    executor.run(poll_fn(|cx| match POLLS.load(SeqCst) == n {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }));
    watch.stop()
}

fn peer(n: usize) -> Sample {
    let executor = Executor::new();
    POLLS.store(0, SeqCst);
    let watch = Watch::start();
    for _ in 0..n {
        executor.spawn(wait()).detach();
    }
    while executor.try_tick() {}
    watch.stop()
}
