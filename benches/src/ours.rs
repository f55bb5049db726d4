//! allhome's side of every scenario. All uses of allhome's API in the benches stand here.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use allhome_rt::{self as rt, Spawn};

use allhome::join::Children;
use allhome::runtime::{IntoRuntime, ThreadPool};
use allhome::{Nursery, Tokio, block_on, join_all, nursery};

use crate::host::{alive, until_alive};
use crate::watch::{Sample, Watch};
use crate::work::{
    Counted, Parked, Woken, Work, all_ended, all_parked, reset_ended, reset_parked, ring,
};

/// Spawns `n` children into a nursery on tokio and joins them.
pub async fn spawn_join(n: usize, work: impl Work) -> Sample {
    spawn_join_on(Tokio, n, work).await
}

/// Spawns `n` children into a nursery on `runtime` and joins them.
async fn spawn_join_on(runtime: impl IntoRuntime, n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    nursery()
        .on(runtime)
        .run(async move |nursery: Nursery<Infallible>| {
            for _ in 0..n {
                nursery.spawn(work.start(Ok(())));
            }
            Ok(())
        })
        .await
        .expect("no child fails");
    watch.stop()
}

/// How children get their slots.
#[derive(Clone, Copy)]
pub enum Slots {
    /// Reserved; there are enough.
    Free,
    /// Reserved; there is one, and each waits for it.
    One,
    /// The children ask for themselves; there are enough.
    Plain,
}

/// Spawns `n` children into a nursery with a limit, and joins them.
pub async fn bounded(n: usize, slots: Slots, work: impl Work) {
    let limit = if matches!(slots, Slots::One) { 1 } else { n };
    nursery()
        .on(Tokio)
        .limit(limit)
        .run(async move |nursery: Nursery<Infallible>| {
            for _ in 0..n {
                let child = work.start(Ok(()));
                if let Slots::Plain = slots {
                    nursery.spawn(child);
                } else {
                    nursery.reserve().await.expect("nothing cancels it").spawn(child);
                }
            }
            Ok(())
        })
        .await
        .expect("no child fails");
}

/// Spawns `n` children, wakes all of them so many times, and joins them.
pub async fn wake(n: usize, times: u32) -> Sample {
    wake_on(Tokio, n, times, Woken(times)).await
}

/// Spawns `n` children that wait so many times for a wake, wakes and joins them.
pub async fn wake_working(n: usize, times: u32, work: impl Work) -> Sample {
    wake_on(Tokio, n, times, work).await
}

async fn wake_on(runtime: impl IntoRuntime, n: usize, times: u32, work: impl Work) -> Sample {
    let watch = Watch::start();
    nursery()
        .on(runtime)
        .run(async move |nursery: Nursery<Infallible>| {
            for _ in 0..n {
                nursery.spawn(work.start(Ok(())));
            }
            ring(n, times).await;
            Ok(())
        })
        .await
        .expect("no child fails");
    watch.stop()
}

/// Forks `n` children on tokio and awaits the value of each.
pub async fn fork_join(n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    let sum = nursery()
        .on(Tokio)
        .run(async move |nursery: Nursery<Infallible>| {
            let children: Vec<_> = (0..n).map(|i| nursery.fork(work.start(Ok(i)))).collect();
            let mut sum = 0;
            for child in children {
                sum += child.await.expect("no child fails");
            }
            Ok(sum)
        })
        .await
        .expect("no child fails");
    assert_eq!(sum, n * (n - 1) / 2);
    watch.stop()
}

/// Forks `n` children on tokio and awaits the values of all at once.
pub async fn fork_join_all(n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    let values = nursery()
        .on(Tokio)
        .run(async move |nursery: Nursery<Infallible>| {
            let children = (0..n).map(|i| nursery.fork(work.start(Ok(i))));
            Ok(join_all(children).await.expect("no child fails"))
        })
        .await
        .expect("no child fails");
    assert!(values.into_iter().eq(0..n));
    watch.stop()
}

/// Forks `n` children on tokio and takes their values as they end.
pub async fn fork_join_next(n: usize, work: impl Work) -> Sample {
    let watch = Watch::start();
    let sum = nursery()
        .on(Tokio)
        .run(async move |nursery: Nursery<Infallible>| {
            let mut children: Children<_> =
                (0..n).map(|i| nursery.fork(work.start(Ok(i)))).collect();
            let mut sum = 0;
            while let Some(child) = children.join_next().await {
                sum += child.into_result().expect("no child fails");
            }
            Ok(sum)
        })
        .await
        .expect("no child fails");
    assert_eq!(sum, n * (n - 1) / 2);
    watch.stop()
}

/// Spawns `n` children that park; what they hold once all are parked.
pub async fn park(n: usize, work: impl Work) -> Sample {
    let slot = Arc::new(OnceLock::new());
    let parked = Arc::clone(&slot);
    reset_parked();
    let base = alive();
    let watch = Watch::start();
    // The nursery was aborted, and may say so.
    let _ = nursery()
        .on(Tokio)
        .run(async move |nursery: Nursery<Infallible>| {
            for _ in 0..n {
                nursery.spawn(work.start(Ok(())));
            }
            all_parked(n).await;
            parked.get_or_init(|| watch.stop());
            nursery.abort();
            Ok(())
        })
        .await;
    until_alive(base).await;
    slot.get().expect("all children parked").clone()
}

