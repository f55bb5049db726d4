//! A record that is kept for what can be asked of a child, and not for its value.

#![allow(unsafe_code)]

use super::{Handle, Header, Ptr, waker};
use std::marker::PhantomData;
use std::task::Waker;

/// Keeps a record's memory, beyond the child's and the nursery's life. It leads to no value.
pub(crate) struct Kept {
    ptr: Ptr,
    /// It keeps the record, and is never woken.
    _waker: Waker,
}

/// A record that is kept meanwhile, by a [`Handle`] or a [`Kept`].
#[derive(Clone, Copy)]
pub(crate) struct RecordRef<'a> {
    ptr: Ptr,
    keeper: PhantomData<&'a Header>,
}

impl Kept {
    /// # Safety
    ///
    /// The record is kept during the call: by a token, or it stands in a list and the caller holds
    /// the registry's lock.
    pub(crate) unsafe fn new(ptr: Ptr) -> Kept {
        // SAFETY: the caller's promise.
        Kept { ptr, _waker: unsafe { waker::of(ptr) } }
    }

    pub(crate) fn record(&self) -> RecordRef<'_> {
        RecordRef { ptr: self.ptr, keeper: PhantomData }
    }
}

impl<T, E> Handle<T, E> {
    #[inline]
    pub(crate) fn record(&self) -> RecordRef<'_> {
        RecordRef { ptr: self.ptr(), keeper: PhantomData }
    }
}

impl<'a> RecordRef<'a> {
    /// Keeps the record beyond its present keeper.
    pub(crate) fn keep(self) -> Kept {
        // SAFETY: its keeper is there.
        unsafe { Kept::new(self.ptr) }
    }

    #[inline]
    pub(crate) fn ptr(self) -> Ptr {
        self.ptr
    }

    #[inline]
    pub(crate) fn header(self) -> &'a Header {
        // SAFETY: its keeper is borrowed for `'a`.
        unsafe { self.ptr.header() }
    }
}
