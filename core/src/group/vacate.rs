//! What follows when the last member has left a group.

use super::Group;
use super::registry::{Owner, Phase, Registry};
use crate::panic;
use crate::sync::Ordering;
use std::task::Waker;

/// What is left to do, with no lock held, when a group has become vacant.
#[must_use]
#[derive(Default)]
pub(super) struct Vacated {
    pub(super) wake: Option<Waker>,
    pub(super) parked: Option<Waker>,
    pub(super) close: bool,
    pub(super) poke: bool,
}

impl Group {
    /// Says what follows when somebody has left. The caller holds the lock.
    pub(super) fn vacated(&self, registry: &mut Registry) -> Vacated {
        let mut vacated = Vacated::default();
        if !registry.is_vacant() {
            return vacated;
        }
        self.occupied.store(false, Ordering::Relaxed);
        let cancelled = self.is_cancelled();
        match registry.phase {
            // The body may spawn more: waking it once a child would be for nothing.
            Phase::Body if !cancelled => {}
            Phase::Body | Phase::Joining => {
                vacated.wake = registry.run_waker.take();
                vacated.poke = cancelled;
            }
            Phase::Dropped => {
                registry.phase = Phase::Closed;
                vacated.parked = registry.unpark();
                vacated.close = true;
            }
            Phase::Closed => {}
        }
        vacated
    }

    /// Does what [`vacated`](Group::vacated) found. No lock is held.
    pub(super) fn follow(&self, vacated: Vacated) {
        for waker in vacated.wake.into_iter().chain(vacated.parked) {
            panic::wake(waker);
        }
        if vacated.poke {
            self.poke_owner();
        }
        if vacated.close {
            self.detach();
        }
    }

    /// Wakes the task or body that this group was opened in: it may wait, though cancelled, for
    /// nothing but this group to become vacant.
    fn poke_owner(&self) {
        let parent = self.lock().parent.clone();
        let Some((parent, key)) = parent else { return };
        let waker = {
            let mut registry = parent.lock();
            let waker = match registry.owner(key) {
                Owner::Task(ptr) => registry.poke(ptr),
                Owner::Body => registry.run_waker.take(),
                Owner::Nobody => None,
            };
            parent.launch_wanted(registry);
            waker
        };
        if let Some(waker) = waker {
            panic::wake(waker);
        }
    }
}
