//! The waiters for a slot of a bounded nursery, as far as the nursery has to do with them: they are
//! woken when it admits no more children. The line that they stand in is the limiter's.

use super::Group;
use super::admit::Admission;
use super::registry::Kept;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::leave::LIMITER_CLOSED;
use crate::layers::base::reason::{Reason, ReasonKind};
use std::task::Waker;

impl Group {
    /// Returns why no child is admitted any more, if so.
    pub(crate) fn refuses(&self) -> Option<Reason> {
        let refusal = self.locked(|registry| self.refusal(registry, Admission::Plain));
        refusal.map(|refusal| refusal.reason(self))
    }

    /// Counts a child that gets no slot, because the limiter is closed, and makes the reason.
    pub(crate) fn no_slot(&self) -> Reason {
        self.locked(|registry| registry.report.count_refused());
        self.reason(ReasonKind::Closed, LIMITER_CLOSED.to_string(), None, self.config.place)
    }

    /// Has the waker woken when no child is admitted any more. Returns why, if that is so already.
    pub(crate) fn await_end(&self, entry: Option<u64>, waker: &Waker) -> Result<u64, Reason> {
        let new = Foreign::new(waker.clone());
        let kept = self.locked(|registry| {
            if let Some(refusal) = self.refusal(registry, Admission::Plain) {
                return Err((refusal, new));
            }
            let Kept { entry, old, first } = registry.reserves.keep(entry, new);
            // The task that the nursery is nested in lends its slot then.
            let run = if self.lends && first { registry.run_waker.take() } else { None };
            Ok((entry, old, run))
        });
        match kept {
            Ok((entry, old, run)) => {
                drop(old);
                run.into_iter().for_each(Foreign::wake);
                Ok(entry)
            }
            Err((refusal, _new)) => Err(refusal.reason(self)),
        }
    }

    /// It waits no longer.
    pub(crate) fn forget_reserve(&self, entry: u64) {
        drop(self.locked(|registry| registry.reserves.forget(entry)));
    }

    /// No child is admitted any more: wakes the tasks that wait for an admission.
    pub(super) fn wake_reserves(&self) {
        if !self.bounded {
            return;
        }
        let wakers = self.locked(|registry| registry.reserves.take());
        wakers.for_each(Foreign::wake);
    }
}
