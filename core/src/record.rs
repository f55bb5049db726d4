//! The record of a child: header, links, future and outcome in one allocation.
//!
//! A record is reached through four kinds of token, each of which stands for one flag of the
//! [state word](state) and keeps the memory alive while it exists:
//!
//! - [`Fresh`]: not yet admitted to a nursery; the only pointer there is.
//! - [`Claimed`]: the exclusive right to the future and to the carrier's waker.
//! - [`Carried`]: held by the runtime's task that carries the child.
//! - [`Handle`]: held by the user's `Child`; typed.
//!
//! The registry's lists hold plain [`Ptr`]s, which are good while LINKED is set and the lock is
//! held.
//!
//! # Invariants
//!
//! 1. A record is freed once, by whoever clears the last of LINKED, CARRIED and HANDLE.
//! 2. `stage` and `waker` are touched only by the claim's holder; or, `stage` after DONE, only by
//!    the handle; or, after the last holder went, only by whoever frees. One exception: a carrier
//!    that finds the claim taken may write `waker` under the registry's lock, where claim holders
//!    other than a carrier read it under that lock too.
//! 3. `links` and `joiner` are touched only under the registry's lock.
//! 4. The future is dropped exactly once, in place, before the record leaves its nursery.
//! 5. `vtable` was made for the very `F`, `T`, `E` of the record it stands in.

#![allow(unsafe_code)]

mod layout;
pub(crate) mod state;

use crate::id::TaskId;
use crate::outcome::{Ending, Outcome};
use crate::panic::{self, Panic, Payload};
use crate::sync::{AtomicU32, AtomicU64, Ordering, UnsafeCell};
use allhome_rt::Slot;
use layout::VTable;
use state::{Claim, Last, Park, State};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// The part of a record that does not depend on the child's types.
pub(crate) struct Header {
    state: State,
    polls: AtomicU32,
    number: AtomicU64,
    vtable: &'static VTable,
    links: UnsafeCell<Links>,
    waker: UnsafeCell<Option<Waker>>,
    joiner: UnsafeCell<Option<Waker>>,
    name: Option<Box<str>>,
    place: &'static Location<'static>,
}

/// What the registry keeps in a record; guarded by its lock.
pub(crate) struct Links {
    pub(crate) prev: Option<Ptr>,
    pub(crate) next: Option<Ptr>,
    /// The first of the nurseries that this task has open: a key of the registry, or none.
    pub(crate) nested: Option<u32>,
    /// Which of the registry's lists it stands in.
    pub(crate) list: u8,
}

/// How a child ended, and the panic that its destructor added, if it had panicked before.
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    pub(crate) second: Option<Panic>,
}

impl Header {
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Returns the child's number in its nursery.
    pub(crate) fn number(&self) -> u64 {
        // Relaxed: written once, before anybody else can see the record.
        self.number.load(Ordering::Relaxed)
    }

    pub(crate) fn set_number(&self, number: u64) {
        self.number.store(number, Ordering::Relaxed);
    }

    /// Returns how often the child was polled so far; wraps.
    pub(crate) fn polls(&self) -> u32 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Makes a panic of this child's out of a payload.
    pub(crate) fn panicked(&self, id: TaskId, payload: Payload) -> Panic {
        Panic::new(payload, Some(id), self.name(), self.place)
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }
}

/// A record in one of the registry's lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ptr(NonNull<Header>);

// SAFETY: a header holds a state word, wakers and locations, all Send and Sync; the future and the
// outcome behind it are Send (the bounds of `Fresh::new`) and reached under invariant 2.
unsafe impl Send for Ptr {}
// SAFETY: as above.
unsafe impl Sync for Ptr {}

