//! Telling wakers apart.

use std::ptr;
use std::task::Waker;

/// What two wakers that wake the same task have in common: like `Waker::will_wake`, without keeping
/// a waker. It is two addresses, to be compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    data: usize,
    vtable: usize,
}

impl Identity {
    #[inline(always)]
    pub(crate) fn of(waker: &Waker) -> Identity {
        Identity { data: waker.data().addr(), vtable: ptr::from_ref(waker.vtable()).addr() }
    }
}
