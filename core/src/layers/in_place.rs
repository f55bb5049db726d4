//! Scopes in place: children that borrow from the caller, polled by the caller's own task.
//!
//! docs/SCOPES.md has the design: what a child is, what keeps what alive, and why it is safe code.

pub(crate) mod builder;
pub(crate) mod child;
mod control;
mod engine;
pub(crate) mod handle;
mod inbox;
mod join;
mod lack;
pub(crate) mod mode;
mod part;
pub(crate) mod run;
mod slots;
mod task;
pub(crate) mod task_builder;
