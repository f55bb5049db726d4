//! One child that is woken again and again, with no other about: by itself, and by the body.

use std::rc::Rc;

use crate::case::{Case, Goal, Measure, Side};
use crate::host::{FLAVORS, Flavor, Host};
use crate::work::{Woken, Yields};
use crate::{ours, peers};

const TIMES: u32 = 10_000;

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = FLAVORS.into_iter().map(by_itself).collect();
    cases.extend(FLAVORS.into_iter().map(by_the_body));
    cases
}

fn case(name: String, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let (ops, measure) = (TIMES.into(), Measure::Nanoseconds);
    Case { name, ops, measure, heavy: false, sides: Box::new(sides) }
}

fn by_itself(flavor: Flavor) -> Case {
    case(format!("lone/yield/{flavor}"), move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", || ours::spawn_join(1, Yields(TIMES))),
            Side::on(&host, "bare task", || peers::handles(1, Yields(TIMES)))
                .goal(Goal::Ratio(1.10)),
            Side::on(&host, "JoinSet", || peers::join_set(1, Yields(TIMES))),
        ]
    })
}

// Half of what is timed is the body's turn between two wakes, which is the same on all sides.
fn by_the_body(flavor: Flavor) -> Case {
    case(format!("lone/wake/{flavor}"), move || {
        let host = Rc::new(Host::new(flavor));
        let work = Woken(TIMES);
        vec![
            Side::on(&host, "ours", || ours::wake(1, TIMES)),
            Side::on(&host, "bare task", move || peers::wake_handles(1, TIMES, work))
                .goal(Goal::Ratio(1.10)),
            Side::on(&host, "JoinSet", move || peers::wake_join_set(1, TIMES, work)),
        ]
    })
}
