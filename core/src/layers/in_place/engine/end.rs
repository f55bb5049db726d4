//! The end of a scope: it closes when all is home, or is dropped before that.

use super::Engine;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::Ordering;
use crate::layers::group::registry::report::Report;
use crate::layers::in_place::join::{for_joiner, publish};
use crate::layers::in_place::mode::Mode;
use std::pin::Pin;

impl<M: Mode> Engine<'_, M> {
    pub(in crate::layers::in_place) fn has_children(&self) -> bool {
        self.control().members() != 0
    }

    /// The body is gone. Closes the inbox if no child is left.
    pub(super) fn try_close(&mut self) -> bool {
        // The inbox's lock orders the count with each admission.
        if self.control().members() != 0 {
            return false;
        }
        let ended = Reason::of(ReasonKind::Closed, String::new(), None, self.config.place);
        self.shared.close_if_empty(ended)
    }

    /// Returns what its result is made of.
    pub(in crate::layers::in_place) fn take_report(&mut self) -> Report {
        self.times.stop();
        self.watch.stop();
        for entry in self.control().take_handed_in() {
            self.config.hooks.tell(&entry.ending, &entry.who, self.config.view);
            drop(self.report.add(entry));
        }
        for _ in 0..self.control().refused.swap(0, Ordering::Relaxed) {
            self.report.count_refused();
        }
        self.slots.take_in(&self.shared, |_| {});
        self.report.take()
    }

    /// The scope's future is dropped: so are the body and all children, where they wait.
    pub(in crate::layers::in_place) fn abandon<F>(&mut self, body: Pin<&mut Option<F>>) {
        let reason = Reason::of(ReasonKind::ScopeDropped, String::new(), None, self.config.place);
        // What follows wakes nothing: what would be polled is this future.
        drop(self.control().unpark());
        self.control().exit();
        // From here on no child is admitted.
        self.control().cancel(reason.clone());
        self.shared.end();
        let ended = Foreign::new(self.body.cut(body, &reason));
        self.tell_panics(&ended);
        self.tell_failure(&ended, || self.config.body());
        drop(ended);
        self.body.seat.end();
        self.slots.take_in(&self.shared, |_| {});
        for index in 0..self.slots.end() {
            let Some(mut slot) = self.slots.remove(index) else { continue };
            let ended = Foreign::new(slot.cut(&reason));
            let outcome = for_joiner(&ended.ending);
            self.tell_panics(&ended);
            self.tell_failure(&ended, || slot.part.seat.who());
            drop(ended);
            slot.part.seat.end();
            self.control().leave();
            drop(publish(slot.join, outcome));
            self.slots.free(slot.part.seat, slot.task.into_piece());
        }
        self.slots.take_in(&self.shared, |_| {});
        self.abandon_finalizers();
        self.control().is_idle();
    }
}