impl Ptr {
    /// # Safety
    ///
    /// The record must not be freed while the reference lives: the caller holds the registry's
    /// lock and the record stands in a list of it, or the caller holds one of the tokens.
    pub(crate) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: the caller's promise.
        unsafe { self.0.as_ref() }
    }

    /// Calls `f` with the links.
    ///
    /// # Safety
    ///
    /// As for [`header`](Ptr::header), and the caller holds the registry's lock and is not inside
    /// another call for the same record.
    pub(crate) unsafe fn links<R>(self, f: impl FnOnce(&mut Links) -> R) -> R {
        // SAFETY: the caller's promise.
        let header = unsafe { self.header() };
        // SAFETY: invariant 3, and the caller does not nest.
        header.links.with_mut(|links| f(unsafe { &mut *links }))
    }

    /// # Safety
    ///
    /// The caller has just won the claim, or takes it over from a token that it forgets.
    pub(crate) unsafe fn claimed(self) -> Claimed {
        Claimed(self)
    }

    /// Tries to claim a record of the registry's lists.
    ///
    /// # Safety
    ///
    /// As for [`header`](Ptr::header).
    pub(crate) unsafe fn claim(self) -> Option<Claimed> {
        // SAFETY: the caller's promise.
        let header = unsafe { self.header() };
        (header.state.claim() == Claim::Won).then_some(Claimed(self))
    }

    /// # Safety
    ///
    /// The caller holds the registry's lock, the record waits in the queue, and the claim and the
    /// carrier's hold go to one carrier.
    pub(crate) unsafe fn take(self) -> (Claimed, Carried) {
        // SAFETY: the caller's promise.
        unsafe { self.header() }.state.take();
        (Claimed(self), Carried(self))
    }

    /// Frees the record.
    ///
    /// # Safety
    ///
    /// The last holder went (invariant 1).
    unsafe fn free(self) {
        // SAFETY: nobody else frees, so the record is still there.
        let vtable = unsafe { self.header() }.vtable;
        // SAFETY: the vtable is this record's (invariant 5), and nobody points to it any more.
        unsafe { (vtable.free)(self.0) };
    }
}

/// A record that no nursery has admitted yet.
#[must_use]
pub(crate) struct Fresh(Ptr);

