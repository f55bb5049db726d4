//! What a runtime owes a nursery, on the bare boundary: no nursery is opened here, so that a broken
//! runtime is found by its own fault.

mod blocking;
mod budget;
mod claims;
mod fairness;
mod local;
mod memory;
mod panic;
mod poll;
mod probe;
mod root;
mod shutdown;
mod spawn;
mod timer;
mod timer_edges;
mod timer_many;
mod wake;
mod waker;

use crate::rule::Rule;

pub(crate) const GROUPS: &[&[Rule]] = &[
    claims::RULES,
    root::RULES,
    spawn::RULES,
    poll::RULES,
    wake::RULES,
    waker::RULES,
    memory::RULES,
    panic::RULES,
    timer::RULES,
    timer_many::RULES,
    timer_edges::RULES,
    blocking::RULES,
    shutdown::RULES,
    fairness::RULES,
    budget::RULES,
    local::RULES,
];
