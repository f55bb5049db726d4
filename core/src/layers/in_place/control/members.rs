//! What a scope's handle, and a tree, see of its children.

use super::{Control, Stage};
use crate::layers::base::id::NurseryId;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Ordering;
use crate::layers::context::shown::{Shown, ShownTask};
use std::panic::Location;

impl Control {
    /// Cancels the children that are asked for by their numbers, each alone. Returns how many.
    pub(in crate::layers::in_place) fn cancel_each(
        &self,
        reason: &Reason,
        asked: impl Fn(u64) -> bool,
    ) -> usize {
        let mut cancelled = Vec::new();
        self.blocks.locked(|blocks| {
            blocks.each(|block, core| {
                let number = core.life().number;
                if number != 0 && asked(number) && core.note_cancel(reason.clone()) {
                    cancelled.push((block.clone(), core.seat()));
                }
            });
        });
        // A seat that has another child meanwhile is polled once too often.
        for (block, seat) in &cancelled {
            self.wake(block, *seat);
        }
        if !cancelled.is_empty() {
            self.wake_waiters();
        }
        cancelled.len()
    }

    pub(in crate::layers::in_place) fn level(&self) -> Level {
        match self.stage() {
            Stage::Aborted => Level::Aborted,
            Stage::Cancelled => Level::Cancelled,
            Stage::Children => Level::Draining,
            // Acquire: pairs with `close`.
            Stage::Running if self.closed.load(Ordering::Acquire) => Level::Draining,
            Stage::Running => Level::Running,
        }
    }
}

impl Shown for Control {
    fn id(&self) -> NurseryId {
        self.id
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn place(&self) -> &'static Location<'static> {
        self.limits.place
    }

    fn level(&self) -> Level {
        self.level()
    }

    fn reason(&self) -> Option<Reason> {
        self.reason_for(true).cloned()
    }

    fn each_task(&self, f: &mut dyn FnMut(ShownTask<'_>)) {
        self.blocks.locked(|blocks| {
            blocks.each(|_, core| {
                let Some(id) = core.id() else { return };
                f(ShownTask {
                    id,
                    name: core.name(),
                    place: core.place(),
                    state: core.state(),
                    polls: core.polls(),
                    cancelled: core.is_cancelled(),
                });
            });
        });
    }
}