impl Fresh {
    /// Makes the record of a child that nobody will join, in one allocation.
    pub(crate) fn new<F, T, E>(
        future: F,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> Fresh
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + Sync + 'static,
    {
        Fresh::make::<F, T, E>(future, name, place, false)
    }

    /// Makes the record of a child and its handle, in one allocation.
    pub(crate) fn with_handle<F, T, E>(
        future: F,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> (Fresh, Handle<T, E>)
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + Sync + 'static,
    {
        let fresh = Fresh::make::<F, T, E>(future, name, place, true);
        let handle = Handle { ptr: fresh.0, types: PhantomData };
        (fresh, handle)
    }

    fn make<F, T, E>(
        future: F,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
        handle: bool,
    ) -> Fresh
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + Sync + 'static,
    {
        let header = Header {
            state: State::new(handle),
            polls: AtomicU32::new(0),
            number: AtomicU64::new(0),
            vtable: layout::vtable::<F, T, E>(),
            links: UnsafeCell::new(Links { prev: None, next: None, nested: None, list: 0 }),
            waker: UnsafeCell::new(None),
            joiner: UnsafeCell::new(None),
            name,
            place,
        };
        Fresh(Ptr(layout::allocate(header, future)))
    }

    /// Gives the record to a registry, whose lists hold LINKED from now on.
    pub(crate) fn into_ptr(self) -> Ptr {
        let ptr = self.0;
        std::mem::forget(self);
        ptr
    }
}

impl Drop for Fresh {
    /// Refused: the future is dropped unpolled. A handle that was made keeps the memory.
    fn drop(&mut self) {
        // SAFETY: nobody but this token and its handle, which does not claim, points to it.
        let claimed = unsafe { self.0.claimed() };
        // SAFETY: the claim is ours, and `Fresh` is the record's first holder.
        let ended = unsafe { claimed.refuse() };
        if let Ending::Panicked(panic) = ended.ending {
            if let Some(payload) = panic.take_payload() {
                // A second panic in one unwinding would abort the process.
                if std::thread::panicking() {
                    panic::discard(payload);
                } else {
                    panic::resume(payload);
                }
            }
        }
    }
}

/// The exclusive right to a record's future. It is given up by [`park`](Claimed::park),
/// [`unclaim`](Claimed::unclaim) or [`release`](Claimed::release); dropping it is a defect.
#[must_use]
pub(crate) struct Claimed(Ptr);

impl Claimed {
    pub(crate) fn ptr(&self) -> Ptr {
        self.0
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: while the claim is held LINKED is set, so the record is not freed.
        unsafe { self.0.header() }
    }

    /// Polls the future. On `Ready` it has been destroyed, and the outcome stands in its place if
    /// there is a handle.
    pub(crate) fn poll(&mut self, id: TaskId, cx: &mut Context<'_>) -> Poll<Ended> {
        let header = self.header();
        // A plain load and store: only the claim's holder writes.
        header.polls.store(header.polls().wrapping_add(1), Ordering::Relaxed);
        let vtable = header.vtable;
        // SAFETY: the vtable is this record's, and the claim is held.
        unsafe { (vtable.poll)(self.0.0, id, cx) }
    }

    /// Destroys the future unasked, with this as its ending.
    pub(crate) fn end(&mut self, id: TaskId, ending: Ending) -> Ended {
        let vtable = self.header().vtable;
        // SAFETY: the vtable is this record's, and the claim is held.
        unsafe { (vtable.end)(self.0.0, id, ending) }
    }

    /// Keeps the waker of the present poll, unless the one that is kept would do.
    pub(crate) fn keep_waker(&mut self, waker: &Waker) -> Result<(), Payload> {
        self.header().waker.with_mut(|kept| {
            // SAFETY: the claim is held by the carrier (invariant 2).
            let kept = unsafe { &mut *kept };
            if kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                return Ok(());
            }
            let new = panic::catch(|| waker.clone())?;
            if let Some(old) = kept.replace(new) {
                panic::catch_drop(old)?;
            }
            Ok(())
        })
    }

    /// Takes the carrier's waker.
    ///
    /// # Safety
    ///
    /// The caller is the carrier, or holds the registry's lock (invariant 2).
    pub(crate) unsafe fn take_waker(&mut self) -> Option<Waker> {
        // SAFETY: the claim is held, and the caller keeps to invariant 2.
        self.header().waker.with_mut(|kept| unsafe { &mut *kept }.take())
    }

    /// Takes the joiner's waker.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock (invariant 3).
    pub(crate) unsafe fn take_joiner(&mut self) -> Option<Waker> {
        // SAFETY: invariant 3.
        self.header().joiner.with_mut(|kept| unsafe { &mut *kept }.take())
    }

    /// Gives the claim up after a poll that was pending; gives it back if there is more to do.
    pub(crate) fn park(self, cancel_seen: bool) -> Result<(), (Claimed, Park)> {
        match self.header().state.park(cancel_seen) {
            Park::Parked => Ok(()),
            other => Err((self, other)),
        }
    }

    /// Gives the claim up after taking the waker.
    pub(crate) fn unclaim(self) {
        self.header().state.unclaim();
    }

    /// Makes the outcome known to the handle; without one, drops it. Returns whether the outcome
    /// is the handle's now.
    pub(crate) fn publish(&mut self) -> bool {
        if !self.header().state.has_handle() {
            return false;
        }
        if self.header().state.publish() {
            return true;
        }
        // The handle was dropped after the future had ended: its value must not outlive the
        // membership.
        let vtable = self.header().vtable;
        // SAFETY: the vtable is this record's, the claim is held and the handle is gone.
        unsafe { (vtable.drop_outcome)(self.0.0) };
        false
    }

    /// Leaves. The memory is to be freed, outside the lock, by dropping what this returns.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock, has taken the record off its list, has destroyed the
    /// future and published the outcome. `carried` is this record's.
    pub(crate) unsafe fn release(self, carried: Option<Carried>) -> Option<Dead> {
        debug_assert!(carried.as_ref().is_none_or(|carried| carried.0 == self.0));
        let last = self.header().state.release(carried.is_some());
        std::mem::forget(carried);
        (last == Last::Free).then(|| Dead(self.0))
    }

    /// Ends a record that was never admitted.
    ///
    /// # Safety
    ///
    /// The record comes from a [`Fresh`] that is not used again.
    unsafe fn refuse(mut self) -> Ended {
        let vtable = self.header().vtable;
        // SAFETY: the vtable is this record's, and the claim is held.
        let ended = unsafe { (vtable.discard)(self.0.0) };
        let handle = self.publish();
        debug_assert!(!handle || self.header().state.is_done());
        // SAFETY: no registry has it, so no lock is needed.
        drop(unsafe { self.release(None) });
        ended
    }
}

/// A runtime's task points to the record.
#[must_use]
pub(crate) struct Carried(Ptr);

impl Carried {
    /// Puts it in the slot of the task that carries the record.
    pub(crate) fn put(self, slot: &mut Slot) {
        debug_assert!(slot.get().is_null(), "a carrier carries one child at a time");
        slot.set(self.0.0.as_ptr().cast());
        std::mem::forget(self);
    }

