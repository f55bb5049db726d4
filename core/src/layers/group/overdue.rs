//! A deadline that has passed, when a task asks whether it is cancelled before the timer fires.
//!
//! The question cancels no task, because that runs the user's code, and the question may come from
//! anywhere: the nursery only *says* from now on that it is cancelled, as it does while its token
//! is on its way to it, and admits no child. The timer cancels the tasks, for the reason that the
//! answer gave.

use super::Group;
use super::registry::Phase;
use crate::layers::base::counted::Weak;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::Ordering;
use allhome_rt::Instant;

/// A time that is over.
struct Over {
    at: Instant,
    group: Weak<Group>,
    /// Of a scope that the group was opened in; none if the deadline is the group's own.
    reason: Option<Reason>,
}

impl Group {
    pub(super) fn deadline_reason(&self) -> Reason {
        self.reason(ReasonKind::Deadline, String::new(), None, self.config.place)
    }

    /// The nursery is opened in this one, whose lock is held.
    pub(super) fn inherit_limit(&self, parent: &Group) {
        // Relaxed, here and below: the flag is set, and the lists are changed, under the lock.
        if !self.shielded && parent.limited.load(Ordering::Relaxed) {
            self.limited.store(true, Ordering::Relaxed);
        }
    }

    /// From now on a deadline may hold here and in all that is inside.
    pub(super) fn limit(&self) {
        let mut found = vec![self.weak()];
        while let Some(group) = found.pop() {
            group.locked(|registry| {
                if !group.limited.swap(true, Ordering::Relaxed) {
                    registry.nested.each(|group, _| {
                        if !group.shielded {
                            found.push(group.clone());
                        }
                    });
                }
            });
        }
    }

    /// Has the nursery say that it is cancelled, if a deadline that holds for it has passed.
    /// Returns false if there is none; where there never was one that is a load.
    pub(crate) fn follow_clock(&self) -> bool {
        if !self.limited.load(Ordering::Relaxed) {
            return false;
        }
        let Some(over) = self.first_over() else { return false };
        let Some(reason) = over.reason.or_else(|| over.group.promise_deadline()) else {
            return false;
        };
        let mut at = Some(self.weak());
        while let Some(group) = at {
            let parent = group.request_with(&reason);
            at = parent.filter(|_| !group.is(&over.group));
        }
        true
    }

    /// Returns what was over first: of the nursery, what it is in, and the scopes between.
    fn first_over(&self) -> Option<Over> {
        let (mut first, mut at): (Option<Over>, _) = (None, Some(self.weak()));
        while let Some(group) = at {
            let (own, parent) =
                group.locked(|registry| (registry.clock.coming(), registry.parent()));
            let mut found = |at: Instant, reason: Option<Reason>| {
                if first.as_ref().is_none_or(|first| at < first.at) {
                    first = Some(Over { at, group: group.clone(), reason });
                }
            };
            if let Some(at) = own.filter(|&at| at <= group.now()) {
                found(at, None);
            }
            for term in &group.terms {
                // Its clock is that of the task which the scope is a part of.
                let timed = term.deadline().zip(parent.as_ref().map(|parent| parent.now()));
                let over = timed.and_then(|(at, now)| Some((at, term.overdue(now)?)));
                if let Some((at, reason)) = over {
                    found(at, Some(reason));
                }
            }
            at = parent.filter(|_| !group.shielded);
        }
        first
    }

    /// Returns the reason that the nursery is cancelled for when the timer fires.
    fn promise_deadline(&self) -> Option<Reason> {
        let made = self.deadline_reason();
        self.locked(|registry| {
            let (reason, body_stays) = registry.clock.promise(made)?;
            if body_stays && self.requested_level() < Level::Cancelled {
                registry.cancel.keep_body_from(&reason);
                self.body_stays.store(true, Ordering::Relaxed);
            }
            Some(reason)
        })
    }

    /// Says that it is cancelled. Returns what it is in.
    fn request_with(&self, reason: &Reason) -> Option<Weak<Group>> {
        self.locked(|registry| {
            if registry.phase != Phase::Closed && self.requested_level() < Level::Cancelled {
                self.request(registry, Level::Cancelled, reason);
            }
            registry.parent()
        })
    }
}
