//! Blocking work: a child whose only poll runs on the runtime's blocking pool.
//!
//! A thread cannot be ended from outside. With `stuck_after`, a nursery ends without work that is
//! stuck: as if its future had been dropped, the work is the ancestors' then, which list it and
//! wait for it.
//!
//! Those that the limit keeps back wait as members that were admitted and not polled, in the
//! registry's `Jobs`; a cancel ends them as it ends every member that was not polled.

use super::Group;
use super::admit::{Admission, GivesBack, unpolled};
use super::registry::Registry;
use super::turn::{Load, Polled};
use super::turns::Turns;
use crate::layers::base::counted::Weak;
use crate::layers::base::id::TaskId;
use crate::layers::base::panic;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::record::{Carried, Unadmitted};
use std::task::{Context, Waker};

impl Group {
    /// Admits a child, and hands it to the runtime's blocking pool when it is its turn.
    pub(crate) fn admit_blocking(
        &self,
        fresh: Unadmitted,
        how: Admission,
    ) -> Result<TaskId, Reason> {
        let admitted = self.admit_as(fresh, how, GivesBack::No, |registry, fresh| {
            let (number, carried) = registry.members.admit_carried(self.woken(), fresh);
            registry.jobs.push(carried);
            number
        });
        let number = admitted.map_err(unpolled)?;
        self.start_jobs();
        Ok(TaskId { nursery: self.id, number })
    }

    /// Returns `true` if a member is blocking work that has begun.
    pub(crate) fn is_work(&self, number: u64) -> bool {
        self.locked(|registry| registry.jobs.has_begun(number))
    }

    /// Hands jobs to the runtime, up to the limit.
    ///
    /// A loop, and not a recursion: a runtime that refuses a job ends it on the spot, which makes
    /// room for the next.
    fn start_jobs(&self) {
        // None: the nursery has ended, and no work is left in it.
        let Some(runtime) = self.runtime() else { return };
        if !self.locked(|registry| registry.jobs.begin_starting()) {
            return;
        }
        while let Some(carried) = self.locked(|registry| self.next_job(registry)) {
            let job = BlockingJob { group: self.weak(), carried: Some(carried) };
            // A job that is dropped, by a pool that has no thread for it or by one that panics,
            // reports the work as lost.
            let handed = panic::catch(|| runtime.spawn_blocking(Box::new(move || job.run())));
            handed.unwrap_or_else(panic::discard);
        }
    }

    fn next_job(&self, registry: &mut Registry) -> Option<Carried> {
        // Work that heard of a cancel which is still on its way makes room: what waits is not to
        // begin, but to be ended by that.
        let begins = self.requested_level() < Level::Cancelled;
        registry.jobs.next(if begins { self.config.blocking_limit } else { 0 })
    }
}

struct BlockingJob {
    group: Weak<Group>,
    carried: Option<Carried>,
}

impl BlockingJob {
    fn run(mut self) {
        let Some(carried) = self.carried.take() else { return };
        let Ok(claimed) = self.group.claim_own(&carried) else {
            // The thread that has the claim, or had it, destroys the work before it began.
            return drop(self.group.locked(|registry| registry.members.drop_bound(carried)));
        };
        let load = Load { claimed, carried: Some(carried), active: false };
        let mut cx = Context::from_waker(Waker::noop());
        match self.group.poll_on(load, None, &mut Turns::default(), &mut cx) {
            Polled::Waits(carried) => self.group.runtime_dropped(carried),
            Polled::Ended(load, ended) => self.group.finish_alone(load, *ended),
            Polled::Parked | Polled::Notified(_) => {
                unreachable!("it is carried by this job")
            }
        }
    }
}

impl Drop for BlockingJob {
    fn drop(&mut self) {
        if let Some(carried) = self.carried.take() {
            self.group.runtime_dropped(carried);
        }
        self.group.locked(|registry| registry.jobs.end());
        self.group.start_jobs();
    }
}
