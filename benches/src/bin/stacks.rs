//! `stacks [MILLIONS]`: what a poll of a child that waits costs, with stacks and without, at several
//! depths of boxed async functions; and how long the dump of many takes: 1 million if no number is
//! given. `ALLHOME_STACKS=unwind` measures the unwinder.

use allhome::see;
use allhome::see::stacks::{self, Arm};
use allhome::{Nursery, nursery, yield_now};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// So many children wait at once, each so often: fewer polls than bind one to a task of its own.
const CHILDREN: usize = 1_000;
const ROUNDS: usize = 12;
/// The best of so many runs counts.
const RUNS: usize = 40;

thread_local! {
    static KEPT: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits so often, below so many functions.
fn below(depth: usize, rounds: usize) -> Boxed {
    if depth > 0 {
        return Box::pin(async move { black_box(below(depth - 1, rounds)).await });
    }
    let mut left = rounds;
    Box::pin(poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        KEPT.with_borrow_mut(|kept| kept.push(cx.waker().clone()));
        Poll::Pending
    }))
}

/// Returns the nanoseconds of a wake and a poll that waits again.
async fn measure(depth: usize) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let run = nursery().run(async |n: Nursery<Infallible>| {
            for _ in 0..CHILDREN {
                n.go(below(depth, ROUNDS));
            }
            wait_for(CHILDREN).await;
            let started = Instant::now();
            for _ in 1..ROUNDS {
                KEPT.take().into_iter().for_each(Waker::wake);
                wait_for(CHILDREN).await;
            }
            best = best.min(started.elapsed());
            KEPT.take().into_iter().for_each(Waker::wake);
            Ok(())
        });
        run.await.expect("no child fails");
    }
    best.as_nanos() as f64 / (CHILDREN * (ROUNDS - 1)) as f64
}

/// Gives others a turn until so many wait.
async fn wait_for(count: usize) {
    while KEPT.with_borrow(Vec::len) < count {
        yield_now().await;
    }
}

async fn dump_of(tasks: usize) {
    let run = nursery().run(async |n: Nursery<Infallible>| {
        for task in 0..tasks {
            n.go(below(task % 8, 1));
        }
        wait_for(tasks).await;
        for turn in ["first", "next"] {
            let started = Instant::now();
            let dump = see::dump();
            let looked = started.elapsed();
            let text = dump.to_string();
            let took = started.elapsed();
            println!("{turn} dump of {tasks} tasks: {looked:.1?} to look, {took:.1?} in all");
            black_box(text);
        }
        println!("{}", see::dump());
        n.abort();
        Ok(())
    });
    run.await.expect("no child fails");
    KEPT.take();
}

fn main() {
    let millions = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        println!(
            "{:<8} {:>12} {:>12}   (ns for a wake and a poll that waits)",
            "depth", "off", "armed"
        );
        for depth in [0, 4, 12] {
            stacks::arm(Arm::Off);
            let off = measure(depth).await;
            stacks::arm(Arm::All);
            println!("{depth:<8} {off:>12.0} {:>12.0}", measure(depth).await);
        }
        for arm in [Arm::Off, Arm::All] {
            stacks::arm(arm);
            println!("\n{arm:?}");
            dump_of((millions * 1e6) as usize).await;
        }
    });
}
