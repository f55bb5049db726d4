//! Futures that bound a part of a task: deadlines, shields, scoped values.

pub(crate) mod cancel_safe;
pub(crate) mod cancellable;
pub(crate) mod deadline;
pub(crate) mod end;
pub(crate) mod shield;
pub(crate) mod value;
