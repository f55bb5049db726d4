//! Wakers that are reaches of a seat, or lent by it: invariant 4 of [`seats`](super).

use super::{Core, Reach};
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable};

pub(super) static WAKER: RawWakerVTable =
    RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

/// Returns the seat that a waker's data is.
///
/// # Safety
///
/// `data` is a waker's of the table above, so it is a reach, or lent by a seat (invariant 4).
#[inline]
unsafe fn at(data: *const ()) -> NonNull<Core> {
    // SAFETY: it is made from a `NonNull<Core>`.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

/// # Safety
///
/// As [`at`].
unsafe fn clone_waker(data: *const ()) -> RawWaker {
    // SAFETY: the caller's promise.
    let at = unsafe { at(data) };
    // SAFETY: it is held or late while the waker is borrowed.
    unsafe { at.as_ref() }.count_one();
    RawWaker::new(data, &WAKER)
}

/// # Safety
///
/// As [`at`]; the waker goes.
unsafe fn wake(data: *const ()) {
    // SAFETY: the caller's promise: it is a reach, since one that is lent is never given away.
    let reach = Reach::counted(unsafe { at(data) });
    reach.schedule();
}

/// # Safety
///
/// As [`at`].
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the caller's promise.
    let at = unsafe { at(data) };
    // SAFETY: it is held or late while the waker is borrowed.
    unsafe { at.as_ref() }.schedule();
}

/// # Safety
///
/// As [`at`]; the waker goes.
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the caller's promise: as for `wake`.
    drop(Reach::counted(unsafe { at(data) }));
}
