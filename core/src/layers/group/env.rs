//! What a nursery's user handed in, and what is made of it: it is there while the nursery is, or a
//! handle of it.
//!
//! The nursery's future and its handles have it by a strong reference, and so has what takes one
//! for a moment. Code that has the claim of a member, to poll or destroy it, borrows it without
//! counting: a group that has a member keeps itself (invariant 2 of the parent module).

#![allow(unsafe_code)]

use super::Group;
use super::carrier::Entry;
use super::hooks::Hooks;
use super::own_thread::OwnThread;
use crate::layers::base::counted::Weak;
use crate::layers::base::counted::dynamic::View;
use crate::layers::base::sync::Arc;
use crate::layers::context::host::{Host, Inherited};
use crate::layers::context::values::here;
use crate::layers::limit::Semaphore;
use crate::layers::record::{Claimed, Schedule};
use allhome_rt::{Runtime, Timer};
use std::ptr::NonNull;

pub(crate) struct Env {
    /// What its tasks have from it.
    pub(crate) inherited: Inherited,
    /// The thread of its children, if it is local.
    pub(super) own_thread: Option<OwnThread>,
    pub(crate) limiter: Option<Arc<Semaphore>>,
    pub(super) hooks: Hooks,
    /// What a carrier is given.
    pub(super) entry: Arc<Entry>,
}

impl Env {
    pub(super) fn new(
        runtime: Runtime,
        own_thread: Option<OwnThread>,
        limiter: Option<Arc<Semaphore>>,
        hooks: Hooks,
        group: Weak<Group>,
    ) -> Env {
        let entry = Arc::new(Entry::new(group));
        let inherited = Inherited { runtime, values: here() };
        Env { inherited, own_thread, limiter, hooks, entry }
    }
}

// SAFETY: it returns its argument.
unsafe impl View<dyn Schedule> for Group {
    fn view(this: NonNull<Group>) -> NonNull<dyn Schedule> {
        this
    }
}

// SAFETY: as above.
unsafe impl View<dyn Host> for Group {
    fn view(this: NonNull<Group>) -> NonNull<dyn Host> {
        this
    }
}

impl Group {
    /// Returns the runtime, for a call of it in which the nursery may end. None if it has.
    pub(super) fn runtime(&self) -> Option<Runtime> {
        self.strong().map(|group| group.owned().inherited.runtime.clone())
    }

    /// As [`runtime`](Group::runtime), the timer.
    pub(super) fn timer(&self) -> Option<Arc<dyn Timer>> {
        Some(self.strong()?.owned().inherited.runtime.timer().clone())
    }

    /// Calls `f` with a member that the caller has the claim of, and with what the user handed in.
    #[inline(always)]
    pub(super) fn with_env<R>(
        &self,
        claimed: &mut Claimed,
        f: impl FnOnce(&mut Claimed, &Env) -> R,
    ) -> R {
        // SAFETY: the claim is there until `f` is through, which can not give it up, so the member
        // has not left, and its group, which is this (invariant 4 of the members), has a strong
        // reference to itself.
        let env = unsafe { self.me.owned() };
        f(claimed, env)
    }
}
