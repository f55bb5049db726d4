//! What a child costs in memory: bytes while it waits, allocations over its life.

use std::rc::Rc;

use crate::case::{Case, Goal, Measure, Side};
use crate::host::{FLAVORS, Flavor, Host};
use crate::work::{Noop, Parked, Work};
use crate::{ours, peers};

const N: usize = 10_000;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // Runtimes round a task up, tokio to 128 bytes, so one size of child would show half.
    for flavor in FLAVORS {
        cases.push(parked_memory(flavor, "0b", Parked::<0>));
        cases.push(parked_memory(flavor, "64b", Parked::<64>));
        cases.push(parked_memory(flavor, "256b", Parked::<256>));
        cases.push(parked_memory(flavor, "1kb", Parked::<1024>));
    }
    cases.extend(FLAVORS.into_iter().map(noop_allocations));
    cases.extend(FLAVORS.into_iter().map(parked_allocations));
    cases
}

fn case(name: String, measure: Measure, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    Case { name, ops: N as u64, measure, heavy: false, sides: Box::new(sides) }
}

fn parked_memory(flavor: Flavor, label: &str, work: impl Work) -> Case {
    case(format!("parked_memory/{flavor}/{label}"), Measure::Bytes, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", move || ours::park(N, work)),
            Side::on(&host, "JoinSet", move || peers::park_join_set(N, work))
                .goal(Goal::Ratio(0.75)),
            Side::on(&host, "TaskTracker", move || peers::park_task_tracker(N, work)),
        ]
    })
}

fn noop_allocations(flavor: Flavor) -> Case {
    case(format!("allocs/noop/{flavor}"), Measure::Allocations, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", || ours::spawn_join(N, Noop)),
            Side::on(&host, "bare spawn", || peers::bare(N, Noop)).goal(AT_MOST_ONE),
        ]
    })
}

fn parked_allocations(flavor: Flavor) -> Case {
    case(format!("allocs/parked/{flavor}"), Measure::Allocations, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", || ours::park(N, Parked::<0>)),
            Side::on(&host, "bare spawn", || peers::park_bare(N, Parked::<0>)).goal(AT_MOST_ONE),
        ]
    })
}

// One allocation a child, and a hundred a nursery (its own, and tables that grow).
const AT_MOST_ONE: Goal = Goal::Extra(1.0 + 100.0 / N as f64);
