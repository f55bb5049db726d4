//! The ambient context: which task, of which nursery, the present thread is polling or destroying.
//!
//! Each poll, and each destruction of a user's future, sets one thread-local pointer to a frame on
//! its own stack and puts the old one back. It is used to *inherit* (runtime, parenthood, cancel),
//! never to spawn into somebody's nursery behind his back, and it is never carried in a waker.
//!
//! It is tempting to keep an `Arc` of the nursery in the thread-local, which needs no unsafe
//! code; but that is two read-modify-writes a poll where the pointer costs two plain stores.
//!
//! # Invariants
//!
//! 1. The pointer is null, or points to the frame of an [`enter`] that is still running on this
//!    thread: `enter` puts the old value back before its frame goes, also when it unwinds.

#![allow(unsafe_code)]

use crate::group::Group;
use crate::record::{Header, Ptr};
use crate::sync::{Arc, thread_local};
use std::cell::Cell;
use std::ptr;

/// What the present thread is working for.
pub(crate) struct Frame<'a> {
    pub(crate) group: &'a Group,
    /// The task, or none while a nursery's body is polled.
    pub(crate) task: Option<Ptr>,
}

impl Frame<'_> {
    pub(crate) fn header(&self) -> Option<&Header> {
        // SAFETY: `enter`'s caller holds the claim of the task while the frame exists.
        self.task.map(|task| unsafe { task.header() })
    }
}

#[cfg(not(loom))]
thread_local! {
    static CURRENT: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
}
#[cfg(loom)]
thread_local! {
    static CURRENT: Cell<*const Frame<'static>> = Cell::new(ptr::null());
}

struct Restore(*const Frame<'static>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.0));
    }
}

/// Calls `f` with the task, or else the nursery's body, as the present thread's context. The caller
/// holds the task's claim.
#[inline]
pub(crate) fn enter<R>(group: &Group, task: Option<Ptr>, f: impl FnOnce() -> R) -> R {
    let frame = Frame { group, task };
    let here = ptr::from_ref(&frame).cast::<Frame<'static>>();
    let _restore = Restore(CURRENT.with(|current| current.replace(here)));
    f()
}

/// Calls `f` with the present thread's context, if there is one.
pub(crate) fn current<R>(f: impl FnOnce(Option<&Frame<'_>>) -> R) -> R {
    let here = CURRENT.with(Cell::get);
    // SAFETY: by invariant 1 the pointer is null or its frame outlives this call, which runs
    // inside that `enter`.
    f(unsafe { here.as_ref() })
}

/// Returns the nursery that the present thread is working for.
pub(crate) fn current_group() -> Option<Arc<Group>> {
    current(|frame| frame.and_then(|frame| frame.group.arc()))
}
