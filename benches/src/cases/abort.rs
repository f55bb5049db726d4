//! Aborting many children that wait; the set-up is not timed.

use std::rc::Rc;

use crate::case::{Case, Goal, Measure, Side};
use crate::host::{FLAVORS, Flavor, Host};
use crate::{ours, peers};

const N: usize = 100_000;

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = FLAVORS.into_iter().map(until_gone).collect();
    cases.extend(FLAVORS.into_iter().map(until_returned));
    cases
}

fn case(name: String, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let measure = Measure::Nanoseconds;
    Case { name, ops: N as u64, measure, heavy: false, sides: Box::new(sides) }
}

fn until_gone(flavor: Flavor) -> Case {
    case(format!("abort_parked/{flavor}/100k"), move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", || async { ours::abort(N).await.gone }),
            Side::on(&host, "JoinSet", || async { peers::shutdown_join_set(N).await.gone })
                .goal(Goal::Ratio(0.60)),
        ]
    })
}

// What the caller waits for; the runtime may still hold tasks afterwards, on either side.
fn until_returned(flavor: Flavor) -> Case {
    case(format!("abort_parked_return/{flavor}/100k"), move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", || async { ours::abort(N).await.returned }),
            Side::on(&host, "JoinSet", || async { peers::shutdown_join_set(N).await.returned }),
        ]
    })
}
