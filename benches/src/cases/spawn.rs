//! Spawn and join: children that do nothing, that suspend once, that return a value.

use std::rc::Rc;
use std::sync::Arc;

use async_executor::{Executor, StaticExecutor};

use super::SIZES;
use crate::case::{Case, Goal, Measure, Side};
use crate::host::{FLAVORS, Flavor, Host};
use crate::work::{Noop, Woken, Work, YieldOnce};
use crate::{go, ours, peers};

/// How many children are woken.
pub(super) const WOKEN: usize = 10_000;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for flavor in FLAVORS {
        for (label, n) in SIZES {
            cases.push(spawn_join(flavor, label, n));
        }
    }
    for (label, n) in &SIZES[..2] {
        cases.push(spawn_join_pool(label, *n));
    }
    for flavor in FLAVORS {
        for (label, n) in &SIZES[..2] {
            cases.push(spawn_yield(flavor, label, *n));
        }
    }
    for flavor in FLAVORS {
        cases.extend([1, 3, 8, 64].map(|times| wake(flavor, times, WOKEN)));
    }
    for flavor in FLAVORS {
        for (label, n) in &SIZES[..2] {
            cases.push(fork_join(flavor, label, *n));
        }
    }
    cases.extend(FLAVORS.map(join_next));
    cases
}

fn case(name: String, n: usize, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (ops, measure) = (n as u64, Measure::Nanoseconds);
    Case { name, ops, measure, heavy: false, sides: Box::new(sides) }
}

/// Returns the case that spawns and joins so many children that do nothing.
pub fn spawn_join(flavor: Flavor, label: &str, n: usize) -> Case {
    case(format!("spawn_join/{flavor}/{label}"), n, move || {
        let [ours, set, tracker, handles, bare] = spawners(flavor, n, Noop);
        let of_set = match flavor {
            Flavor::CurrentThread => 0.16,
            Flavor::MultiThread => 0.25,
            Flavor::EightThreads => 1.00,
        };
        vec![ours, set.goal(Goal::Ratio(of_set)), tracker.goal(Goal::Ratio(1.00)), handles, bare]
    })
}

// Children that suspend: no goal, but a fast path for those that do not must not be paid by these.
fn spawn_yield(flavor: Flavor, label: &str, n: usize) -> Case {
    case(format!("spawn_yield/{flavor}/{label}"), n, move || {
        spawners(flavor, n, YieldOnce).into_iter().collect()
    })
}

/// Returns the case that wakes so many children so many times.
pub fn wake(flavor: Flavor, times: u32, n: usize) -> Case {
    case(format!("wake/{flavor}/{times}"), n, move || {
        let host = Rc::new(Host::new(flavor));
        let work = Woken(times);
        let [set, tracker] = [
            Side::on(&host, "JoinSet", move || peers::wake_join_set(n, times, work)),
            Side::on(&host, "TaskTracker", move || peers::wake_task_tracker(n, times, work)),
        ];
        let tracker = match wake_goal(flavor, times) {
            Some(most) => tracker.goal(Goal::Ratio(most)),
            None => tracker,
        };
        vec![Side::on(&host, "ours", move || ours::wake(n, times)), set, tracker]
    })
}

fn wake_goal(flavor: Flavor, times: u32) -> Option<f64> {
    Some(match (flavor, times) {
        (Flavor::CurrentThread, 3) => 0.65,
        (Flavor::CurrentThread, 8) => 0.90,
        (Flavor::CurrentThread, 64) => 1.05,
        (Flavor::MultiThread, 3 | 8) => 0.45,
        (Flavor::MultiThread, 64) => 0.55,
        (Flavor::EightThreads, _) => 1.00,
        _ => return None,
    })
}

fn spawners(flavor: Flavor, n: usize, work: impl Work) -> [Side; 5] {
    let host = Rc::new(Host::new(flavor));
    [
        Side::on(&host, "ours", move || ours::spawn_join(n, work)),
        Side::on(&host, "JoinSet", move || peers::join_set(n, work)),
        Side::on(&host, "TaskTracker", move || peers::task_tracker(n, work)),
        Side::on(&host, "Vec<JoinHandle>", move || peers::handles(n, work)),
        Side::on(&host, "bare spawn", move || peers::bare(n, work)),
    ]
}

/// Returns the case that spawns and joins so many children on the pool.
pub fn spawn_join_pool(label: &str, n: usize) -> Case {
    case(format!("spawn_join/pool/{label}"), n, move || {
        let pool = ours::Pool::new(2);
        let host = Rc::new(Host::new(Flavor::MultiThread));
        let mut sides = vec![
            Side::new("ours", move |times| pool.spawn_join(times, n, Noop)),
            Side::on(&host, "JoinSet (tokio)", move || peers::join_set(n, Noop)),
            peers::executor::<&'static StaticExecutor>(2, n, Noop).goal(Goal::Ratio(0.45)),
            peers::executor::<Arc<Executor<'static>>>(2, n, Noop).goal(Goal::Ratio(0.30)),
        ];
        let goroutines = go::side("Go, WaitGroup", "wait_group", n);
        sides.extend(goroutines.map(|side| side.goal(Goal::Ratio(1.00))));
        sides
    })
}

// The value of each child, as it ends.
fn join_next(flavor: Flavor) -> Case {
    const N: usize = 10_000;
    case(format!("join_next/{flavor}/10k"), N, move || {
        let host = Rc::new(Host::new(flavor));
        let set = Side::on(&host, "JoinSet", move || peers::join_set_values(N, Noop));
        vec![
            Side::on(&host, "ours", move || ours::fork_join_next(N, Noop)),
            set.goal(Goal::Ratio(0.60)),
        ]
    })
}

/// Returns the case that takes a value from each of so many children.
pub fn fork_join(flavor: Flavor, label: &str, n: usize) -> Case {
    case(format!("fork_join/{flavor}/{label}"), n, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", move || ours::fork_join(n, Noop)),
            Side::on(&host, "Vec<JoinHandle>", move || peers::handles_values(n, Noop))
                .goal(Goal::Ratio(0.57)),
            Side::on(&host, "JoinSet", move || peers::join_set_values(n, Noop)),
        ]
    })
}
