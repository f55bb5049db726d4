//! Rate limiters in tasks, on threads, and on real timers.

use super::limiter;
use allhome::limit::{AcquireError, Rate, RateLimiter};
use allhome::runtime::{IntoRuntime, ThreadPool};
use allhome::{Nursery, move_on_after, nursery, sleep};
use allhome::{Tokio, block_on};

use allhome_runs::{SECOND, in_body, world};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

#[test]
fn q16_in_virtual_time_tasks_take_turns() {
    let (stepped, clock, runtime) = world();
    let limiter = Arc::new(RateLimiter::new(&runtime, Rate::per_second(10), 5));
    let shared = limiter.clone();
    let run = nursery().on(runtime).run(async |n: Nursery<AcquireError>| {
        for _ in 0..105 {
            let limiter = shared.clone();
            n.spawn(async move { limiter.acquire().await });
        }
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!(clock.elapsed(), 10 * SECOND);
    assert_eq!((limiter.waiters(), clock.sleeps()), (0, 0));
}

#[test]
fn q13_a_wait_is_dropped_with_its_scope() {
    in_body(async |clock| {
        let limiter = limiter(&clock, Rate::per_second(1), 5);
        limiter.try_acquire_many(5).unwrap();
        let found = move_on_after(3 * SECOND, limiter.acquire_many(4));
        assert_eq!((found.await, clock.elapsed()), (None, 3 * SECOND));
        assert_eq!((limiter.waiters(), clock.sleeps()), (0, 0), "it has left");
        assert_eq!(limiter.available(), 3, "as if it had not been called");
    });
}

/// An acquire succeeds if enough is there in the last poll: here its moment and the deadline are
/// the same.
#[test]
fn q13_what_is_there_in_the_last_poll_is_had() {
    in_body(async |clock| {
        let limiter = limiter(&clock, Rate::per_second(1), 5);
        limiter.try_acquire_many(5).unwrap();
        let found = move_on_after(3 * SECOND, limiter.acquire_many(3));
        assert_eq!(found.await, Some(Ok(())));
        assert_eq!((limiter.available(), limiter.waiters(), clock.elapsed()), (0, 0, 3 * SECOND));
    });
}

#[test]
fn q13_a_cancelled_task_leaves_no_trace() {
    let (stepped, clock, runtime) = world();
    let limiter = Arc::new(RateLimiter::new(&runtime, Rate::per_second(1), 1));
    limiter.try_acquire().unwrap();
    let shared = limiter.clone();
    let run = nursery().on(runtime).run(async |n: Nursery<Infallible>| {
        let children: Vec<_> = (0..3)
            .map(|_| {
                let limiter = shared.clone();
                n.fork(async move { Ok(limiter.acquire().await.is_ok()) })
            })
            .collect();
        sleep(SECOND / 2).await;
        assert_eq!(shared.waiters(), 3);
        children[0].cancel();
        let mut granted = Vec::new();
        for child in children {
            granted.push(child.await);
        }
        assert!(matches!(granted[..], [Ok(false), Ok(true), Ok(true)]), "{granted:?}");
        Ok(())
    });
    clock.drive(&stepped, run).unwrap();
    assert_eq!((clock.elapsed(), limiter.waiters()), (2 * SECOND, 0));
}

/// On a real timer: never early, by that timer's own clock.
fn takes_its_time(runtime: allhome::runtime::Runtime) {
    let timer = runtime.timer().clone();
    let limiter = Arc::new(RateLimiter::new(&runtime, Rate::per_second(2_000), 10));
    let start = timer.now();
    let shared = limiter.clone();
    block_on(nursery().on(runtime).run(async |n: Nursery<AcquireError>| {
        for _ in 0..10 {
            let limiter = shared.clone();
            n.spawn(async move {
                for count in 1..4 {
                    limiter.acquire_many(count).await?;
                }
                Ok(())
            });
        }
        Ok(())
    }))
    .unwrap();
    // 60, of which 10 were there.
    assert!(timer.now() - start >= Duration::from_micros(50 * 500));
    assert_eq!(limiter.waiters(), 0);
}

#[test]
fn q16_on_the_pool() {
    takes_its_time(ThreadPool::global().into_runtime().unwrap());
}

#[test]
fn q16_on_tokio() {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let _inside = tokio.enter();
    takes_its_time(Tokio.into_runtime().unwrap());
}

/// Drives a future to its end, or drops it after so many polls.
fn poll_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    block_on(std::future::poll_fn(move |cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
        std::task::Poll::Pending => {
            left -= 1;
            std::task::Poll::Pending
        }
    }))
}

/// Threads acquire, drop, try and look: no more is granted than came.
#[test]
fn q15_threads_get_no_more_than_comes() {
    const BURST: usize = 5;
    let runtime = ThreadPool::global().into_runtime().unwrap();
    let timer = runtime.timer().clone();
    let start = timer.now();
    let limiter = RateLimiter::new(&runtime, Rate::per_second(20_000), BURST);
    let granted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..4_usize {
            let (limiter, granted) = (&limiter, &granted);
            scope.spawn(move || {
                for step in 0..400 {
                    let count = 1 + (step + number) % 3;
                    let got = match (step * 7 + number) % 5 {
                        0 => limiter.try_acquire_many(count).is_ok(),
                        1 => poll_times(limiter.acquire_many(count), 0).is_some(),
                        2 => poll_times(limiter.acquire_many(count), 1).is_some(),
                        _ => block_on(limiter.acquire_many(count)).is_ok(),
                    };
                    granted.fetch_add(if got { count } else { 0 }, SeqCst);
                }
            });
        }
    });
    let came = (timer.now() - start).as_nanos() / 50_000;
    let (granted, came) = (granted.into_inner(), usize::try_from(came).unwrap());
    assert!(granted <= BURST + came, "{granted} granted, {came} came");
    assert_eq!(limiter.waiters(), 0);
}
