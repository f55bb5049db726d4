//! The record of a child: header, links, future and outcome in one allocation.
//!
//! A record is reached through five kinds of token. Each stands for one flag of the [state
//! word](state), or for one of its count, and keeps the memory alive while it exists:
//!
//! - [`Unadmitted`]: not yet admitted to a nursery; the only pointer there is.
//! - [`Claimed`]: the exclusive right to the future and to the `wake_target`.
//! - [`Carried`]: held by a task of the runtime that is the child's own.
//! - [`Handle`]: held by the user's `Child`; typed.
//! - a [waker](waker): held by what the child waits for; or by a [`Kept`], which wakes nothing.
//!
//! The registry's lists hold plain [`Ptr`]s, which are good while LINKED is set and the lock is
//! held.
//!
//! # Invariants
//!
//! 1. A record is freed once, by the holder that clears the last of LINKED, CARRIED, HANDLE and
//!    WAKERS.
//! 2. `stage` and `stage_state`, and `wake_target`, are touched only by the claim's holder; or,
//!    `stage` after DONE, only by the handle; or, after the last holder went, only by the thread
//!    that frees. Two exceptions: a carrier that finds the claim taken may write `wake_target` under
//!    the registry's lock, where claim holders other than a carrier read it under that lock too; and
//!    [`doing`](Header::doing) reads `stage_state`, to show it.
//! 3. `links`, `nested`, `list` and a handle's `joiner` are touched only under the registry's lock.
//! 4. The future is dropped exactly once, in place, before the record leaves its nursery.
//! 5. `vtable` was made for the very `F`, `T`, `E` of the record it stands in.
//! 6. `wake_target` has the place of a waker if CARRIED is or was set, and otherwise, from admission
//!    on, the stack of the nursery's group, but while the claim is a chain's. That pointer is good
//!    while LINKED is set, and so while a claim of an admitted record is held: a group with a member
//!    holds a reference to itself (invariant 2 of `group.rs`).
//! 7. A value that is not `Send` stands in the record of a `LocalFuture` alone, which gives it on its
//!    own thread, in a poll. The carrier that polls finishes the child in the same call: it drops the
//!    value if there is no handle. Otherwise only the handle reaches it (invariant 2), to take or
//!    drop it, and that is `Send` only if the value is. What destroys a child on another thread finds
//!    a future in its stage, and no value.

#![allow(unsafe_code)]

mod below;
mod crowd;
pub(crate) mod ended_list;
mod handle;
pub(crate) mod joiner;
mod kept;
mod layout;
mod look;
pub(crate) mod mark;
mod spawn_site;
mod stack;
pub(crate) mod state;
mod tokens;
mod unadmitted;
mod wake_target;
mod waker;

use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::{Panic, Payload};
use crate::layers::base::sync::{Arc, AtomicU8, AtomicU16, AtomicU32, Ordering, UnsafeCell};
use below::Below;
use joiner::Joiner;
use layout::{JoinHeader, VTable};
use spawn_site::SpawnSite;
use state::{Claim, StateWord};
use std::any::Any;
use std::panic::Location;
use std::ptr::NonNull;
use wake_target::WakeTarget;

pub(crate) use handle::Handle;
pub(crate) use kept::{Kept, RecordRef};
pub(crate) use look::{Doing, Look};
pub(crate) use stack::{Chain, Schedule, Stack};
pub(crate) use tokens::{Carried, Claimed, Dealloc};
pub(crate) use unadmitted::Unadmitted;

/// The part of a record that does not depend on the child's types: 64 bytes.
pub(crate) struct Header {
    state: StateWord,
    polls: AtomicU32,
    /// The lower half of the child's number in its nursery.
    number: AtomicU32,
    /// Half of the upper half.
    number_above: AtomicU16,
    list: AtomicU8,
    stage_state: AtomicU8,
    vtable: &'static VTable,
    links: UnsafeCell<Links>,
    wake_target: UnsafeCell<WakeTarget>,
    below: Below,
    spawn_site: SpawnSite,
}

