//! Admission of children, and what keeps a group that has one.

use super::Group;
use super::registry::{Launch, OpenedBy, Phase, Registry};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::id::TaskId;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::Ordering;
use crate::layers::record::Unadmitted;
use std::task::Waker;

/// What is left to do, with no lock held, for an admission.
#[must_use]
pub(super) struct After {
    /// The nursery's future, which looks whether there is a member to lend a slot to.
    lender: Option<Foreign<Waker>>,
    launch: Launch,
}

/// How a child comes to its nursery.
#[derive(Clone, Copy)]
pub(crate) enum Admission {
    Plain,
    /// With a place that was reserved before: a drain does not refuse it.
    Reserved,
}

/// What is made of a child that is refused.
#[derive(Clone, Copy)]
pub(super) enum GivesBack {
    /// It is dropped, and the nursery's report counts it.
    No,
    /// The caller gets it back.
    Yes,
}

impl Admission {
    /// Returns the highest level at which the nursery admits it.
    fn most(self) -> Level {
        match self {
            Admission::Plain => Level::Running,
            Admission::Reserved => Level::Draining,
        }
    }
}

impl Group {
    /// Admits a child, to be taken by the next carrier.
    ///
    /// If the nursery takes no more, the future is dropped unpolled, and the reason comes back.
    pub(crate) fn admit(&self, fresh: Unadmitted, how: Admission) -> Result<TaskId, Reason> {
        self.admit_value(fresh, how, GivesBack::No, |fresh| fresh).map_err(unpolled)
    }

    /// Admits a child, whose record is made of a value as soon as it is certain that the nursery
    /// takes it; if not, the value comes back, and is not counted as refused.
    #[inline(always)]
    pub(crate) fn admit_made<V>(
        &self,
        value: V,
        how: Admission,
        make: impl FnOnce(V) -> Unadmitted,
    ) -> Result<TaskId, (Reason, V)> {
        self.admit_value(value, how, GivesBack::Yes, make)
    }

    /// The record is made under the lock. It is tempting to make it before, and to take the future
    /// out of it again; that is unsafe code which knows each wrapper of a future, and saves the lock
    /// one allocation, in a call that is made once a connection. A look at first and an admission
    /// later would be two steps, and a future that is refused between them is lost.
    #[inline(always)]
    fn admit_value<V>(
        &self,
        value: V,
        how: Admission,
        gives_back: GivesBack,
        make: impl FnOnce(V) -> Unadmitted,
    ) -> Result<TaskId, (Reason, V)> {
        if self.task_per_child {
            return self.admit_dedicated(value, how, gives_back, make);
        }
        let number = self.admit_as(value, how, gives_back, |registry, value| {
            registry.members.admit(self.woken(), make(value))
        })?;
        Ok(TaskId { nursery: self.id, number })
    }

    /// Has `admit` admit a child that it makes of the value; or gives the value back, and says why.
    #[inline(always)]
    pub(super) fn admit_as<V, R>(
        &self,
        value: V,
        how: Admission,
        gives_back: GivesBack,
        admit: impl FnOnce(&mut Registry, V) -> R,
    ) -> Result<R, (Reason, V)> {
        let (mut after, tick) = (None, self.tick());
        let admitted = self.locked(|registry| match self.refusal(registry, how) {
            Some(refusal) => {
                if matches!(gives_back, GivesBack::No) {
                    registry.report.count_refused();
                }
                Err((refusal, value))
            }
            None => {
                let admitted = admit(registry, value);
                registry.births.note(registry.members.last_number(), tick);
                after = self.after_admission(registry);
                Ok(admitted)
            }
        });
        if let Some(after) = after {
            self.see_in(after);
        }
        admitted.map_err(|(refusal, value)| (refusal.reason(self), value))
    }

    /// Says what follows from an admission, for most of which that is nothing. The caller holds the
    /// lock.
    #[inline(always)]
    pub(super) fn after_admission(&self, registry: &mut Registry) -> Option<After> {
        let mut lender = None;
        if registry.members.count() == 1 {
            lender = self.after_first(registry);
        }
        match (lender, self.want(registry)) {
            (None, Launch::None) => None,
            (lender, launch) => Some(After { lender, launch }),
        }
    }

    /// The nursery has a first member. Returns the waker of its future, if it lends a slot.
    #[cold]
    fn after_first(&self, registry: &mut Registry) -> Option<Foreign<Waker>> {
        self.occupy(registry);
        if self.lends { registry.run_waker.take() } else { None }
    }

    /// Sees to what follows from an admission. No lock is held.
    #[cold]
    pub(super) fn see_in(&self, after: After) {
        self.launch(after.launch);
        after.lender.into_iter().for_each(Foreign::wake);
    }

    /// The group has a member, or a nested nursery, and keeps itself from now on (invariant 2). The
    /// caller holds the lock.
    pub(super) fn occupy(&self, registry: &mut Registry) {
        if registry.own.is_none() {
            registry.own = self.strong();
            debug_assert!(
                registry.own.is_some(),
                "invariant 3: a group that is not closed is kept"
            );
            self.occupied.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn refusal(&self, registry: &Registry, how: Admission) -> Option<Refusal> {
        if self.requested_level() <= how.most() && registry.phase != Phase::Closed {
            return None;
        }
        Some(self.closed(registry))
    }

    /// Says why no nursery is opened inside any more. A task or body of this group opens one as long
    /// as it is there, also while it drains or is cancelled; what is opened from outside is admitted
    /// as a child is.
    pub(super) fn refusal_inside(&self, registry: &Registry, opener: OpenedBy) -> Option<Refusal> {
        match opener {
            OpenedBy::None => self.refusal(registry, Admission::Plain),
            OpenedBy::Task(_) | OpenedBy::Body => {
                (registry.phase == Phase::Closed).then(|| self.closed(registry))
            }
        }
    }

    /// Says why nothing is taken any more.
    pub(super) fn closed(&self, registry: &Registry) -> Refusal {
        Refusal(registry.cancel.requested_reason())
    }
}

/// Why nothing is taken any more: the reason of the cancel, if there is one. Otherwise the reason is
/// made when the lock is released, since the clock that it asks is the runtime's.
#[must_use]
pub(super) struct Refusal(Option<Reason>);

impl Refusal {
    /// Returns the reason. No lock is held.
    pub(super) fn reason(self, group: &Group) -> Reason {
        self.0.unwrap_or_else(|| {
            let message = match &group.config.name {
                Some(name) => format!("nursery `{name}`"),
                None => format!("nursery {}", group.id),
            };
            group.reason(ReasonKind::Closed, message, None, group.config.place)
        })
    }
}

/// Drops a refused child, unpolled, with no lock held, and says why it was refused.
pub(super) fn unpolled((reason, fresh): (Reason, Unadmitted)) -> Reason {
    drop(fresh);
    reason
}
