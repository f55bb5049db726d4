//! The peers' side of every scenario, written as their own documentation would have it.

use std::future::{Future, pending};
use std::sync::Arc;
use std::thread;

use async_executor::{Executor, StaticExecutor, Task};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::task::TaskTracker;

use crate::case::Side;
use crate::host::{alive, until_alive};
use crate::ours::Aborted;
use crate::watch::{Sample, Watch};
use crate::work::{Counted, Parked, Work, all_ended, all_parked, reset_ended, reset_parked, ring};

/// `JoinSet`: spawn `n`, join all.
pub async fn join_set(n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    let mut set = JoinSet::new();
    for _ in 0..n {
        set.spawn(work.start(()));
    }
    while let Some(outcome) = set.join_next().await {
        outcome.expect("no child fails");
    }
    drop(set);
    watch.stop()
}

/// `TaskTracker`: spawn `n`, close, wait.
pub async fn task_tracker(n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    let tracker = TaskTracker::new();
    for _ in 0..n {
        tracker.spawn(work.start(()));
    }
    tracker.close();
    tracker.wait().await;
    drop(tracker);
    watch.stop()
}

/// `Vec<JoinHandle>`: spawn `n`, await each.
pub async fn handles(n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    let handles: Vec<_> = (0..n).map(|_| tokio::spawn(work.start(()))).collect();
    for handle in handles {
        handle.await.expect("no child fails");
    }
    watch.stop()
}

/// `tokio::spawn` and nothing else, until the runtime holds none of the tasks: the floor.
pub async fn bare(n: usize, work: impl Work) -> Sample {
    let base = alive();
    let watch = Watch::start();
    for _ in 0..n {
        tokio::spawn(work.start(()));
    }
    until_alive(base).await;
    watch.stop()
}

/// `JoinSet`: spawn `n`, add up their values.
pub async fn join_set_values(n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    let mut set = JoinSet::new();
    for i in 0..n {
        set.spawn(work.start(i));
    }
    let mut sum = 0;
    while let Some(outcome) = set.join_next().await {
        sum += outcome.expect("no child fails");
    }
    drop(set);
    assert_eq!(sum, n * (n - 1) / 2);
    watch.stop()
}

/// `Vec<JoinHandle>`: spawn `n`, add up their values.
pub async fn handles_values(n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    let handles: Vec<_> = (0..n).map(|i| tokio::spawn(work.start(i))).collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.expect("no child fails");
    }
    assert_eq!(sum, n * (n - 1) / 2);
    watch.stop()
}

/// `JoinSet`: `n` children, all of them woken so many times.
pub async fn wake_join_set(n: usize, times: u32, work: impl Work) -> Sample {
    let watch = Watch::start();
    let mut set = JoinSet::new();
    for _ in 0..n {
        set.spawn(work.start(()));
    }
    ring(n, times).await;
    while let Some(joined) = set.join_next().await {
        joined.expect("no child fails");
    }
    watch.stop()
}

/// `TaskTracker`: `n` children, all of them woken so many times.
pub async fn wake_task_tracker(n: usize, times: u32, work: impl Work) -> Sample {
    let watch = Watch::start();
    let tracker = TaskTracker::new();
    for _ in 0..n {
        drop(tracker.spawn(work.start(())));
    }
    ring(n, times).await;
    tracker.close();
    tracker.wait().await;
    watch.stop()
}

/// `Vec<JoinHandle>`: `n` tasks, all of them woken so many times.
pub async fn wake_handles(n: usize, times: u32, work: impl Work) -> Sample {
    let watch = Watch::start();
    let handles: Vec<_> = (0..n).map(|_| tokio::spawn(work.start(()))).collect();
    ring(n, times).await;
    for handle in handles {
        handle.await.expect("no child fails");
    }
    watch.stop()
}

/// `JoinSet`: what `n` parked children hold.
pub async fn park_join_set(n: usize, work: impl Work) -> Sample {
    reset_parked();
    let base = alive();
    let watch = Watch::start();
    let mut set = JoinSet::new();
    for _ in 0..n {
        set.spawn(work.start(()));
    }
    all_parked(n).await;
    let sample = watch.stop();
    set.shutdown().await;
    until_alive(base).await;
    sample
}

