//! A runtime's budget of work in a poll, and how children share it.

mod budget;
mod tokio_budget;