#[cfg(all(not(loom), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Header>() == 64);

/// A record's neighbours in its list; guarded by the registry's lock.
pub(crate) struct Links {
    pub(crate) prev: Option<Ptr>,
    pub(crate) next: Option<Ptr>,
}

/// The content of a record's stage.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum StageState {
    Empty,
    Future,
    Outcome,
    /// The future, which is being polled or dropped: plain stores of the claim's holder, so that a
    /// look can tell it from one whose claim is a queue's.
    Busy,
}

/// Takes an error that a child's poll gave if it is an echo, and no failure: the layers above know.
/// It is called in the context of the poll. Returns `false` if it is a failure.
pub(crate) type Judge = fn(Arc<dyn Any + Send + Sync>) -> bool;

/// What a poll of a record came to.
pub(crate) enum Polled {
    Pending,
    /// It has ended with a value, which was dropped, or, if it is kept, stands ready for the handle.
    Value {
        kept: bool,
    },
    /// In a box, which few need: this is handed on after each poll.
    Ended(Box<Ended>),
}

/// How a child ended, and the panic that its destructor added, if it had panicked before.
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    pub(crate) second: Option<Panic>,
}

impl From<Ending> for Ended {
    fn from(ending: Ending) -> Ended {
        Ended { ending, second: None }
    }
}

impl Ended {
    /// The end of a child that has returned a value.
    pub(crate) const VALUE: Ended = Ended { ending: Ending::Ok, second: None };
}

impl Header {
    fn new(
        name: Option<Box<str>>,
        location: &'static Location<'static>,
        handle: bool,
    ) -> impl FnOnce(&'static VTable) -> Header {
        move |vtable| Header {
            state: StateWord::new(handle),
            polls: AtomicU32::new(0),
            number: AtomicU32::new(0),
            number_above: AtomicU16::new(0),
            list: AtomicU8::new(0),
            stage_state: AtomicU8::new(StageState::Future as u8),
            vtable,
            links: UnsafeCell::new(Links { prev: None, next: None }),
            wake_target: UnsafeCell::new(WakeTarget::NONE),
            below: Below::new(),
            spawn_site: SpawnSite::new(name, location),
        }
    }

    #[inline]
    pub(crate) fn name(&self) -> Option<&str> {
        self.spawn_site.name()
    }

    #[inline]
    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.spawn_site.location()
    }

    /// Returns the child's number in its nursery.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        // Relaxed: written once, before any other thread can see the record.
        let above = u64::from(self.number_above.load(Ordering::Relaxed));
        (above << 32) | u64::from(self.number.load(Ordering::Relaxed))
    }

    /// Sets the number, of which 48 bits are kept: ten million children a second for a year wrap
    /// it.
    #[inline]
    pub(crate) fn set_number(&self, number: u64) {
        self.number.store(number as u32, Ordering::Relaxed);
        self.number_above.store((number >> 32) as u16, Ordering::Relaxed);
    }

    /// Returns the registry's list in which the record stands. It is read and written under the
    /// registry's lock only: plain loads and stores.
    #[inline]
    pub(crate) fn list(&self) -> u8 {
        self.list.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_list(&self, list: u8) {
        self.list.store(list, Ordering::Relaxed);
    }

    /// Returns what stands in the stage. Only the stage's owner acts by it (invariant 2): a plain
    /// load.
    #[inline]
    fn stage_state(&self) -> StageState {
        match self.stage_state.load(Ordering::Relaxed) {
            0 => StageState::Empty,
            1 => StageState::Future,
            2 => StageState::Outcome,
            _ => StageState::Busy,
        }
    }

    #[inline]
    fn set_stage_state(&self, stage_state: StageState) {
        self.stage_state.store(stage_state as u8, Ordering::Relaxed);
    }

    /// Returns how often the child was polled so far. The count wraps.
    #[inline]
    pub(crate) fn polls(&self) -> u32 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Returns `true` if a cancel destroys the child without a poll: it was never polled, and is no
    /// finalizer.
    #[inline]
    pub(crate) fn is_unstarted(&self) -> bool {
        self.polls() == 0 && !self.state.is_shielded()
    }

    /// Makes this child's panic out of a payload.
    pub(crate) fn panicked(&self, id: TaskId, payload: Payload) -> Panic {
        Panic::new(payload, Some(id), self.name(), self.location())
    }

    #[inline]
    pub(crate) fn state(&self) -> &StateWord {
        &self.state
    }
}

