//! The tokens: each stands for one flag of the state word, and keeps the record's memory.

#![allow(unsafe_code)]

use super::joiner::Joiner;
use super::mark::Mark;
use super::state::{Claim, Last, Park};
use super::{Ended, Header, Judge, Polled, Ptr, StageState, WakeTarget};
use crate::layers::base::guarded::assert_none;
use crate::layers::base::id::TaskId;
use crate::layers::base::intrusive::Identity;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic::{self, Payload};
use crate::layers::base::sync::{Ordering, panicking};
use allhome_rt::TaskData;
use std::ptr::NonNull;
use std::task::{Context, Waker};

/// The exclusive right to a record's future. It is given up by [`park`](Claimed::park),
/// [`unclaim`](Claimed::unclaim) or [`release`](Claimed::release); dropping it is a defect.
#[must_use]
pub(crate) struct Claimed(pub(super) Ptr);

impl Claimed {
    #[inline]
    pub(crate) fn ptr(&self) -> Ptr {
        self.0
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: while the claim is held LINKED is set, so the record is not freed.
        unsafe { self.0.header() }
    }

    /// Polls the future. Unless it is pending, the future has been destroyed, and the outcome stands
    /// in its place if there is a handle.
    ///
    /// If it ends with an error that `is_echo` takes, it is pending: the future has not been
    /// destroyed, and is not polled again.
    #[inline]
    pub(crate) fn poll(&mut self, id: TaskId, is_echo: Judge, cx: &mut Context<'_>) -> Polled {
        let header = self.header();
        // A plain load and store: only the claim's holder writes.
        header.polls.store(header.polls().wrapping_add(1), Ordering::Relaxed);
        let vtable = header.vtable;
        // SAFETY: the vtable is this record's, and the claim is held.
        unsafe { (vtable.poll)(self.0.0, id, is_echo, cx) }
    }

    /// Destroys the future before it ended by itself, with this as its ending.
    pub(crate) fn end(&mut self, id: TaskId, ending: Ending) -> Ended {
        let vtable = self.header().vtable;
        // SAFETY: the vtable is this record's, and the claim is held.
        unsafe { (vtable.end)(self.0.0, id, ending) }
    }

    /// Calls `f` with the way to the queue: no task of the runtime is the child's own.
    #[inline]
    pub(super) fn queued<R>(&self, f: impl FnOnce(&mut WakeTarget) -> R) -> R {
        debug_assert!(!self.header().state().is_carried());
        // SAFETY: the claim is held (invariant 2).
        self.header().wake_target.with_mut(|wake_target| f(unsafe { &mut *wake_target }))
    }

    /// Binds a carrier to the child.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock, and the child is not bound.
    pub(crate) unsafe fn bind(&mut self) -> Carried {
        let header = self.header();
        debug_assert!(!header.state.is_carried());
        self.queued(WakeTarget::bind);
        // What stands there may be a link.
        header.below.set_mark(Mark::NONE);
        header.state.bind();
        Carried(self.0)
    }

    /// Gives the claim to the registry's queue.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock, and has put the record in one of its queues.
    pub(crate) unsafe fn queue(self) {}

    /// Returns `true` if the waker of the present poll is the one that is kept. The child is bound to
    /// the caller.
    #[inline]
    pub(crate) fn keeps_waker(&mut self, waker: &Waker) -> bool {
        debug_assert!(self.header().state.is_carried());
        self.header().wake_target.with_mut(|wake_target| {
            // SAFETY: the claim is held by the carrier (invariant 2).
            let wake_target = unsafe { &mut *wake_target };
            // SAFETY: the child is bound.
            let kept = unsafe { wake_target.waker() };
            kept.as_ref().is_some_and(|kept| kept.will_wake(waker))
        })
    }

