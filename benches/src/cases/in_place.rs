//! Scopes in place and what is used in their stead: futures that the caller's own task polls.
//!
//! Ours catches panics, keeps failures, has each child in the context, and polls the body beside
//! them. The peers do none of that.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;

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
