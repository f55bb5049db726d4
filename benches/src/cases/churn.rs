//! Very many short children through one nursery: its memory must not grow.

use std::rc::Rc;

use crate::case::{Case, Goal, Measure, Side};
use crate::host::{Flavor, Host};
use crate::{ours, peers};

const N: usize = 10_000_000;
const LIVE: usize = 64;
const MARK_AT: usize = 1_000_000;

pub(super) fn cases() -> Vec<Case> {
    let sides = || {
        let host = Rc::new(Host::new(Flavor::CurrentThread));
        vec![
            Side::on(&host, "ours", || ours::churn(N, LIVE, MARK_AT)),
            Side::on(&host, "TaskTracker", || peers::churn_task_tracker(N, LIVE, MARK_AT))
                .goal(Goal::Flat),
        ]
    };
    vec![Case {
        name: "churn/10m".into(),
        ops: N as u64,
        measure: Measure::Nanoseconds,
        heavy: true,
        sides: Box::new(sides),
    }]
}
