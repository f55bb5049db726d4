//! Aborting many children that wait; the set-up is not timed.

use std::rc::Rc;

use crate::case::{Case, Goal, Measure, Side};
use crate::host::{FLAVORS, Flavor, Host};
use crate::{ours, peers};

const N: usize = 100_000;

pub(super) fn cases() -> Vec<Case> {
    let gone = FLAVORS.into_iter().map(|flavor| until_gone(flavor, "100k", N));
    let mut cases: Vec<_> = gone.collect();
    cases.extend(FLAVORS.into_iter().map(until_returned));
    cases
}

fn case(name: String, n: usize, sides: impl Fn() -> Vec<Side> + 'static) -> Case {
    let measure = Measure::Nanoseconds;
    Case { name, ops: n as u64, measure, heavy: false, sides: Box::new(sides) }
}

/// Returns the case that aborts so many children, until the runtime has none of their tasks.
pub fn until_gone(flavor: Flavor, label: &str, n: usize) -> Case {
    case(format!("abort_parked/{flavor}/{label}"), n, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", move || async move { ours::abort(n).await.gone }),
            Side::on(
                &host,
                "JoinSet",
                move || async move { peers::shutdown_join_set(n).await.gone },
            )
            .goal(Goal::Ratio(0.60)),
        ]
    })
}

// What the caller waits for; the runtime may still hold tasks afterwards, on either side.
fn until_returned(flavor: Flavor) -> Case {
    case(format!("abort_parked_return/{flavor}/100k"), N, move || {
        let host = Rc::new(Host::new(flavor));
        vec![
            Side::on(&host, "ours", || async { ours::abort(N).await.returned }),
            Side::on(&host, "JoinSet", || async { peers::shutdown_join_set(N).await.returned }),
        ]
    })
}
