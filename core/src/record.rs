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
//! 2. `stage` and `full`, and `waker`, are touched only by the claim's holder; or, `stage` after DONE, only by
//!    the handle; or, after the last holder went, only by whoever frees. One exception: a carrier
//!    that finds the claim taken may write `waker` under the registry's lock, where claim holders
//!    other than a carrier read it under that lock too.
//! 3. `links`, `nested`, `list` and a handle's `joiner` are touched only under the registry's lock.
//! 4. The future is dropped exactly once, in place, before the record leaves its nursery.
//! 5. `vtable` was made for the very `F`, `T`, `E` of the record it stands in.

#![allow(unsafe_code)]

mod layout;
pub(crate) mod state;
mod tokens;

use crate::id::TaskId;
use crate::outcome::Ending;
use crate::panic::{self, Panic, Payload};
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering, UnsafeCell, panicking};
use layout::{Front, Joined, Plain, VTable};
use state::{Claim, State};

use std::future::Future;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::Waker;
pub(crate) use tokens::{Carried, Claimed, Dead, Handle};

/// The part of a record that does not depend on the child's types: 80 bytes.
pub(crate) struct Header {
    state: State,
    polls: AtomicU32,
    number: AtomicU64,
    vtable: &'static VTable,
    links: UnsafeCell<Links>,
    nested: AtomicU32,
    list: AtomicU8,
    full: AtomicU8,
    waker: UnsafeCell<Option<Waker>>,
    name: Option<Box<Name>>,
    place: &'static Location<'static>,
}

#[cfg(all(not(loom), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Header>() == 80);

/// A name behind a thin pointer: most children have none.
struct Name(Box<str>);

/// A record's neighbours in its list; guarded by the registry's lock.
pub(crate) struct Links {
    pub(crate) prev: Option<Ptr>,
    pub(crate) next: Option<Ptr>,
}

/// What stands in a record's stage.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Full {
    Empty,
    Future,
    Outcome,
}

/// Stands for "none" among the registry's keys.
const NO_KEY: u32 = u32::MAX;

/// How a child ended, and the panic that its destructor added, if it had panicked before.
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    pub(crate) second: Option<Panic>,
}

impl Header {
    fn new(
        name: Option<Box<str>>,
        place: &'static Location<'static>,
        handle: bool,
    ) -> impl FnOnce(&'static VTable) -> Header {
        move |vtable| Header {
            state: State::new(handle),
            polls: AtomicU32::new(0),
            number: AtomicU64::new(0),
            vtable,
            links: UnsafeCell::new(Links { prev: None, next: None }),
            nested: AtomicU32::new(NO_KEY),
            list: AtomicU8::new(0),
            full: AtomicU8::new(Full::Future as u8),
            waker: UnsafeCell::new(None),
            name: name.map(|name| Box::new(Name(name))),
            place,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| &*name.0)
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

    /// Returns the first of the nurseries that the task has open, a key of the registry. Like the
    /// list, it is read and written under the registry's lock only: plain loads and stores.
    pub(crate) fn nested(&self) -> Option<u32> {
        Some(self.nested.load(Ordering::Relaxed)).filter(|&key| key != NO_KEY)
    }

    pub(crate) fn set_nested(&self, key: Option<u32>) {
        self.nested.store(key.unwrap_or(NO_KEY), Ordering::Relaxed);
    }

    /// Returns which of the registry's lists the record stands in.
    pub(crate) fn list(&self) -> u8 {
        self.list.load(Ordering::Relaxed)
    }

    pub(crate) fn set_list(&self, list: u8) {
        self.list.store(list, Ordering::Relaxed);
    }

    /// Returns what stands in the stage, whose owner alone asks (invariant 2): a plain load.
    fn full(&self) -> Full {
        match self.full.load(Ordering::Relaxed) {
            0 => Full::Empty,
            1 => Full::Future,
            _ => Full::Outcome,
        }
    }

    fn set_full(&self, full: Full) {
        self.full.store(full as u8, Ordering::Relaxed);
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

    /// Returns the place of the joiner's waker.
    ///
    /// # Safety
    ///
    /// As for [`header`](Ptr::header), and the record was made with a handle.
    unsafe fn joiner<'a>(self) -> &'a UnsafeCell<Option<Waker>> {
        // SAFETY: a record with a handle begins with a `Front`.
        let front = unsafe { self.0.cast::<Front>().as_ref() };
        &front.joiner
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
        Fresh(Ptr(layout::allocate::<F, T, E, Plain>(Header::new(name, place, false), future)))
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
        let header = Header::new(name, place, true);
        let fresh = Fresh(Ptr(layout::allocate::<F, T, E, Joined>(header, future)));
        let handle = Handle::new(fresh.0);
        (fresh, handle)
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
        if let Err(payload) = unsafe { claimed.refuse() } {
            // A second panic in one unwinding would abort the process.
            if panicking() {
                panic::discard(payload);
            } else {
                panic::resume(payload);
            }
        }
    }
}