/// A record in one of the registry's lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ptr(NonNull<Header>);

// SAFETY: a header holds a state word, wakers, locations and a pointer to a stack, all Send and
// Sync; the future and the outcome behind it are Send (the bounds of `Unadmitted::new`) and reached
// under invariant 2. Invariant 7 is about a value that is not Send.
unsafe impl Send for Ptr {}
// SAFETY: as above.
unsafe impl Sync for Ptr {}

impl Ptr {
    #[inline]
    fn new(record: *mut Header) -> Option<Ptr> {
        NonNull::new(record).map(Ptr)
    }

    /// Returns the record's address, which is that of no other for as long as the record is there.
    #[inline]
    pub(crate) fn address(self) -> usize {
        self.0.addr().get()
    }

    /// A pointer to no record, for tests of what keeps pointers and never follows them.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn dangling() -> Ptr {
        Ptr(NonNull::dangling())
    }

    /// # Safety
    ///
    /// The record must not be freed while the reference lives: the caller holds the registry's
    /// lock and the record stands in a list of it, or the caller holds one of the tokens.
    #[inline]
    pub(crate) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: the caller's promise.
        unsafe { self.0.as_ref() }
    }

    /// Calls `f` with the links.
    ///
    /// # Safety
    ///
    /// Same as [`header`](Ptr::header), and the caller holds the registry's lock and is not inside
    /// another call for the same record.
    #[inline]
    pub(crate) unsafe fn links<R>(self, f: impl FnOnce(&mut Links) -> R) -> R {
        // SAFETY: the caller's promise.
        let header = unsafe { self.header() };
        // SAFETY: invariant 3, and the caller does not nest.
        header.links.with_mut(|links| f(unsafe { &mut *links }))
    }

    /// # Safety
    ///
    /// The caller has just won the claim, or takes it over from a token that it forgets.
    #[inline]
    pub(crate) unsafe fn claimed(self) -> Claimed {
        Claimed(self)
    }

    /// Tries to claim a record of the registry's lists.
    ///
    /// # Safety
    ///
    /// Same as [`header`](Ptr::header).
    pub(crate) unsafe fn claim(self) -> Option<Claimed> {
        // SAFETY: the caller's promise.
        let header = unsafe { self.header() };
        (header.state.claim() == Claim::Won).then_some(Claimed(self))
    }

    /// Shows a cancel from the next poll on, or orders the destruction, and tries to get the claim.
    ///
    /// # Safety
    ///
    /// Same as [`header`](Ptr::header), and the caller holds the registry's lock.
    pub(crate) unsafe fn order(self, abort: bool) -> Option<Claimed> {
        // SAFETY: the caller's promise.
        let header = unsafe { self.header() };
        (header.state.order(abort) == Claim::Won).then_some(Claimed(self))
    }

    /// Returns the place of the joiner.
    ///
    /// # Safety
    ///
    /// Same as [`header`](Ptr::header), and the record was created with a handle.
    unsafe fn joiner<'a>(self) -> &'a UnsafeCell<Joiner> {
        // SAFETY: a record with a handle begins with a `JoinHeader`.
        let join_header = unsafe { self.0.cast::<JoinHeader>().as_ref() };
        &join_header.joiner
    }

    /// Frees the record.
    ///
    /// # Safety
    ///
    /// The last holder went (invariant 1).
    unsafe fn free(self) {
        // SAFETY: only the caller frees it, so the record is still there.
        let vtable = unsafe { self.header() }.vtable;
        // SAFETY: the vtable is this record's (invariant 5), and no pointer to it is left.
        unsafe { (vtable.free)(self.0) };
    }
}