/// `TaskTracker`: what `n` parked children hold.
pub async fn park_task_tracker(n: usize, work: impl Work) -> Sample {
    let mut handles = Vec::with_capacity(n);
    reset_parked();
    let base = alive();
    let watch = Watch::start();
    let tracker = TaskTracker::new();
    for _ in 0..n {
        handles.push(tracker.spawn(work.start(())));
    }
    all_parked(n).await;
    let sample = watch.stop();
    abort_all(handles);
    until_alive(base).await;
    sample
}

/// `tokio::spawn` and nothing else: what `n` parked children hold.
pub async fn park_bare(n: usize, work: impl Work) -> Sample {
    let mut handles = Vec::with_capacity(n);
    reset_parked();
    let base = alive();
    let watch = Watch::start();
    for _ in 0..n {
        handles.push(tokio::spawn(work.start(())));
    }
    all_parked(n).await;
    let sample = watch.stop();
    abort_all(handles);
    until_alive(base).await;
    sample
}

// Handles are kept only to end the scenario; their vector is not part of what is measured.
fn abort_all(handles: Vec<JoinHandle<()>>) {
    for handle in handles {
        handle.abort();
    }
}

/// `JoinSet::shutdown` of `n` parked children.
pub async fn shutdown_join_set(n: usize) -> Aborted {
    reset_parked();
    let base = alive();
    let mut set = JoinSet::new();
    for _ in 0..n {
        set.spawn(Parked::<0>.start(()));
    }
    all_parked(n).await;
    let watch = Watch::start();
    set.shutdown().await;
    let returned = watch.stop();
    until_alive(base).await;
    Aborted { returned, gone: watch.stop() }
}

/// `TaskTracker`: `n` children through one tracker, `live` at a time.
pub async fn churn_task_tracker(n: usize, live: usize, mark_at: usize) -> Sample {
    reset_ended();
    let watch = Watch::start();
    let tracker = TaskTracker::new();
    let mut marks = Vec::with_capacity(2);
    for first in (0..n).step_by(live) {
        let next = n.min(first + live);
        for _ in first..next {
            tracker.spawn(Counted.start(()));
        }
        all_ended(next).await;
        if next == n || (first < mark_at && mark_at <= next) {
            marks.push((next as u64, watch.live_bytes()));
        }
    }
    let sample = Sample { marks, ..watch.stop() };
    tracker.close();
    tracker.wait().await;
    sample
}

/// An executor of async-executor's, as far as the scenario needs one.
pub trait Spawns: Clone + Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;

    /// Starts so many threads that run it. They stay.
    fn start(threads: usize) -> Self;

    /// Spawns a task.
    fn task<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Task<T>;
}

impl Spawns for Arc<Executor<'static>> {
    const NAME: &'static str = "Executor";

    fn start(threads: usize) -> Self {
        let executor = Arc::new(Executor::new());
        for _ in 0..threads {
            let executor = Arc::clone(&executor);
            thread::spawn(move || allhome::block_on(executor.run(pending::<()>())));
        }
        executor
    }

    fn task<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.spawn(future)
    }
}

impl Spawns for &'static StaticExecutor {
    const NAME: &'static str = "StaticExecutor";

    fn start(threads: usize) -> Self {
        let executor: Self = Executor::new().leak();
        for _ in 0..threads {
            thread::spawn(move || allhome::block_on(executor.run(pending::<()>())));
        }
        executor
    }

    fn task<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.spawn(future)
    }
}

/// Spawns `n` tasks from a task of the executor, and awaits each.
pub fn executor<S: Spawns>(threads: usize, n: usize, work: impl Work) -> Side {
    let executor = S::start(threads);
    Side::new(S::NAME, move |times| {
        let own = executor.clone();
        let scenario = executor.task(async move {
            repeated(times, || async {
                let tasks: Vec<_> = (0..n).map(|_| own.task(work.start(()))).collect();
                for task in tasks {
                    task.await;
                }
            })
            .await
        });
        allhome::block_on(scenario)
    })
}

async fn repeated<Fut: Future<Output = ()>>(times: u64, pass: impl Fn() -> Fut) -> Sample {
    let mut total = Sample::default();
    for _ in 0..times {
        let watch = Watch::start();
        pass().await;
        total += watch.stop();
    }
    total
}

/// One task of the runtime that gives the others a turn so many times.
pub async fn lone_bare(times: usize) {
    let task = tokio::spawn(async move {
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    });
    task.await.unwrap();
}
