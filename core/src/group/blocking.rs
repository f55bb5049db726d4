//! Blocking work: a child whose only poll runs on the runtime's blocking pool.

use super::Group;
use super::carrier::Load;
use super::drive::Driven;
use crate::id::TaskId;
use crate::reason::Reason;
use crate::record::{Carried, Fresh};
use crate::sync::Arc;
use std::task::{Context, Waker};

impl Group {
    /// Admits blocking work: a child whose only poll runs on the runtime's blocking pool.
    pub(crate) fn admit_blocking(self: &Arc<Self>, fresh: Fresh) -> Result<TaskId, Reason> {
        let (number, carried) = match self.gate() {
            Ok(mut registry) => {
                let admitted = registry.admit_carried(self, fresh);
                self.occupy(&registry);
                admitted
            }
            Err(reason) => return Err(reason),
        };
        let job = BlockingJob { group: self.clone(), carried: Some(carried) };
        // A runtime without a pool gives the job back: dropped, it tells that the work is lost.
        drop(self.runtime.spawn_blocking(Box::new(move || job.run())));
        Ok(TaskId { nursery: self.id, number })
    }
}

/// What a blocking pool is given. Dropped before it has run, its child is lost.
struct BlockingJob {
    group: Arc<Group>,
    carried: Option<Carried>,
}

impl BlockingJob {
    fn run(mut self) {
        let Some(carried) = self.carried.take() else { return };
        // Whoever has the claim, or had it, destroyed the work before it began.
        let Ok(claimed) = carried.claim() else { return };
        let load = Load { claimed, carried: Some(carried), active: false };
        let mut cx = Context::from_waker(Waker::noop());
        match self.group.drive(load, &mut cx) {
            Driven::Waits(carried) => self.group.lose(carried),
            Driven::Ended(load, ended) => self.group.finish_alone(load, ended),
            Driven::Parked | Driven::Notified(_) => unreachable!("it is carried by this job"),
        }
    }
}

impl Drop for BlockingJob {
    fn drop(&mut self) {
        if let Some(carried) = self.carried.take() {
            self.group.lose(carried);
        }
    }
}
