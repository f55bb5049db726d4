//! Words and tools that know of no task: locks, lists, ids, reasons, outcomes.

pub(crate) mod age;
pub(crate) mod as_error;
pub(crate) mod big;
pub(crate) mod counted;
pub(crate) mod deadlock;
pub(crate) mod escaped;
#[allow(dead_code, reason = "only a simulator injects, and that is a feature")]
pub(crate) mod fault;
pub(crate) mod guarded;
pub(crate) mod id;
pub(crate) mod intrusive;
pub(crate) mod invariant;
pub(crate) mod join_error;
pub(crate) mod leave;
pub(crate) mod lock;
pub(crate) mod marks;
pub(crate) mod mode;
pub(crate) mod names;
pub(crate) mod outcome;
pub(crate) mod panic;
pub(crate) mod reason;
pub(crate) mod stacks;
pub(crate) mod stays;
pub(crate) mod sync;
pub(crate) mod tick;
pub(crate) mod wait_mark;
pub(crate) mod who;
