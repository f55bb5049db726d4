//! The token of the user's `Child`: HANDLE in the state word.

#![allow(unsafe_code)]

use super::state::Last;
use super::tokens::Dealloc;
use super::{Header, Ptr};
use crate::layers::base::invariant::Invariant;
use crate::layers::base::outcome::Outcome;
use crate::layers::base::panic;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::task::Waker;

/// The user's side of a record: typed, and good beyond the child's and the nursery's life.
pub(crate) struct Handle<T, E> {
    ptr: Ptr,
    /// Whether the handle let go before it was dropped.
    gone: bool,
    value: PhantomData<fn() -> T>,
    /// The outcome may go to the nursery's report.
    error: Invariant<E>,
}

impl<T, E> Handle<T, E> {
    /// The record was created with a handle and these types, and this is its only handle.
    pub(super) fn new(ptr: Ptr) -> Handle<T, E> {
        Handle { ptr, gone: false, value: PhantomData, error: PhantomData }
    }

    pub(crate) fn ptr(&self) -> Ptr {
        self.ptr
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: HANDLE is set, so the record is not freed.
        unsafe { self.ptr.header() }
    }

    /// Takes the outcome out. `None` if it is not there yet, or was taken before.
    pub(crate) fn take(&mut self) -> Option<Outcome<T, E>> {
        if !self.header().state.is_done() {
            return None;
        }
        let mut place = MaybeUninit::<Option<Outcome<T, E>>>::uninit();
        let vtable = self.header().vtable;
        // SAFETY: DONE is set, so the stage is ours (invariant 2), and the record was made with
        // these types, so `take` writes an `Option<Outcome<T, E>>`.
        unsafe { (vtable.take)(self.ptr.0, place.as_mut_ptr().cast()) };
        // SAFETY: `take` wrote it.
        unsafe { place.assume_init() }
    }

    /// Lets go of a child that has not ended; nothing may be done with the handle after that.
    /// Returns `false`, and changes nothing, if the child has ended: the caller must see to its
    /// outcome first.
    pub(crate) fn let_go(&mut self) -> bool {
        let Some(last) = self.header().state.drop_handle_early() else { return false };
        self.gone = true;
        if last == Last::Free {
            drop(Dealloc(self.ptr));
        }
        true
    }

    /// Keeps the joiner's waker, and returns the one that it replaces.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock.
    pub(crate) unsafe fn set_joiner(&mut self, waker: Waker) -> Option<Waker> {
        // SAFETY: the record has a handle: this one.
        let joiner = unsafe { self.ptr.joiner() };
        // SAFETY: invariant 3.
        joiner.with_mut(|kept| unsafe { &mut *kept }.replace(waker))
    }

    /// Takes the joiner's waker.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock.
    pub(crate) unsafe fn take_joiner(&mut self) -> Option<Waker> {
        // SAFETY: the record has a handle: this one.
        let joiner = unsafe { self.ptr.joiner() };
        // SAFETY: invariant 3.
        joiner.with_mut(|kept| unsafe { &mut *kept }.take())
    }
}

impl<T, E> Drop for Handle<T, E> {
    /// An outcome that is there is dropped with the handle, by the thread that drops the handle.
    fn drop(&mut self) {
        if self.gone || self.let_go() {
            return;
        }
        if let Some(outcome) = self.take() {
            if let Err(payload) = panic::catch_drop(outcome) {
                panic::discard(payload);
            }
        }
        if self.header().state.drop_handle() == Last::Free {
            drop(Dealloc(self.ptr));
        }
    }
}
