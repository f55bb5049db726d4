//! Polls of tasks that wake themselves, on the simulator: first come, first served.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;

use allhome::sim::Bare;
use async_executor::LocalExecutor;

use crate::case::{Case, Measure, Side};
use crate::watch::{Sample, Watch};

const TASKS: usize = 100;
const POLLS: usize = 1_000;

pub(super) fn cases() -> Vec<Case> {
    let sides = || vec![Side::new("ours", simulated), Side::new("LocalExecutor", peer)];
    vec![Case {
        name: "simulator/polls".into(),
        ops: (TASKS * POLLS) as u64,
        measure: Measure::Nanoseconds,
        heavy: false,
        sides: Box::new(sides),
    }]
}

async fn polled(times: usize) {
    let mut left = times;
    std::future::poll_fn(|cx| {
        left -= 1;
        if left == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn simulated(times: u64) -> Sample {
    let mut total = Sample::default();
    for _ in 0..times {
        let mut simulation = Bare::new().steps(u64::MAX).start();
        let left = Arc::new(AtomicUsize::new(TASKS));
        for _ in 0..TASKS {
            let left = left.clone();
            simulation.handle().spawn_future(async move {
                polled(POLLS).await;
                left.fetch_sub(1, Relaxed);
            });
        }
        let watch = Watch::start();
        simulation.run_until_stalled().expect("it ends");
        total += watch.stop();
        assert_eq!(left.load(Relaxed), 0);
    }
    total
}

fn peer(times: u64) -> Sample {
    let mut total = Sample::default();
    for _ in 0..times {
        let executor = LocalExecutor::new();
        let left = Rc::new(Cell::new(TASKS));
        for _ in 0..TASKS {
            let left = left.clone();
            let task = executor.spawn(async move {
                polled(POLLS).await;
                left.set(left.get() - 1);
            });
            task.detach();
        }
        let watch = Watch::start();
        while executor.try_tick() {}
        total += watch.stop();
        assert_eq!(left.get(), 0);
    }
    total
}
