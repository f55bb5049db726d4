//! The token of the user's `Child`: HANDLE in the state word.

#![allow(unsafe_code)]

use super::joiner::Joiner;
use super::state::Last;
use super::tokens::Dealloc;
use super::{Header, Ptr, StageState};
use crate::layers::base::invariant::Invariant;
use crate::layers::base::outcome::{Ending, Outcome};
use crate::layers::base::panic;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};

/// The user's side of a record: typed, and good beyond the child's and the nursery's life.
pub(crate) struct Handle<T, E> {
    ptr: Ptr,
    /// It is `Send` if the value is, which goes where the handle goes (invariant 7 of the parent
    /// module).
    value: PhantomData<T>,
    /// The outcome may go to the nursery's report.
    error: Invariant<E>,
}

// SAFETY: by a shared reference to a handle no value is reached: `take` and the destructor have an
// exclusive one, and `ending` looks at what else may stand in its place.
unsafe impl<T: Send, E> Sync for Handle<T, E> {}

impl<T, E> Unpin for Handle<T, E> {}

impl<T, E> Handle<T, E> {
    /// The record was created with a handle and these types, and this is its only handle.
    #[inline]
    pub(super) fn new(ptr: Ptr) -> Handle<T, E> {
        Handle { ptr, value: PhantomData, error: PhantomData }
    }

    #[inline]
    pub(crate) fn ptr(&self) -> Ptr {
        self.ptr
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: HANDLE is set, so the record is not freed.
        unsafe { self.ptr.header() }
    }

    /// Takes the outcome out, and what a nursery notes of it, unless it is a value. `None` if it is not
    /// there yet, or was taken before.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<(Outcome<T, E>, Option<Ending>)> {
        if !self.header().state.is_done() {
            return None;
        }
        let mut place = MaybeUninit::<Option<Outcome<T, E>>>::uninit();
        let vtable = self.header().vtable;
        // SAFETY: DONE is set, so the stage is ours (invariant 2), and the record was made with
        // these types, so `take` writes an `Option<Outcome<T, E>>`.
        let ending = unsafe { (vtable.take)(self.ptr.0, place.as_mut_ptr().cast()) };
        // SAFETY: `take` wrote it.
        unsafe { place.assume_init() }.map(|outcome| (outcome, ending))
    }

    /// Returns how the child ended, if its outcome is there and was not taken.
    pub(crate) fn ending(&self) -> Option<Ending> {
        let header = self.header();
        if !header.state().is_done() {
            return None;
        }
        // SAFETY: DONE is set, so the stage is ours (invariant 2), and the vtable is this record's.
        unsafe { (header.vtable.ending)(self.ptr.0) }
    }

    /// Lets go of a child that has not ended. If it has ended, the handle comes back: the caller
    /// must see to the outcome first.
    pub(crate) fn let_go(self) -> Option<Handle<T, E>> {
        let Some(last) = self.header().state.drop_handle_early() else { return Some(self) };
        free_if(last, ManuallyDrop::new(self).ptr);
        None
    }

    /// Keeps the joiner, and returns the one that it replaces.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock.
    pub(crate) unsafe fn set_joiner(&mut self, joiner: Joiner) -> Joiner {
        // SAFETY: the record has a handle: this one.
        let place = unsafe { self.ptr.joiner() };
        // SAFETY: invariant 3.
        place.with_mut(|kept| std::mem::replace(unsafe { &mut *kept }, joiner))
    }

    /// Takes the joiner.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock.
    pub(crate) unsafe fn take_joiner(&mut self) -> Joiner {
        // SAFETY: the record has a handle: this one.
        let place = unsafe { self.ptr.joiner() };
        // SAFETY: invariant 3.
        place.with_mut(|kept| unsafe { &mut *kept }.take())
    }
}

impl<T, E> Drop for Handle<T, E> {
    /// An outcome that is there is dropped with the handle, by the thread that drops the handle.
    fn drop(&mut self) {
        let header = self.header();
        let last = header.state.drop_handle_early().unwrap_or_else(|| {
            if header.stage_state() == StageState::Outcome {
                // SAFETY: DONE is set, so the stage is ours (invariant 2), and the vtable is this
                // record's.
                if let Err(payload) = unsafe { (header.vtable.clear)(self.ptr.0) } {
                    panic::discard(payload);
                }
            }
            header.state.drop_handle()
        });
        free_if(last, self.ptr);
    }
}

/// Frees a record whose handle went, if it was the last holder.
fn free_if(last: Last, record: Ptr) {
    if last == Last::Free {
        drop(Dealloc(record));
    }
}
