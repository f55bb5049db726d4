//! A future for each of many items, so many at once: in place beside the buffers of futures, and as
//! children of a nursery beside plain threads.

use std::convert::Infallible;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use allhome::many::ConcurrentExt;
use allhome::{Nursery, block_on};
use futures_util::stream::{self, StreamExt};

use crate::case::{Case, Measure, Side};
use crate::host::{Flavor, Host};
use crate::watch::{Sample, Watch};
use crate::work::{Busy, Noop, Work, YieldOnce};

const LIMIT: usize = 64;

/// Items of so many microseconds of work.
const WORKING: usize = 10_000;
const MICROS: u64 = 20;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        cheap("many/unordered/1m", 1_000_000, Noop),
        cheap("many/unordered/yield/100k", 100_000, YieldOnce),
        in_order("many/ordered/100k", 100_000),
    ];
    let sides = || {
        let host = Rc::new(Host::new(Flavor::MultiThread));
        vec![
            Side::on(&host, "ours", || on_a_nursery(WORKING)),
            Side::new("two threads", |times| Sample::of(times, || threads(2))),
            Side::new("one thread", |times| Sample::of(times, || threads(1))),
        ]
    };
    let name = format!("many/on/{MICROS}us");
    cases.push(case(name, WORKING, sides));
    cases
}

fn case(name: String, n: usize, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (ops, measure) = (n as u64, Measure::Nanoseconds);
    Case { name, ops, measure, heavy: false, sides: Box::new(sides) }
}

fn cheap(name: &str, n: usize, work: impl Work) -> Case {
    case(name.to_string(), n, move || {
        vec![
            Side::new("ours", move |times| Sample::of(times, || block_on(ours(n, work)))),
            Side::new("buffer_unordered", move |times| {
                Sample::of(times, || block_on(buffer_unordered(n, work)))
            }),
        ]
    })
}

fn in_order(name: &str, n: usize) -> Case {
    case(name.to_string(), n, move || {
        vec![
            Side::new("ours", move |times| Sample::of(times, || block_on(ordered(n)))),
            Side::new("buffered", move |times| Sample::of(times, || block_on(buffered(n)))),
        ]
    })
}

/// Runs `n` items, for a count of what they cost. Returns `false` if `side` names no such side.
pub fn count(side: &str, n: usize) -> bool {
    let Some(side) = side.strip_prefix("many/") else { return false };
    let sum = match side {
        "unordered" => block_on(ours(n, Noop)),
        "unordered/futures" => block_on(buffer_unordered(n, Noop)),
        "yield" => block_on(ours(n, YieldOnce)),
        "yield/futures" => block_on(buffer_unordered(n, YieldOnce)),
        "ordered" => block_on(ordered(n)),
        "ordered/futures" => block_on(buffered(n)),
        _ => return false,
    };
    black_box(sum);
    true
}

async fn ours(n: usize, work: impl Work) -> u64 {
    let items = (0..n as u64).map_concurrent(LIMIT, |item| work.start(item)).unordered();
    items.fold(0, async |sum, value| sum + value).await
}

async fn buffer_unordered(n: usize, work: impl Work) -> u64 {
    let items = stream::iter(0..n as u64).map(|item| work.start(item)).buffer_unordered(LIMIT);
    items.fold(0, async |sum, value| sum + value).await
}

async fn ordered(n: usize) -> u64 {
    let items = (0..n as u64).map_concurrent(LIMIT, |item| YieldOnce.start(item));
    items.fold(0, async |sum, value| sum + value).await
}

async fn buffered(n: usize) -> u64 {
    let items = stream::iter(0..n as u64).map(|item| YieldOnce.start(item)).buffered(LIMIT);
    items.fold(0, async |sum, value| sum + value).await
}

async fn on_a_nursery(items: usize) -> Sample {
    let watch = Watch::start();
    let run = allhome::nursery().run(async |n: Nursery<Infallible>| {
        let items = (0..items as u64).map_concurrent(LIMIT, |item| Busy(MICROS).start(item));
        Ok(items.unordered().on(&n).fold(0, async |sum, value| sum + value).await)
    });
    black_box(run.await.unwrap_or_default());
    watch.stop()
}

/// So many threads that take the next number, and do its work.
fn threads(count: usize) -> u64 {
    let next = AtomicU64::new(0);
    let work = || {
        let mut sum = 0;
        loop {
            let item = next.fetch_add(1, Relaxed);
            if item >= WORKING as u64 {
                return sum;
            }
            sum += block_on(Busy(MICROS).start(item));
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    })
}
