//! Scopes in place: children that borrow from the caller, polled by the caller's own task.
//!
//! docs/SCOPES.md has the design: what a child is, and what keeps what alive. Unsafe code is in
//! `seats` and `placed` alone.

pub(crate) mod builder;
pub(crate) mod child;
mod control;
mod engine;
mod hand_over;
pub(crate) mod handle;
mod inbox;
mod join;
mod lack;
mod marks;
pub(crate) mod mode;
mod part;
mod placed;
mod reached;
pub(crate) mod run;
mod seats;
mod slots;
mod task;
pub(crate) mod task_builder;
mod turn;
