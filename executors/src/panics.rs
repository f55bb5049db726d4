//! The one place where a panic of foreign code is caught: a task's poll, a destructor, a waker, a
//! job. A worker survives all of them.

use crate::guarded::assert_none;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f` and returns what it returned, or `None` if it panicked.
///
/// The panic hook has reported the panic by then; the payload is of no use here. Calls the user's
/// code, with no lock held.
pub(crate) fn contain<T>(f: impl FnOnce() -> T) -> Option<T> {
    assert_none("the user's code is called");
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops a payload. It is a user's value too: its destructor may panic, with a payload that does the
/// same. The chain is cut in the end, at the price of one leaked value.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

/// Returns the text that a panic was raised with, and drops its payload.
pub(crate) fn message_of(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    contain(|| drop(payload));
    text.unwrap_or_else(|| "a payload that is not text".to_owned())
}