    /// Takes it out of the slot of a task of the core's own: nothing but [`put`](Carried::put)
    /// and the caller's `mark` have been written there.
    pub(crate) fn from_slot(slot: &mut Slot, mark: *mut ()) -> Option<Carried> {
        let raw = slot.take();
        if raw == mark { None } else { NonNull::new(raw.cast()).map(|ptr| Carried(Ptr(ptr))) }
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: CARRIED is held, so the record is not freed.
        unsafe { self.0.header() }
    }

    /// Tries to claim the record.
    pub(crate) fn claim(&self) -> Result<Claimed, Claim> {
        match self.header().state.claim() {
            Claim::Won => Ok(Claimed(self.0)),
            other => Err(other),
        }
    }

    /// Leaves a waker for whoever has the claim, and returns the one that it replaces.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock, and found the claim taken under it.
    pub(crate) unsafe fn leave_waker(&self, waker: Waker) -> Option<Waker> {
        // SAFETY: the exception of invariant 2.
        self.header().waker.with_mut(|kept| unsafe { &mut *kept }.replace(waker))
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if self.header().state.drop_carrier() == Last::Free {
            drop(Dead(self.0));
        }
    }
}

/// A record without holders; frees it.
#[must_use]
pub(crate) struct Dead(Ptr);

impl Drop for Dead {
    fn drop(&mut self) {
        // SAFETY: made only where the state said `Last::Free`, once a record.
        unsafe { self.0.free() };
    }
}

/// The user's side: typed, and good beyond the child's and the nursery's life.
pub(crate) struct Handle<T, E> {
    ptr: Ptr,
    types: PhantomData<fn() -> Outcome<T, E>>,
}

impl<T, E> Handle<T, E> {
    pub(crate) fn ptr(&self) -> Ptr {
        self.ptr
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: HANDLE is set, so the record is not freed.
        unsafe { self.ptr.header() }
    }

    /// Takes the outcome out. None if it is not there yet, or was taken before.
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

    /// Keeps the joiner's waker; returns the one that it replaces.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock.
    pub(crate) unsafe fn set_joiner(&mut self, waker: Waker) -> Option<Waker> {
        // SAFETY: invariant 3.
        self.header().joiner.with_mut(|kept| unsafe { &mut *kept }.replace(waker))
    }
}

impl<T, E> Drop for Handle<T, E> {
    fn drop(&mut self) {
        if self.header().state.drop_handle() == Last::Free {
            drop(Dead(self.ptr));
        }
    }
}
