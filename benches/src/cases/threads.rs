//! A thread scope beside `std::thread::scope`: with a thread a child, and by hand, with two threads
//! that take the next child's work.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use allhome::{ThreadScope, block_on, thread_scope};

use crate::case::{Case, Measure, Side};
use crate::watch::Sample;
use crate::work::{Busy, Work};

const THREADS: usize = 2;

pub(super) fn cases() -> Vec<Case> {
    vec![case("threads/1k", 1_000, 0), case("threads/1k/20us", 1_000, 20)]
}

/// Children of so many microseconds of work.
fn case(name: &str, n: usize, micros: u64) -> Case {
    let sides = move || {
        let items: Vec<u64> = (0..n as u64).collect();
        let side = |name, run: fn(&[u64], u64) -> u64| {
            let items = items.clone();
            Side::new(name, move |times| Sample::of(times, || run(&items, micros)))
        };
        vec![
            side("ours", ours),
            side("std, a thread each", each),
            side("std, two threads", by_hand),
        ]
    };
    let (ops, measure) = (n as u64, Measure::Nanoseconds);
    Case { name: name.to_string(), ops, measure, heavy: false, sides: Box::new(sides) }
}

fn ours(items: &[u64], micros: u64) -> u64 {
    let sum = AtomicUsize::new(0);
    let run = thread_scope().threads(THREADS).run(async |s: ThreadScope<'_, Infallible>| {
        for item in items {
            s.go(async {
                sum.fetch_add(Busy(micros).start(*item).await as usize, Relaxed);
            });
        }
        Ok(())
    });
    assert!(run.is_ok());
    sum.into_inner() as u64
}

fn each(items: &[u64], micros: u64) -> u64 {
    let sum = AtomicUsize::new(0);
    thread::scope(|scope| {
        for item in items {
            scope.spawn(|| sum.fetch_add(block_on(Busy(micros).start(*item)) as usize, Relaxed));
        }
    });
    sum.into_inner() as u64
}

fn by_hand(items: &[u64], micros: u64) -> u64 {
    let (sum, next) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Relaxed)) {
            sum.fetch_add(block_on(Busy(micros).start(*item)) as usize, Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    sum.into_inner() as u64
}
