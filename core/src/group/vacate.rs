//! What follows when the last member has left a group.

use super::Group;
use super::home::Waiter;
use super::registry::{Owner, Phase, Registry};
use crate::panic;
use crate::sync::Ordering;
use std::task::Waker;

/// What is left to do, with no lock held, when a group has become vacant, or when somebody asked who
/// leaves. It is made for that alone: most who leave are not the last.
#[must_use]
#[derive(Default)]
pub(super) struct Vacated {
    pub(super) wake: Option<Waker>,
    pub(super) parked: Option<Waker>,
    pub(super) home: Vec<Waker>,
    pub(super) finale: bool,
    pub(super) close: bool,
    pub(super) poke: bool,
}

impl Group {
    /// Says what follows when somebody has left. The caller holds the lock.
    #[inline]
    pub(super) fn vacated(&self, registry: &mut Registry) -> Option<Vacated> {
        if registry.is_vacant() || registry.is_stuck() {
            self.left_by_all(registry)
        } else if registry.struck {
            Some(Vacated { home: registry.roll_wakers(), ..Vacated::default() })
        } else {
            None
        }
    }

    fn left_by_all(&self, registry: &mut Registry) -> Option<Vacated> {
        let mut vacated = Vacated { home: registry.roll_wakers(), ..Vacated::default() };
        if !registry.is_vacant() {
            if registry.phase == Phase::Joining {
                vacated.wake = registry.run_waker.take();
            }
            return Some(vacated);
        }
        let bodiless = matches!(registry.phase, Phase::Joining | Phase::Dropped);
        if bodiless && registry.finale.is_waiting() {
            vacated.finale = true;
            return Some(vacated);
        }
        self.occupied.store(false, Ordering::Relaxed);
        vacated.home.append(&mut registry.home.take());
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
        Some(vacated)
    }

    /// Does what [`vacated`](Group::vacated) found. No lock is held.
    #[inline]
    pub(super) fn follow(&self, vacated: Option<Vacated>) {
        if let Some(vacated) = vacated {
            self.follow_up(vacated);
        }
    }

    fn follow_up(&self, vacated: Vacated) {
        for waker in vacated.wake.into_iter().chain(vacated.parked).chain(vacated.home) {
            panic::wake(waker);
        }
        if vacated.finale {
            self.start_finale();
        }
        if vacated.poke {
            self.poke_owner();
        }
        if vacated.close {
            self.detach();
        }
    }

    /// Tells whether somebody is in it. Then the waker is woken when that has changed.
    pub(crate) fn is_out(&self, waker: Option<(Waiter, &Waker)>) -> bool {
        // Cloned with no lock held.
        let waker = waker.map(|(waiter, waker)| (waiter, waker.clone()));
        let mut registry = self.lock();
        let out = self.occupied.load(Ordering::Relaxed) && registry.phase != Phase::Closed;
        let old = match waker {
            Some((waiter, waker)) if out => registry.keep_home_waker(waiter, waker),
            waker => waker.map(|(_, waker)| waker),
        };
        drop(registry);
        panic::drop_waker(old);
        out
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().phase == Phase::Closed
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
