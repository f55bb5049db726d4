//! Children with work to do, on two threads: both threads must get their share.

use std::rc::Rc;

use crate::case::{Case, Measure, Side};
use crate::host::{Flavor, Host};
use crate::work::{Busy, WokenBusy};
use crate::{ours, peers};

const N: usize = 1_000;
const TIMES: u32 = 4;

/// Microseconds of work a poll.
const MICROS: [u64; 4] = [0, 1, 5, 20];

pub(super) fn cases() -> Vec<Case> {
    MICROS.into_iter().map(spawned).chain(MICROS.into_iter().map(woken)).collect()
}

fn case(name: String, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (ops, measure) = (N as u64, Measure::Nanoseconds);
    Case { name, ops, measure, heavy: false, sides: Box::new(sides) }
}

fn spawned(micros: u64) -> Case {
    case(format!("spread/spawn/{micros}us"), move || {
        let host = Rc::new(Host::new(Flavor::MultiThread));
        let work = Busy(micros);
        vec![
            Side::on(&host, "ours", move || ours::spawn_join(N, work)),
            Side::on(&host, "JoinSet", move || peers::join_set(N, work)),
            Side::on(&host, "TaskTracker", move || peers::task_tracker(N, work)),
        ]
    })
}

fn woken(micros: u64) -> Case {
    case(format!("spread/wake_{TIMES}/{micros}us"), move || {
        let host = Rc::new(Host::new(Flavor::MultiThread));
        let work = WokenBusy { times: TIMES, micros };
        vec![
            Side::on(&host, "ours", move || ours::wake_working(N, TIMES, work)),
            Side::on(&host, "JoinSet", move || peers::wake_join_set(N, TIMES, work)),
            Side::on(&host, "TaskTracker", move || peers::wake_task_tracker(N, TIMES, work)),
        ]
    })
}
