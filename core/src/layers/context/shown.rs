//! A scope in place, as the nursery knows it in one of whose tasks it is polled.

use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Arc;
use std::panic::Location;

/// What a tree shows of it.
pub(crate) trait Shown: Send + Sync {
    fn id(&self) -> NurseryId;
    fn name(&self) -> Option<&str>;
    /// Returns where it was opened.
    fn place(&self) -> &'static Location<'static>;
    fn level(&self) -> Level;
    fn reason(&self) -> Option<Reason>;
    /// Calls `f` with each child, in no order, under a lock.
    fn each_task(&self, f: &mut dyn FnMut(ShownTask<'_>));
}

/// A child of it.
pub(crate) struct ShownTask<'a> {
    pub(crate) id: TaskId,
    pub(crate) name: Option<&'a str>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) state: TaskState,
    pub(crate) polls: u32,
    pub(crate) cancelled: bool,
}

/// A scope, and what it was opened in.
#[derive(Clone)]
pub(crate) struct OpenScope {
    pub(crate) scope: Arc<dyn Shown>,
    pub(crate) opener: ScopeOpener,
}

/// In what a scope was polled for the first time.
#[derive(Clone, Copy)]
pub(crate) enum ScopeOpener {
    /// In the body of the nursery.
    Body,
    /// In the nursery's task of that number.
    Task(u64),
    /// In this child of this scope, or in its body.
    Scope(NurseryId, Option<TaskId>),
}
