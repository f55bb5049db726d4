//! Admission of children, and what keeps a group that has one.

use super::Group;
use super::registry::{Launch, Owner, Phase, Registry};
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
        if self.task_per_child {
            return self.admit_dedicated(fresh, how);
        }
        let number = self
            .admit_as(fresh, how, |registry, fresh| registry.members.admit(self.woken(), fresh))?;
        Ok(TaskId { nursery: self.id, number })
    }

    /// Has `admit` admit the child; or counts it as refused, drops it, with no lock held, and says
    /// why.
    pub(super) fn admit_as<R>(
        &self,
        fresh: Unadmitted,
        how: Admission,
        admit: impl FnOnce(&mut Registry, Unadmitted) -> R,
    ) -> Result<R, Reason> {
        let admitted = self.locked(|registry| match self.refusal(registry, how) {
            Some(reason) => {
                registry.report.count_refused();
                Err((reason, fresh))
            }
            None => {
                let number = admit(registry, fresh);
                Ok((number, self.after_admission(registry)))
            }
        });
        match admitted {
            Ok((number, after)) => {
                self.see_in(after);
                Ok(number)
            }
            Err((reason, fresh)) => {
                drop(fresh);
                Err(reason)
            }
        }
    }

    /// Says what follows from an admission. The caller holds the lock.
    #[inline]
    pub(super) fn after_admission(&self, registry: &mut Registry) -> After {
        let mut lender = None;
        if registry.members.count() == 1 {
            self.occupy(registry);
            if self.lends {
                lender = registry.run_waker.take();
            }
        }
        After { lender, launch: registry.want(self.width) }
    }

    /// Sees to what follows from an admission. No lock is held.
    #[inline]
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

    pub(super) fn refusal(&self, registry: &Registry, how: Admission) -> Option<Reason> {
        if self.requested_level() <= how.most() && registry.phase != Phase::Closed {
            return None;
        }
        Some(self.closed(registry))
    }

    /// Says why no nursery is opened inside any more. A task or body of this group opens one as long
    /// as it is there, also while it drains or is cancelled; what is opened from outside is admitted
    /// as a child is.
    pub(super) fn refusal_inside(&self, registry: &Registry, owner: Owner) -> Option<Reason> {
        match owner {
            Owner::None => self.refusal(registry, Admission::Plain),
            Owner::Task(_) | Owner::Body => {
                (registry.phase == Phase::Closed).then(|| self.closed(registry))
            }
        }
    }

    /// Says why nothing is taken any more.
    pub(super) fn closed(&self, registry: &Registry) -> Reason {
        registry.cancel.requested_reason().unwrap_or_else(|| {
            let message = match &self.config.name {
                Some(name) => format!("nursery `{name}`"),
                None => format!("nursery {}", self.id),
            };
            Reason::of(ReasonKind::Closed, message, None, self.config.place)
        })
    }
}
