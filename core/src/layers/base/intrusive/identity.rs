//! Telling wakers apart.

use std::ptr;
use std::task::{RawWakerVTable, Waker};

/// What two wakers that wake the same task have in common: like `Waker::will_wake`, without keeping
/// a waker. It is compared and never used as a pointer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    data: *const (),
    vtable: *const RawWakerVTable,
}

impl Identity {
    #[inline(always)]
    pub(crate) fn of(waker: &Waker) -> Identity {
        Identity { data: waker.data(), vtable: ptr::from_ref(waker.vtable()) }
    }
}