    /// Keeps the waker of the present poll, unless the one that is kept would do. The child is
    /// bound to the caller.
    pub(crate) fn keep_waker(&mut self, waker: &Waker) -> Result<(), Payload> {
        debug_assert!(self.header().state.is_carried());
        self.header().wake_target.with_mut(|wake_target| {
            // SAFETY: the claim is held by the carrier (invariant 2).
            let wake_target = unsafe { &mut *wake_target };
            // SAFETY: the child is bound.
            let kept = unsafe { wake_target.waker() };
            if kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                return Ok(());
            }
            let new = panic::catch(|| waker.clone())?;
            panic::drop_waker(kept.replace(new));
            Ok(())
        })
    }

    /// Returns what the kept waker wakes, if the child is bound to a carrier and it keeps one. The
    /// caller holds the registry's lock.
    pub(crate) fn kept_waker(&mut self) -> Option<Identity> {
        if !self.header().state().is_carried() {
            return None;
        }
        self.header().wake_target.with_mut(|wake_target| {
            // SAFETY: the claim is held, and the registry's lock (invariant 2).
            let wake_target = unsafe { &mut *wake_target };
            // SAFETY: CARRIED is set.
            unsafe { wake_target.waker() }.as_ref().map(Identity::of)
        })
    }

    /// Takes the carrier's waker, if the child is bound to one.
    ///
    /// # Safety
    ///
    /// The caller is the carrier, or holds the registry's lock (invariant 2).
    pub(crate) unsafe fn take_waker(&mut self) -> Option<Waker> {
        if !self.header().state.is_carried() {
            return None;
        }
        self.header().wake_target.with_mut(|wake_target| {
            // SAFETY: the claim is held, and the caller keeps to invariant 2.
            let wake_target = unsafe { &mut *wake_target };
            // SAFETY: CARRIED is set.
            unsafe { wake_target.waker() }.take()
        })
    }

    /// Takes the joiner.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock (invariant 3), and the record was made with a handle.
    #[inline]
    pub(crate) unsafe fn take_joiner(&mut self) -> Joiner {
        // SAFETY: the record has a handle, and is kept by the claim.
        let joiner = unsafe { self.0.joiner() };
        // SAFETY: invariant 3.
        joiner.with_mut(|kept| unsafe { &mut *kept }.take())
    }

    /// Gives the claim up after a poll that was pending; returns it if there is more to do. The mark
    /// is what a look finds meanwhile.
    #[inline]
    pub(crate) fn park(self, cancel_seen: bool, mark: Mark) -> Result<(), (Claimed, Park)> {
        // Before the step: from then on it is another's to say.
        self.header().below.set_mark(mark);
        self.header().set_stage_state(StageState::Future);
        match self.header().state.park(cancel_seen) {
            Park::Parked => Ok(()),
            other => Err((self, other)),
        }
    }

    /// Gives the claim up after taking the waker.
    #[inline]
    pub(crate) fn unclaim(self) {
        self.header().state.unclaim();
    }

    /// Prepares the child to leave: drops an outcome that has no handle. Returns `true` if there is
    /// a handle, to which [`publish`](Claimed::publish) gives the outcome.
    ///
    /// The caller holds no lock: the outcome is the user's.
    pub(crate) fn settle(&mut self) -> bool {
        let header = self.header();
        if header.state.has_handle() {
            return true;
        }
        if header.stage_state() == StageState::Empty {
            return false;
        }
        // The handle was dropped after the future had ended: the value must not outlive the
        // membership.
        let vtable = self.header().vtable;
        // SAFETY: the vtable is this record's, the claim is held and the handle is gone.
        if let Err(payload) = unsafe { (vtable.clear)(self.0.0) } {
            panic::discard(payload);
        }
        false
    }

    /// Gives the outcome to the handle, which may take it from now on. Returns `false` if the
    /// handle was dropped since [`settle`](Claimed::settle): the caller settles again.
    ///
    /// The caller holds the registry's lock, and releases the record in the same hold: so the
    /// child's end is one event for its joiner.
    #[must_use]
    #[inline]
    pub(crate) fn publish(&self) -> bool {
        self.header().state.publish()
    }

    /// Gives the outcome to the handle and leaves the nursery, in one step. If the handle is gone this
    /// changes nothing.
    ///
    /// # Safety
    ///
    /// As [`release`](Claimed::release), of a record that has no carrier of its own.
    #[inline]
    pub(crate) unsafe fn publish_and_release(self) -> Result<(), Claimed> {
        if self.header().state.publish_and_release() { Ok(()) } else { Err(self) }
    }

    /// Leaves the nursery. The caller drops what this returns outside the lock, which frees the
    /// memory.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock, has taken the record off its list, has destroyed the
    /// future, and has settled or published the outcome. `carried` is this record's.
    #[inline]
    pub(crate) unsafe fn release(self, carried: Option<Carried>) -> Option<Dealloc> {
        debug_assert!(carried.as_ref().is_none_or(|carried| carried.0 == self.0));
        let last = self.header().state.release(carried.is_some());
        std::mem::forget(carried);
        (last == Last::Free).then(|| Dealloc(self.0))
    }

    /// Ends a record that was never admitted.
    ///
    /// # Safety
    ///
    /// The record comes from a [`Unadmitted`](super::Unadmitted) that is not used again.
    pub(super) unsafe fn refuse(mut self) -> Result<(), Payload> {
        let vtable = self.header().vtable;
        // SAFETY: the vtable is this record's, and the claim is held.
        let dropped = unsafe { (vtable.clear)(self.0.0) };
        if self.settle() {
            // The stage is empty, so nothing is left to settle if the handle goes.
            let _handled = self.publish();
        }
        // SAFETY: no registry has it, so no lock is needed.
        drop(unsafe { self.release(None) });
        dropped
    }
}

