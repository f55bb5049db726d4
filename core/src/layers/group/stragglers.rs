//! Stragglers: a shutdown has the tasks recorded that leave a nursery's tree late, that is, since
//! the cancel.
//!
//! Its log is in the registry of every nursery of the tree; one that is opened later takes over
//! those of the nursery around it. So it does not matter what raises the nursery, and when.
//!
//! # Invariants
//!
//! 1. A task that leaves a nursery that has a log is recorded in it, under the registry's lock, if
//!    the nursery, or the step of the log, is cancelled then.
//! 2. The log's own lock is the innermost: nothing is taken, and nothing called, with it held.

use super::Group;
use super::registry::stragglers::{Departure, StragglerLog};
use super::registry::{BODY, Phase, Registry};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::id::TaskId;
use crate::layers::base::sync::Arc;
use crate::layers::context::host::Waiter;
use crate::layers::record::Header;
use std::task::Waker;

impl Group {
    /// Inserts a log in the whole tree.
    pub(crate) fn subscribe(&self, log: &Arc<StragglerLog>) {
        self.walk_registries(|registry| {
            // One that was opened meanwhile has it.
            registry.logs.insert(log);
        });
        let level = self.requested_level();
        self.locked(|registry| registry.logs.rise(self.id, level, registry.cancel.tokens().own()));
    }

    /// Removes it.
    pub(crate) fn unsubscribe(&self, log: &Arc<StragglerLog>) {
        self.walk_registries(|registry| {
            registry.logs.remove(log);
        });
    }

    /// Records that a task leaves, or, with no header, that the body does. The caller holds the
    /// lock; [`on_vacant`](Group::on_vacant), or itself, sees to the wakers.
    #[inline]
    pub(super) fn record_departure(&self, registry: &mut Registry, header: Option<&Header>) {
        if !registry.logs.is_empty() {
            self.record_in_logs(registry, header);
        }
    }

    #[cold]
    fn record_in_logs(&self, registry: &mut Registry, header: Option<&Header>) {
        // A task that saw the cancel by a token may leave before the nursery has followed.
        let requested = self.requested_level().max(registry.cancel.tokens().level());
        registry.logs.rise(self.id, requested, None);
        registry.logs.record(self.id, header.is_none(), |level| Departure {
            id: header.map_or(self.body_id(), |header| self.task_id(header)),
            who: header.map_or_else(|| self.body(), |header| self.who(header)),
            level,
        });
    }

    /// Returns the id that stands for the body among the tasks.
    pub(crate) fn body_id(&self) -> TaskId {
        TaskId { nursery: self.id, number: BODY }
    }

    /// Returns `true` if the body is there.
    pub(crate) fn has_body(&self) -> bool {
        self.locked(|registry| registry.phase == Phase::Body)
    }

    /// Returns `true` if a member is left, or, unless it is the body that asks, the body. The
    /// waker is woken when that has changed, and when the nursery is raised.
    pub(crate) fn is_left(&self, body_asks: bool, waiter: Waiter, waker: &Waker) -> bool {
        // Cloned with no lock held.
        let waker = Foreign::new(waker.clone());
        let (left, old) = self.locked(|registry| {
            let left = match registry.phase {
                Phase::Closed => false,
                _ if body_asks => !registry.is_vacant(),
                _ => true,
            };
            (left, if left { registry.home.keep(waiter, waker) } else { Some(waker) })
        });
        drop(old);
        left
    }

    /// Returns how many spawns were refused; also once the nursery has ended.
    pub(crate) fn refused_count(&self) -> usize {
        self.locked(|registry| registry.report.refused_count())
    }
}