/// Aborts `n` parked children.
pub async fn abort(n: usize) -> Aborted {
    let slot = Arc::new(OnceLock::new());
    let started = Arc::clone(&slot);
    reset_parked();
    let base = alive();
    // The nursery was aborted, and may say so.
    let _ = nursery()
        .on(Tokio)
        .run(async move |nursery: Nursery<Infallible>| {
            for _ in 0..n {
                nursery.spawn(Parked::<0>.start(Ok(())));
            }
            all_parked(n).await;
            started.get_or_init(Watch::start);
            nursery.abort();
            Ok(())
        })
        .await;
    let watch = slot.get().expect("all children parked");
    let returned = watch.stop();
    until_alive(base).await;
    Aborted { returned, gone: watch.stop() }
}

/// When an abort was over.
#[derive(Debug)]
pub struct Aborted {
    /// The call that aborts and joins has returned.
    pub returned: Sample,
    /// The runtime holds none of the tasks any more.
    pub gone: Sample,
}

/// Runs `n` children through one nursery, `live` at a time.
pub async fn churn(n: usize, live: usize, mark_at: usize) -> Sample {
    reset_ended();
    let watch = Watch::start();
    nursery()
        .on(Tokio)
        .run(async move |nursery: Nursery<Infallible>| {
            let mut marks = Vec::with_capacity(2);
            for first in (0..n).step_by(live) {
                let next = n.min(first + live);
                for _ in first..next {
                    nursery.spawn(Counted.start(Ok(())));
                }
                all_ended(next).await;
                if next == n || (first < mark_at && mark_at <= next) {
                    marks.push((next as u64, watch.live_bytes()));
                }
            }
            Ok(Sample { marks, ..watch.stop() })
        })
        .await
        .expect("no child fails")
}

/// allhome's own thread pool.
#[derive(Clone, Debug)]
pub struct Pool(ThreadPool);

impl Pool {
    /// Starts a pool of so many threads.
    ///
    /// # Panics
    ///
    /// Panics when the operating system refuses the threads.
    pub fn new(threads: usize) -> Self {
        Self(ThreadPool::new(threads).expect("as many threads"))
    }

    /// Spawns `n` children on the pool, from a task of the pool, and joins them; `times` over.
    ///
    /// # Panics
    ///
    /// Panics when a child does.
    pub fn spawn_join(&self, times: u64, n: usize, work: impl Work) -> Sample {
        self.repeat(times, move |pool| async move { spawn_join_on(&pool, n, work).await })
    }

    /// Spawns `n` children on the pool, from a task of the pool, wakes all of them so many times,
    /// and joins them; `times` over.
    ///
    /// # Panics
    ///
    /// Panics when a child does.
    pub fn wake(&self, times: u64, n: usize, wakes: u32) -> Sample {
        self.repeat(times, move |pool| async move { wake_on(&pool, n, wakes, Woken(wakes)).await })
    }

    /// Repeats a scenario in a task of the pool.
    fn repeat<F, Fut>(&self, times: u64, pass: F) -> Sample
    where
        F: Fn(ThreadPool) -> Fut + Send + 'static,
        Fut: Future<Output = Sample> + Send,
    {
        let pool = self.0.clone();
        let total = nursery().on(&self.0).run(async move |nursery: Nursery<Infallible>| {
            let scenario = nursery.fork(async move {
                let mut total = Sample::default();
                for _ in 0..times {
                    total += pass(pool.clone()).await;
                }
                Ok(total)
            });
            Ok(scenario.await.expect("the scenario ends"))
        });
        block_on(total).expect("no child fails")
    }
}

/// A task of a runtime that does nothing but count itself down.
struct Countdown {
    left: AtomicUsize,
    done: Mutex<Option<Sender<()>>>,
}

impl rt::Work for Countdown {
    fn poll(&self, _: &mut rt::TaskData, _: &mut Context<'_>) -> Poll<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            let done = self.done.lock().ok().and_then(|mut done| done.take());
            done.expect("it is sent once").send(()).expect("the receiver waits");
        }
        Poll::Ready(())
    }

    fn discard(&self, _: &mut rt::TaskData) {}
}

/// `n` tasks of the pool that do nothing, spawned in a task of it, with no nursery: one worker. Of
/// the read-modify-writes, three a task are the work's: its count of pointers and its countdown.
///
/// # Panics
///
/// Panics when the operating system refuses the thread.
pub fn pool_tasks(n: usize) {
    let pool = ThreadPool::new(1).expect("one thread");
    let (done, wait) = channel();
    let work = Arc::new(Countdown { left: AtomicUsize::new(n), done: Mutex::new(Some(done)) });
    let runtime = (&pool).into_runtime().expect("a pool is there");
    pool.spawn(rt::Task::from_future(async move {
        for _ in 0..n {
            runtime.spawn(rt::Task::new(work.clone(), rt::TaskData::default()));
        }
    }));
    wait.recv().expect("the last one sends");
}

/// One child that gives the others a turn so many times.
pub async fn lone(times: usize) {
    let run = nursery().run(async |n: Nursery<Infallible>| {
        n.spawn(async move {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        Ok(())
    });
    run.await.unwrap();
}
