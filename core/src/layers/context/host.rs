//! What the context asks of the nursery that a task or body is in.
//!
//! A frame knows the nursery by the trait alone: the engine, which stands in a higher layer, is it.

use super::shown::OpenScope;
use super::values::Values;
use crate::layers::base::counted::dynamic::WeakDyn;
use crate::layers::base::id::NurseryId;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{Arc, GlobalU64, Ordering};
use crate::layers::cancel::CancelToken;
use crate::layers::record::{Header, Ptr};
use allhome_rt::Instant;
use allhome_rt::Runtime;
use std::any::Any;
use std::task::Waker;
use std::time::Duration;

/// A nursery. Where a task is asked for, none stands for the body.
pub(crate) trait Host: Send + Sync {
    fn id(&self) -> NurseryId;
    fn name(&self) -> Option<&str>;
    /// Returns itself, for the layer that knows the type.
    fn as_any(&self) -> &dyn Any;
    fn weak(&self) -> WeakDyn<dyn Host>;

    /// Returns the present instant by the clock of its runtime. No lock is held.
    fn now(&self) -> Instant;
    fn deadline(&self) -> Option<Instant>;
    /// Returns how long its tasks may go on when they are cancelled, if that was set.
    fn grace(&self) -> Option<Duration>;
    /// Returns `true` if the child of this number is blocking work.
    fn is_work(&self, number: u64) -> bool;

    /// Returns `true` if the task was cancelled, or a deadline has passed that cancels it.
    fn is_task_cancelled(&self, task: Option<&Header>) -> bool;
    /// Returns why.
    fn task_reason(&self, task: Option<&Header>) -> Option<Reason>;
    /// Returns why the task was cancelled, or why a cancel is on its way to it: of the nursery, or
    /// of what that is in, with no shield between.
    fn leaving(&self, task: Option<&Header>) -> Option<Reason>;
    /// Returns the token of the task, or, for the body, of the nursery.
    fn task_token(&self, task: Option<&Header>) -> CancelToken;
    /// Returns the nursery's token.
    fn token(&self) -> CancelToken;
    /// Says that it is cancelled if its token is.
    fn follow_token(&self);

    fn raise_shield(&self, task: Option<(Ptr, &Header)>);
    /// `own` is the task with this number, if it is the one that calls.
    fn lower_shield(&self, number: Option<u64>, own: Option<&Header>);

    /// Returns `true` if it has members. Then the waker is woken when that has changed.
    fn is_out(&self, waker: Option<(Waiter, &Waker)>) -> bool;
    /// It waits no longer.
    fn forget_home_waker(&self, waiter: Waiter);
    fn is_closed(&self) -> bool;

    /// Notes a scope in place that is open in it. Returns its key.
    fn add_scope(&self, scope: OpenScope) -> u32;
    fn remove_scope(&self, key: u32);
}

/// What a task has from the nursery that it is in.
pub(crate) struct Inherited {
    pub(crate) runtime: Runtime,
    /// The values that are set where the nursery was opened.
    pub(crate) values: Option<Arc<Values>>,
}

/// A waiter for the end of one nursery, or of several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiter(u64);

static LAST: GlobalU64 = GlobalU64::new(0);

impl Waiter {
    pub(crate) fn new() -> Waiter {
        // Relaxed: only uniqueness matters.
        Waiter(LAST.fetch_add(1, Ordering::Relaxed))
    }
}
