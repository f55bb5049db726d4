//! Eight threads at one nursery, on a machine that may have fewer cores: a thread that holds the
//! lock may be interrupted, and the others must not pay for it. How long one of them waits at most
//! is in the binary `longest_wait`.

use std::rc::Rc;

use async_executor::StaticExecutor;

use super::spawn;
use crate::case::{Case, Goal, Measure, Side};
use crate::host::{Flavor, Host};
use crate::ours::Pool;
use crate::peers;
use crate::work::{Noop, Woken};

const THREADS: usize = 8;
const WAKES: [u32; 3] = [3, 8, 64];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![spawn::spawn_join(Flavor::EightThreads, "10k", 10_000)];
    cases.extend(WAKES.map(|times| spawn::wake(Flavor::EightThreads, times, spawn::WOKEN)));
    cases.push(pool_spawn_join("10k", 10_000));
    cases.extend(WAKES.map(pool_wake));
    cases
}

fn case(name: String, ops: usize, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (ops, measure) = (ops as u64, Measure::Nanoseconds);
    Case { name, ops, measure, heavy: false, sides: Box::new(sides) }
}

fn pool_spawn_join(label: &str, n: usize) -> Case {
    case(format!("spawn_join/pool_of_{THREADS}/{label}"), n, move || {
        let pool = Pool::new(THREADS);
        let host = Rc::new(Host::new(Flavor::EightThreads));
        vec![
            Side::new("ours", move |times| pool.spawn_join(times, n, Noop)),
            Side::on(&host, "TaskTracker", move || peers::task_tracker(n, Noop))
                .goal(Goal::Ratio(1.00)),
            peers::executor::<&'static StaticExecutor>(THREADS, n, Noop).goal(Goal::Ratio(1.00)),
        ]
    })
}

fn pool_wake(wakes: u32) -> Case {
    const N: usize = spawn::WOKEN;
    case(format!("wake/pool_of_{THREADS}/{wakes}"), N, move || {
        let pool = Pool::new(THREADS);
        let host = Rc::new(Host::new(Flavor::EightThreads));
        vec![
            Side::new("ours", move |times| pool.wake(times, N, wakes)),
            Side::on(&host, "TaskTracker", move || {
                peers::wake_task_tracker(N, wakes, Woken(wakes))
            })
            .goal(Goal::Ratio(1.00)),
        ]
    })
}
