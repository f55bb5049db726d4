//! A waker that is a value: cloning, waking and dropping it is what the value does. There is no
//! safe way to see a waker cloned.
//!
//! # Invariants
//!
//! 1. A waker's data is a box of its own, made by `raw`, which goes with the waker.

#![allow(unsafe_code)]

use super::nosy::Nosy;
use std::task::{RawWaker, RawWakerVTable, Waker};

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_it);

pub(crate) fn waker(value: Nosy) -> Waker {
    // SAFETY: the table's functions keep to invariant 1, and a `Nosy` may be used from any thread.
    unsafe { Waker::from_raw(raw(value)) }
}

fn raw(value: Nosy) -> RawWaker {
    RawWaker::new(Box::into_raw(Box::new(value)).cast_const().cast(), &TABLE)
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: invariant 1, and the waker is there while it is cloned.
    raw(unsafe { &*data.cast::<Nosy>() }.clone())
}

unsafe fn wake(data: *const ()) {
    // SAFETY: invariant 1, and the waker is gone after this.
    unsafe { Box::from_raw(data.cast_mut().cast::<Nosy>()) }.called("wake");
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: invariant 1, and the waker is there meanwhile.
    unsafe { &*data.cast::<Nosy>() }.called("wake");
}

unsafe fn drop_it(data: *const ()) {
    // SAFETY: invariant 1, and the waker is gone after this.
    drop(unsafe { Box::from_raw(data.cast_mut().cast::<Nosy>()) });
}
