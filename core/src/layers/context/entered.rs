//! The runtime that a thread has entered where no nursery is around: that of `block_on` and `run`.
//!
//! It is kept as the function that finds it: to enter it costs no more than two stores, and the
//! runtime is not started before a nursery needs it.

use crate::layers::base::sync::thread_local;
use allhome_rt::{NoRuntime, Runtime};
use std::cell::Cell;

type Find = fn() -> Result<Runtime, NoRuntime>;

thread_local! {
    static ENTERED: Cell<Option<Find>> = const { Cell::new(None) };
}

/// Puts the runtime around back when it is dropped.
#[allow(dead_code, reason = "what enters one is a feature")]
pub(crate) struct Entered(Option<Find>);

#[allow(dead_code, reason = "what enters one is a feature")]
impl Entered {
    /// From now on the thread is inside of this runtime.
    pub(crate) fn enter(find: Find) -> Entered {
        Entered(ENTERED.with(|entered| entered.replace(Some(find))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        ENTERED.with(|entered| entered.set(self.0));
    }
}

/// Returns `true` if the thread is inside of a runtime: nothing that it blocks is waited for.
pub(crate) fn is_inside() -> bool {
    ENTERED.with(Cell::get).is_some()
}

/// Returns the runtime that the thread is inside of, if it is inside of one.
pub(crate) fn find() -> Option<Result<Runtime, NoRuntime>> {
    ENTERED.with(Cell::get).map(|find| find())
}
