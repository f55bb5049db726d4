//! The end of a nursery: its body goes, it closes or is abandoned, and its parent hears of it.

use super::registry::{Owner, Phase, Registry};
use super::report::{Report, Who};
use super::{Config, Group, describe, drive, stray};
use crate::builder::Policy;
use crate::outcome::Ending;
use crate::panic::{self, Panic};
use crate::reason::{Level, Reason, ReasonKind};
use crate::record::Ended;
use crate::sync::MutexGuard;
use crate::time::Asleep;
use std::panic::Location;
use std::task::Waker;

/// Drops a nursery's timer, which is the runtime's. No lock is held.
fn drop_timer(timer: Option<Asleep>) {
    if let Err(payload) = panic::catch_drop(timer) {
        panic::discard(payload);
    }
}

impl Group {
    /// The body is gone, and this is how it ended if it failed.
    pub(crate) fn fail_body(&self, ending: Ending) {
        let who = self.body();
        let message = describe(&ending);
        let ended = Ended { ending, second: None };
        self.hook(&ended);
        self.lock().report.note(ended, || who);
        if self.config.policy != Policy::WaitAll {
            let place = self.config.place;
            let reason = Reason::of(ReasonKind::BodyFailed, message, None, place);
            self.raise_tree(Level::Cancelled, &reason);
        }
    }

    /// The body has ended itself.
    pub(crate) fn exit_body(&self, place: &'static Location<'static>) {
        let reason = drive::exited(None, place);
        self.lock().report.add(Ending::Cancelled(reason), self.body());
    }

    pub(crate) fn body(&self) -> Who {
        let Config { name, place, .. } = &self.config;
        Who { task: None, name: name.clone(), place, finalizer: false }
    }

    /// A child failed: its siblings are cancelled, if that is the policy.
    pub(crate) fn child_failed(&self, who: &Who, message: String) {
        if self.config.policy == Policy::FailFast {
            let reason = Reason::of(ReasonKind::ChildFailed, message, who.task, who.place);
            self.raise_tree(Level::Cancelled, &reason);
        }
    }

    /// Closes the group if nobody is left; otherwise keeps the waker for when that is so.
    pub(crate) fn try_close(&self, again: &Waker) -> Option<Report> {
        let waker = again.clone();
        let finale;
        let mut told = Vec::new();
        let (report, old, parked, timer) = {
            let mut registry = self.lock();
            if registry.phase == Phase::Body {
                self.strike(&mut registry, None);
                told.extend(registry.roll_wakers());
            }
            registry.phase = Phase::Joining;
            // It is back in a moment, and wakes us.
            let out = registry.clock.bell().is_out();
            if registry.is_stuck() && !out {
                return Some(self.leave_stuck(registry, waker));
            }
            finale = registry.is_vacant() && registry.finale.is_waiting();
            if registry.is_vacant() && !finale && !out {
                registry.phase = Phase::Closed;
                told.append(&mut registry.home_wakers);
                let report = std::mem::replace(&mut registry.report, Report::new(1));
                let timer = registry.clock.stop();
                (Some(report), registry.run_waker.take(), registry.unpark(), timer)
            } else {
                (None, registry.run_waker.replace(waker), None, None)
            }
        };
        panic::drop_waker(old);
        drop_timer(timer);
        if finale {
            self.start_finale();
        }
        told.into_iter().chain(parked).for_each(panic::wake);
        if report.is_some() {
            self.wake_reserves();
            self.detach();
        }
        report
    }

    /// The nursery ends, but not the work that is left: it is the ancestors' from now on.
    fn leave_stuck(&self, mut registry: MutexGuard<'_, Registry>, waker: Waker) -> Report {
        let mut report = std::mem::replace(&mut registry.report, Report::new(1));
        registry.each(|header| report.add(Ending::Stuck, self.who(header)));
        let root = registry.parent.is_none();
        drop(registry);
        if root {
            // As in `abandon`.
            stray::add(self);
        }
        let (vacated, old, timer) = {
            let mut registry = self.lock();
            registry.phase = Phase::Dropped;
            let timer = registry.clock.stop();
            (self.vacated(&mut registry), registry.run_waker.take(), timer)
        };
        panic::drop_waker(old);
        drop_timer(timer);
        panic::drop_waker(Some(waker));
        self.follow(vacated);
        report
    }

    /// The nursery's future was dropped. Whoever is left is the ancestors' from now on.
    pub(crate) fn abandon(&self, drop_body: impl FnOnce()) {
        let place = self.config.place;
        let reason = Reason::of(ReasonKind::ScopeDropped, String::new(), None, place);
        self.raise_tree(Level::Aborted, &reason);
        if let Err(payload) = panic::catch(|| crate::context::enter(self, None, drop_body)) {
            self.fail_body(Ending::Panicked(self.body_panic(payload)));
        }
        if self.lock().parent.is_none() {
            // Listed first: the last task may leave, and take it off the list, at any moment.
            stray::add(self);
        }
        let (vacated, waker, timer) = {
            let mut registry = self.lock();
            if registry.phase == Phase::Body {
                self.strike(&mut registry, None);
            }
            registry.phase = Phase::Dropped;
            let (waker, timer) = (registry.run_waker.take(), registry.clock.stop());
            (self.vacated(&mut registry), waker, timer)
        };
        panic::drop_waker(waker);
        drop_timer(timer);
        self.follow(vacated);
    }

    pub(crate) fn body_panic(&self, payload: panic::Payload) -> Panic {
        Panic::new(payload, None, self.config.name.as_deref(), self.config.place)
    }

    /// Takes a closed group out of its parent, and closes the ancestors that only waited for it.
    ///
    /// A loop, not a recursion: the chain may be thousands long.
    pub(super) fn detach(&self) {
        let mut orphan = match self.arc() {
            Some(group) => group,
            None => return,
        };
        loop {
            let (parent, report, link) = {
                let mut registry = orphan.lock();
                let report = std::mem::replace(&mut registry.report, Report::new(1));
                (registry.parent.take(), report, registry.tokens.take_link())
            };
            drop(link);
            let Some((parent, key)) = parent else {
                stray::remove(&orphan);
                return;
            };
            let (nested, poke, vacated) = {
                let mut registry = parent.lock();
                let (nested, owner) = registry.unnest(key);
                registry.report.adopt(report);
                let poke = match owner {
                    Owner::Task(ptr) => registry.poke(ptr),
                    // A body that was cancelled may have waited for nothing but this.
                    Owner::Body if parent.is_cancelled() => registry.run_waker.take(),
                    Owner::Body | Owner::Nobody => None,
                };
                let vacated = parent.vacated(&mut registry);
                parent.launch_wanted(registry);
                (nested, poke, vacated)
            };
            drop(nested);
            if let Some(waker) = poke {
                panic::wake(waker);
            }
            let mut close = false;
            let vacated = vacated.map(|mut vacated| {
                close = std::mem::take(&mut vacated.close);
                vacated
            });
            parent.follow(vacated);
            if !close {
                return;
            }
            orphan = parent;
        }
    }
}
