//! Panics: caught, kept and resumed here and nowhere else.
//!
//! Rules: a panic of user code (a poll, a destructor, a hook, a waker) is caught where it leaves
//! that code. It is recorded as the outcome of the task that it belongs to, and the interrupted
//! operation goes on. A panic that belongs to no task (a waker, a hook, a payload's own destructor)
//! is dropped after the standard panic hook has printed it.

mod kept;

pub use kept::Panic;

use super::guarded::assert_none;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

pub(crate) type Payload = Box<dyn Any + Send>;

/// Calls `f`, which is the user's, and catches its panic. No lock is held.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    assert_none("code of the user's is called");
    catch_unwind(AssertUnwindSafe(f))
}

/// Drops a value of the user's and catches its panic.
pub(crate) fn catch_drop<T>(value: T) -> Result<(), Payload> {
    catch(move || drop(value))
}

/// Wakes. A panic of the waker ends here.
pub(crate) fn wake(waker: Waker) {
    if let Err(payload) = catch(move || waker.wake()) {
        discard(payload);
    }
}

/// Drops a waker that is not needed any more. A panic of its destructor ends here.
pub(crate) fn drop_waker(waker: Option<Waker>) {
    if let Some(Err(payload)) = waker.map(catch_drop) {
        discard(payload);
    }
}

/// Like [`wake`], for a waker that is only lent.
pub(crate) fn wake_by_ref(waker: &Waker) {
    if let Err(payload) = catch(|| waker.wake_by_ref()) {
        discard(payload);
    }
}

/// Drops a payload, whose own destructor may panic in turn. The payload of that panic may do the
/// same, but not for ever: after eight times the rest is leaked.
pub(crate) fn discard(mut payload: Payload) {
    for _ in 0..8 {
        match catch_drop(payload) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

/// Resumes a panic that was caught.
pub(crate) fn resume(payload: Payload) -> ! {
    resume_unwind(payload)
}
