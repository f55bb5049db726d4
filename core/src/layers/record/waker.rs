//! The waker of a child that has no task of the runtime to itself.
//!
//! The waker is the record: a wake puts the child in its nursery's queue and makes sure that a
//! carrier comes for it. It may be kept, cloned and woken long after the child and its nursery are
//! gone; then it keeps the record's memory and does nothing. A wake never polls, and runs no code
//! of the user's, unless the runtime does so when a task is spawned or woken.
//!
//! It is tempting to wrap a counted pointer and use `std::task::Wake`; but that pointer would need
//! an allocation of its own, and the record must be the only one.
//!
//! # Invariants
//!
//! 1. The data pointer of such a waker is a record's header. A waker that was cloned is counted in
//!    the state word; one that is lent to a poll is not, and lives as long as the claim. From a
//!    million wakers on, a clone is a waker of a [`crowd`](super::crowd), which has a counted one.

#![allow(unsafe_code)]

use super::joiner::Joiner;
use super::state::{Last, Notify};
use super::tokens::{Claimed, Dealloc};
use super::{Header, Judge, Polled, Ptr, Stack, crowd};
use crate::layers::base::id::TaskId;
use crate::layers::base::intrusive::Identity;
use crate::layers::base::stacks::lens;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

impl Ptr {
    /// Returns what the wakers that are the record have in common.
    pub(crate) fn identity(self) -> Identity {
        // SAFETY: it is lent, and not used to wake: see `of`.
        Identity::of(&ManuallyDrop::new(unsafe { Waker::new(self.0.as_ptr().cast(), &VTABLE) }))
    }

    /// Returns what the waker wakes that the child's handle has for the joiner, if that is one task.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock, and the record has a handle.
    pub(crate) unsafe fn joined_by(self) -> Option<Identity> {
        // SAFETY: the caller's promise.
        let joiner = unsafe { self.joiner() };
        joiner.with(|kept| {
            // SAFETY: invariant 3 of the parent module.
            match unsafe { &*kept } {
                Joiner::Task(waker) => Some(Identity::of(waker)),
                Joiner::Many(_) => None,
            }
        })
    }

    /// Returns `true` if the waker is the record.
    pub(crate) fn is_woken_by(self, waker: &Waker) -> bool {
        ptr::eq(waker.data(), self.0.as_ptr().cast()) && ptr::eq(waker.vtable(), &VTABLE)
    }
}

/// Returns a waker of the record.
///
/// # Safety
///
/// The record is kept during the call.
pub(super) unsafe fn of(ptr: Ptr) -> Waker {
    // SAFETY: invariant 1; and it is lent, as that of a poll: not counted, and so not dropped.
    let lent = ManuallyDrop::new(unsafe { Waker::new(ptr.0.as_ptr().cast(), &VTABLE) });
    Waker::clone(&lent)
}

impl Claimed {
    /// Polls the future with the record's own waker: see [`poll`](Claimed::poll).
    #[inline]
    pub(crate) fn poll_lent(&mut self, id: TaskId, is_echo: Judge) -> Polled {
        let data = self.ptr().0.as_ptr().cast::<()>();
        // SAFETY: invariant 1: the functions below take a header, kept by the claim or the count.
        let waker = unsafe { Waker::new(data, &VTABLE) };
        // It is lent: not counted, and so not dropped.
        let waker = ManuallyDrop::new(waker);
        self.poll(id, is_echo, &mut Context::from_waker(&waker))
    }

    /// Polls the future by a lens: for this waker, or for the record's own.
    pub(crate) fn poll_seen(
        &mut self,
        id: TaskId,
        is_echo: Judge,
        waker: Option<&Waker>,
    ) -> Polled {
        // SAFETY: as above.
        let own = ManuallyDrop::new(unsafe { Waker::new(self.ptr().0.as_ptr().cast(), &VTABLE) });
        let is_pending = |polled: &Polled| matches!(polled, Polled::Pending);
        lens::poll(waker.unwrap_or(&own), is_pending, |cx| self.poll(id, is_echo, cx))
    }
}

/// # Safety
///
/// For this function and the next: `data` comes from a waker of this file, which still exists.
unsafe fn ptr(data: *const ()) -> Ptr {
    // SAFETY: invariant 1.
    Ptr(unsafe { NonNull::new_unchecked(data.cast::<Header>().cast_mut()) })
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the caller's waker.
    let ptr = unsafe { ptr(data) };
    // SAFETY: the waker that is cloned keeps the record.
    if unsafe { ptr.header() }.state().add_waker() {
        return RawWaker::new(data, &VTABLE);
    }
    // SAFETY: it is counted (invariant 1).
    let counted = unsafe { Waker::new(data, &VTABLE) };
    let shared = ManuallyDrop::new(crowd::join(counted));
    RawWaker::new(shared.data(), shared.vtable())
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the caller's waker.
    let ptr = unsafe { ptr(data) };
    // SAFETY: the waker keeps the record until this step, and the reference is not used after it.
    match unsafe { ptr.header() }.state().notify_and_drop() {
        // SAFETY: the claim was just won; it keeps the record from here on.
        Ok(Notify::Claimed) => push(unsafe { ptr.claimed() }),
        Ok(Notify::Nothing) | Err(Last::Held) => {}
        Err(Last::Free) => std::mem::drop(Dealloc(ptr)),
    }
}

fn push(claimed: Claimed) {
    if let Some(group) = Stack::push(claimed) {
        group.schedule();
    }
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the caller's waker.
    let ptr = unsafe { ptr(data) };
    // SAFETY: the waker keeps the record.
    let header = unsafe { ptr.header() };
    if header.state().notify() == Notify::Claimed {
        // SAFETY: the claim was just won.
        push(unsafe { ptr.claimed() });
    }
}

unsafe fn drop(data: *const ()) {
    // SAFETY: the caller's waker.
    let ptr = unsafe { ptr(data) };
    // SAFETY: the waker keeps the record.
    if unsafe { ptr.header() }.state().drop_waker() == Last::Free {
        std::mem::drop(Dealloc(ptr));
    }
}
