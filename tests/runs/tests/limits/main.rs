//! Semaphores, keys, rates, and nurseries that are bounded by them.

mod blocking_limit;
mod bounded;
mod lending;
mod limit;
mod limit_cancel;
mod limits_of_runtime;
mod rate;