/// Held by a task of the runtime that points to the record and is the child's own.
#[must_use]
pub(crate) struct Carried(pub(super) Ptr);

impl Carried {
    /// Puts it in the slot of the task that carries the record.
    #[inline]
    pub(crate) fn put(self, slot: &mut TaskData) {
        debug_assert!(slot.get().is_null(), "a carrier carries one child at a time");
        slot.set(self.0.0.as_ptr().cast());
        std::mem::forget(self);
    }

    /// Takes it out of the slot of a task of the core's own. The caller has seen that none of the
    /// core's marks stands there, and only those marks and [`put`](Carried::put) write there.
    #[inline]
    pub(crate) fn from_slot(slot: &mut TaskData) -> Option<Carried> {
        NonNull::new(slot.take().cast()).map(|ptr| Carried(Ptr(ptr)))
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: CARRIED is held, so the record is not freed.
        unsafe { self.0.header() }
    }

    #[inline]
    pub(crate) fn ptr(&self) -> Ptr {
        self.0
    }

    /// Lets go. The caller drops what this returns outside the lock, which frees the memory.
    #[inline]
    pub(crate) fn release(self) -> Option<Dealloc> {
        let last = self.header().state.drop_carrier();
        let ptr = std::mem::ManuallyDrop::new(self).0;
        (last == Last::Free).then(|| Dealloc(ptr))
    }

    /// Tries to claim the record.
    #[inline]
    pub(crate) fn claim(&self) -> Result<Claimed, Claim> {
        match self.header().state.claim() {
            Claim::Won => Ok(Claimed(self.0)),
            other => Err(other),
        }
    }

    /// Leaves a waker for the holder of the claim, and returns the one that it replaces.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock, and found the claim taken under it.
    pub(crate) unsafe fn leave_waker(&self, waker: Waker) -> Option<Waker> {
        self.header().wake_target.with_mut(|wake_target| {
            // SAFETY: the exception of invariant 2.
            let wake_target = unsafe { &mut *wake_target };
            // SAFETY: CARRIED is set while `self` is there.
            unsafe { wake_target.waker() }.replace(waker)
        })
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if self.header().state.drop_carrier() == Last::Free {
            drop(Dealloc(self.0));
        }
    }
}

/// A record without holders. Dropping this frees it.
#[must_use]
pub(crate) struct Dealloc(pub(super) Ptr);

impl Drop for Dealloc {
    fn drop(&mut self) {
        if !panicking() {
            assert_none("a record is freed");
        }
        // SAFETY: made only where the state said `Last::Free`, once a record.
        unsafe { self.0.free() };
    }
}
