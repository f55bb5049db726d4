//! Our executors by themselves: what they promise of tasks, timers, blocking work and shutdown.

mod block_on;
mod blocking;
mod fairness;
mod pool;
mod shutdown;
mod shutdown_inside;
mod support;
mod timer;
mod wake;
