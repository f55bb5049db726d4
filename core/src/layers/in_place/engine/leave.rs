//! The end of a child: its failure is noted, what follows from it is the policy's, and its outcome
//! is given out.

use super::Engine;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::who::Who;
use crate::layers::group::config::Policy;
use crate::layers::group::describe;
use crate::layers::group::registry::report::Entry;
use crate::layers::in_place::join::{for_joiner, publish};
use crate::layers::in_place::mode::Mode;
use crate::layers::in_place::slots::Slot;
use crate::layers::record::Ended;

impl<'a, M: Mode> Engine<'a, M> {
    /// A child leaves, whose future is gone: its failure is noted, and then its outcome given out.
    pub(super) fn leave(&mut self, slot: Slot<'a, M>, ended: Ended) {
        let Slot { part, join, task, .. } = slot;
        let core = &part.seat;
        let outcome = for_joiner(&ended.ending);
        let isolated =
            self.config.policy.isolates() && join.as_ref().is_some_and(|join| join.is_wanted());
        self.tell_panics(&ended);
        if !isolated || matches!(ended.ending, Ending::Echo(_)) {
            self.tell_failure(&ended, || core.who());
        }
        let failed = self.note(ended, || core.who(), isolated);
        core.end();
        let last = self.control().leave();
        if let Some(message) = failed {
            self.failed(&core.who(), message);
        }
        if let Some(ending) = publish(join, outcome).filter(|_| isolated) {
            // The handle went meanwhile, on another thread: it is the scope's after all.
            let ended = Ended::from(ending.into_inner());
            self.tell_failure(&ended, || core.who());
            drop(self.note(ended, || core.who(), false));
        }
        if last {
            self.control().is_idle();
        }
        self.slots.free(part.seat, task.into_piece());
    }

    /// As [`leave`](Engine::leave), for one that ended well: there is nothing to note or to tell.
    #[inline(always)]
    pub(super) fn leave_well(&mut self, index: u32) {
        let Some(slot) = self.slots.get(index) else { return };
        slot.part.seat.end();
        let join = slot.join.take();
        let last = self.control().leave();
        drop(publish(join, Ending::Ok));
        if last {
            self.control().is_idle();
        }
        if let Some(Slot { part, task, .. }) = self.slots.remove(index) {
            self.slots.free(part.seat, task.into_piece());
        }
    }

    /// Calls the hook for panics.
    pub(super) fn tell_panics(&self, ended: &Ended) {
        self.config.hooks.hook(ended, self.config.aborts());
    }

    /// Calls the hook for failures.
    pub(super) fn tell_failure(&self, ended: &Ended, who: impl Fn() -> Who) {
        let plain = matches!(ended.ending, Ending::Ok | Ending::Cancelled(_));
        if self.config.hooks.on_failure.is_some() && !(plain && ended.second.is_none()) {
            self.config.hooks.tell_ended(ended, &who(), self.config.view);
        }
    }

    /// Notes how a child ended. Returns what its siblings hear, if it failed.
    fn note(&mut self, ended: Ended, who: impl Fn() -> Who, isolated: bool) -> Option<String> {
        match ended.ending {
            Ending::Ok => return None,
            Ending::Echo(echo) => {
                if !isolated {
                    self.report.count_cancelled();
                }
                drop(self.report.add_echo(Entry::new(Ending::Err(echo.1), who())));
                return None;
            }
            _ if isolated => return None,
            Ending::Cancelled(_) => {
                self.report.count_cancelled();
                return None;
            }
            _ => {}
        }
        let message = describe(&ended.ending);
        drop(self.report.note(Foreign::new(ended), who));
        Some(message)
    }

    /// A child, or the body, has failed. What follows is the policy's.
    pub(super) fn failed(&self, who: &Who, message: String) {
        if self.config.policy == Policy::FailFast {
            let kind = match who.task {
                Some(_) => ReasonKind::ChildFailed,
                None => ReasonKind::BodyFailed,
            };
            self.control().cancel(Reason::of(kind, message, who.task, who.place));
        }
    }
}
