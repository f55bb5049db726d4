//! Our own executors, as a nursery's runtime and alone.

mod local_executor;
mod timer;
