//! Spawn and join: children that do nothing, that suspend once, that return a value.

use std::rc::Rc;
use std::sync::Arc;

use async_executor::{Executor, StaticExecutor};

use super::SIZES;
use crate::case::{Case, Goal, Measure, Side};
use crate::host::{FLAVORS, Flavor, Host};
use crate::work::{Noop, Work, YieldOnce};
use crate::{go, ours, peers};

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
        cases.extend([1, 3, 8, 64].map(|times| wake(flavor, times)));
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

fn spawn_join(flavor: Flavor, label: &str, n: usize) -> Case {
    case(format!("spawn_join/{flavor}/{label}"), n, move || {
        let [ours, set, tracker, handles, bare] = spawners(flavor, n, Noop);
        vec![ours, set.goal(Goal::Ratio(0.60)), tracker.goal(Goal::Ratio(1.15)), handles, bare]
    })
}

// Children that suspend: no goal, but a fast path for those that do not must not be paid by these.
fn spawn_yield(flavor: Flavor, label: &str, n: usize) -> Case {
    case(format!("spawn_yield/{flavor}/{label}"), n, move || {
        spawners(flavor, n, YieldOnce).into_iter().collect()
    })
}

// What a wake costs: at first it goes through the nursery's queue, later through the runtime's.
fn wake(flavor: Flavor, times: u32) -> Case {
    const N: usize = 10_000;
    case(format!("wake/{flavor}/{times}"), N, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", move || ours::wake(N, times)),
            Side::on(&host, "JoinSet", move || peers::wake_join_set(N, times)),
            Side::on(&host, "TaskTracker", move || peers::wake_task_tracker(N, times)),
        ]
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

fn spawn_join_pool(label: &str, n: usize) -> Case {
    case(format!("spawn_join/pool/{label}"), n, move || {
        let pool = ours::Pool::new();
        let host = Rc::new(Host::new(Flavor::MultiThread));
        let mut sides = vec![
            Side::new("ours", move |times| pool.spawn_join(times, n, Noop)),
            Side::on(&host, "JoinSet (tokio)", move || peers::join_set(n, Noop)),
            peers::executor::<&'static StaticExecutor>(n, Noop).goal(Goal::Ratio(0.90)),
            peers::executor::<Arc<Executor<'static>>>(n, Noop).goal(Goal::Ratio(0.50)),
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

fn fork_join(flavor: Flavor, label: &str, n: usize) -> Case {
    case(format!("fork_join/{flavor}/{label}"), n, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", move || ours::fork_join(n, Noop)),
            Side::on(&host, "Vec<JoinHandle>", move || peers::handles_values(n, Noop)),
            Side::on(&host, "JoinSet", move || peers::join_set_values(n, Noop)),
        ]
    })
}
