//! Scopes in place and what is used in their stead: futures that the caller's own task polls.
//!
//! Ours catches panics, keeps failures, has each child in the context, and polls the body beside
//! them. The peers do none of that.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use allhome::{Scope, block_on, scope};
use futures_buffered::FuturesUnorderedBounded;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::SIZES;
use crate::case::{Case, Measure, Side};
use crate::watch::{Sample, Watch};
use crate::work::{Noop, Work, YieldOnce};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (label, n) in &SIZES[..2] {
        cases.push(case(format!("in_place/spawn_join/{label}"), *n, Noop));
    }
    cases.push(case("in_place/yield/64".to_string(), 64, YieldOnce));
    cases
}

fn case(name: String, n: usize, work: impl Work) -> Case {
    let sides = move || {
        vec![
            Side::new("ours", move |times| repeat(times, || fork_all(n, work))),
            Side::new("FuturesUnordered", move |times| repeat(times, || unordered(n, work))),
            Side::new("FuturesUnordered, boxed", move |times| repeat(times, || boxed(n, work))),
            Side::new("futures-buffered", move |times| repeat(times, || buffered(n, work))),
            Side::new("futures-buffered, boxed", move |times| {
                repeat(times, || buffered_boxed(n, work))
            }),
        ]
    };
    Case {
        name,
        ops: n as u64,
        measure: Measure::Nanoseconds,
        heavy: false,
        sides: Box::new(sides),
    }
}

/// So many children at a time; then the scope, or what holds the futures, takes the next ones.
const ROUND: usize = 1_000;

/// Runs `n` children, in rounds, for a count of what they cost. Returns `false` if `side` names no
/// such side.
pub fn count(side: &str, n: usize) -> bool {
    let Some(side) = side.strip_prefix("in_place/") else { return false };
    let sum = match side {
        "fork" => block_on(rounds(n, Noop)),
        "yield" => block_on(rounds(n, YieldOnce)),
        "spawn" => block_on(spawn_rounds(n)),
        "unordered" => (0..n / ROUND).map(|_| block_on(boxed(ROUND, Noop))).sum(),
        "buffered" => (0..n / ROUND).map(|_| block_on(buffered_boxed(ROUND, Noop))).sum(),
        _ => return false,
    };
    black_box(sum);
    true
}

async fn rounds(n: usize, work: impl Work) -> u64 {
    let run = scope().run(async |s: Scope<'_, Infallible>| {
        let (mut sum, mut children) = (0, Vec::with_capacity(ROUND));
        for _ in 0..n / ROUND {
            let fork = |number| s.fork(async move { Ok(work.start(number).await) });
            children.extend((0..ROUND as u64).map(fork));
            for child in children.drain(..) {
                sum += child.value().await;
            }
        }
        Ok(sum)
    });
    run.await.unwrap_or_default()
}

async fn spawn_rounds(n: usize) -> u64 {
    let done = &AtomicU64::new(0);
    let run = scope().run(async move |s: Scope<'_, Infallible>| {
        for _ in 0..n / ROUND {
            for number in 0..ROUND as u64 {
                s.go(async move {
                    // No read-modify-write: one thread counts.
                    let sum = done.load(Relaxed) + Noop.start(number).await;
                    done.store(sum, Relaxed);
                });
            }
            while !s.is_empty() {
                YieldOnce.start(()).await;
            }
        }
        Ok(())
    });
    run.await.map_or(0, |()| done.load(Relaxed))
}

fn repeat<F: Future<Output = u64>>(times: u64, run: impl Fn() -> F) -> Sample {
    let mut total = Sample::default();
    for _ in 0..times {
        let watch = Watch::start();
        black_box(block_on(run()));
        total += watch.stop();
    }
    total
}

async fn fork_all(n: usize, work: impl Work) -> u64 {
    let run = scope().run(async |s: Scope<'_, Infallible>| {
        let children: Vec<_> = (0..n as u64)
            .map(|number| s.fork(async move { Ok(work.start(number).await) }))
            .collect();
        let mut sum = 0;
        for child in children {
            sum += child.value().await;
        }
        Ok(sum)
    });
    run.await.unwrap_or_default()
}

async fn unordered(n: usize, work: impl Work) -> u64 {
    let children: FuturesUnordered<_> = (0..n as u64).map(|number| work.start(number)).collect();
    children.fold(0, async |sum, value| sum + value).await
}

type Boxed = Pin<Box<dyn Future<Output = u64> + Send>>;

async fn boxed(n: usize, work: impl Work) -> u64 {
    let boxed = |number| -> Boxed { Box::pin(work.start(number)) };
    let children: FuturesUnordered<_> = (0..n as u64).map(boxed).collect();
    children.fold(0, async |sum, value| sum + value).await
}

async fn buffered(n: usize, work: impl Work) -> u64 {
    let mut children = FuturesUnorderedBounded::new(n);
    (0..n as u64).for_each(|number| children.push(work.start(number)));
    children.fold(0, async |sum, value| sum + value).await
}

async fn buffered_boxed(n: usize, work: impl Work) -> u64 {
    let mut children = FuturesUnorderedBounded::new(n);
    let boxed = |number| -> Boxed { Box::pin(work.start(number)) };
    (0..n as u64).for_each(|number| children.push(boxed(number)));
    children.fold(0, async |sum, value| sum + value).await
}
