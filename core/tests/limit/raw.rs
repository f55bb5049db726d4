//! Wakers with a table of their own: the only way to see one cloned.

#![allow(unsafe_code)]

use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// Makes a waker with this table, whose functions must make nothing of its data.
pub(crate) fn waker(table: &'static RawWakerVTable) -> Waker {
    // SAFETY: the data is nothing, so whatever the functions do is sound: they are safe code.
    unsafe { Waker::from_raw(raw_waker(table)) }
}

/// What a `clone` of such a table returns.
pub(crate) fn raw_waker(table: &'static RawWakerVTable) -> RawWaker {
    RawWaker::new(ptr::null(), table)
}
