//! What follows when the last member has left a group.

use super::Group;
use super::registry::{Phase, Registry};
use crate::layers::base::counted::Strong;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::sync::Ordering;
use crate::layers::context::host::Waiter;
use std::task::Waker;

/// What is left to do, with no lock held, when a group has become vacant, or when a straggler log
/// has recorded a departure. It is made for that alone: most members that leave are not the last.
#[must_use]
#[derive(Default)]
pub(super) struct OnVacant {
    /// What the group had of itself (invariant 2), if nothing else keeps it.
    pub(super) own: Option<Strong<Group>>,
    pub(super) wake: Option<Foreign<Waker>>,
    pub(super) parked: Option<Foreign<Waker>>,
    pub(super) home: Vec<Foreign<Waker>>,
    pub(super) finalizers: bool,
    pub(super) close: bool,
    pub(super) wake_opener: bool,
}

impl Group {
    /// Says what follows when a member or a nested nursery has left. The caller holds the lock.
    #[inline]
    pub(super) fn on_vacant(&self, registry: &mut Registry) -> Option<OnVacant> {
        if registry.is_vacant() || self.is_stuck(registry) {
            self.left_by_all(registry)
        } else if registry.logs.have_departures() {
            Some(OnVacant { home: registry.logs.wakers(), ..OnVacant::default() })
        } else {
            None
        }
    }

    /// Returns `true` if nothing is left but what was given up. The caller holds the lock.
    #[inline]
    pub(super) fn is_stuck(&self, registry: &mut Registry) -> bool {
        registry.jobs.are_given_up() && {
            registry.members.queue_woken(&self.woken);
            registry.is_stuck()
        }
    }

    fn left_by_all(&self, registry: &mut Registry) -> Option<OnVacant> {
        let mut on_vacant = OnVacant { home: registry.logs.wakers(), ..OnVacant::default() };
        if !registry.is_vacant() {
            if registry.phase == Phase::Joining {
                on_vacant.wake = registry.run_waker.take();
            }
            return Some(on_vacant);
        }
        let bodiless = matches!(registry.phase, Phase::Joining | Phase::Dropped);
        if bodiless && registry.finalizers.is_waiting() {
            on_vacant.finalizers = true;
            return Some(on_vacant);
        }
        self.occupied.store(false, Ordering::Relaxed);
        let own = registry.own.take();
        registry.home.note_vacant();
        on_vacant.home.append(&mut registry.home.take());
        let cancelled = self.is_cancelled();
        match registry.phase {
            Phase::Body | Phase::Joining => {
                // At once, and not after the lock, when the nursery's future may be ready, and
                // nothing may be left: that has a reference of its own (invariant 3).
                own.into_iter().for_each(Strong::release_shared);
                // A body may spawn more: waking it once a child would be for nothing.
                if cancelled || registry.phase == Phase::Joining {
                    on_vacant.wake = registry.run_waker.take();
                    on_vacant.wake_opener = cancelled;
                }
            }
            Phase::Dropped => {
                registry.phase = Phase::Closed;
                on_vacant.own = own;
                on_vacant.parked = registry.carriers.unpark();
                on_vacant.close = true;
            }
            Phase::Closed => on_vacant.own = own,
        }
        Some(on_vacant)
    }

    /// Does what [`on_vacant`](Group::on_vacant) found. No lock is held.
    #[inline]
    pub(super) fn run_on_vacant(&self, on_vacant: Option<OnVacant>) {
        if let Some(on_vacant) = on_vacant {
            self.run_all(on_vacant);
        }
    }

    fn run_all(&self, on_vacant: OnVacant) {
        // Before anything else hears of it: nothing of the user's is left then.
        drop(on_vacant.own);
        for waker in on_vacant.wake.into_iter().chain(on_vacant.parked).chain(on_vacant.home) {
            waker.wake();
        }
        if on_vacant.finalizers {
            self.start_finalizers();
        }
        if on_vacant.wake_opener {
            self.wake_opener();
        }
        if on_vacant.close {
            self.detach();
        }
    }

    /// Returns `true` if it is occupied. Then the waker is woken when that has changed.
    pub(crate) fn is_out(&self, waker: Option<(Waiter, &Waker)>) -> bool {
        // Cloned with no lock held.
        let waker = waker.map(|(waiter, waker)| (waiter, Foreign::cloned(waker)));
        let (out, old) = self.locked(|registry| {
            let out = self.occupied.load(Ordering::Relaxed) && registry.phase != Phase::Closed;
            let old = match waker {
                Some((waiter, waker)) if out => registry.home.keep(waiter, waker),
                waker => waker.map(|(_, waker)| waker),
            };
            (out, old)
        });
        drop(old);
        out
    }

    /// It waits no longer.
    pub(crate) fn forget_home_waker(&self, waiter: Waiter) {
        drop(self.locked(|registry| registry.home.forget(waiter)));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.locked(|registry| registry.phase == Phase::Closed)
    }

    /// Wakes the task or body that this group was opened in: it may wait, though cancelled, for
    /// nothing but this group to become vacant.
    fn wake_opener(&self) {
        let parent = self.locked(|registry| registry.parent.clone());
        let Some((parent, key)) = parent else { return };
        let waker = parent.locked_then_launch(|registry| {
            let opener = registry.nested.opener(key);
            registry.wake_opener(opener)
        });
        waker.into_iter().for_each(Foreign::wake);
    }
}
