//! Children that are tasks of their own from their first poll: for runtimes that choose which task
//! is next, and so must see every child (`Spawn::task_per_child`).
//!
//! Such a child's carrier is bound to it when it is admitted. What a simulator wants to happen at
//! one of its await points happens here, between two of its polls: other children do not pay for
//! it.

use super::Group;
use super::admit::{Admission, GivesBack};
use super::registry::Role;
use super::turn::bound;
use crate::layers::base::counted::Weak;
use crate::layers::base::fault::{self, Blow};
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::Arc;
use crate::layers::record::{Carried, Unadmitted};
use allhome_rt::{Task, TaskData, Work};
use std::task::{Context, Poll};

struct Dedicated {
    group: Weak<Group>,
    ways: &'static [Blow],
}

impl Group {
    /// Admits a child, and hands the runtime its task.
    pub(super) fn admit_dedicated<V>(
        &self,
        value: V,
        how: Admission,
        gives_back: GivesBack,
        make: impl FnOnce(V) -> Unadmitted,
    ) -> Result<TaskId, (Reason, V)> {
        let (number, carried) = self.admit_as(value, how, gives_back, |registry, value| {
            registry.members.admit_carried(self.woken(), make(value))
        })?;
        self.spawn_dedicated(carried, &Blow::ALL);
        Ok(TaskId { nursery: self.id, number })
    }

    /// Hands the runtime the task of a child that has its carrier.
    pub(super) fn spawn_dedicated(&self, carried: Carried, ways: &'static [Blow]) {
        let Some(group) = self.strong() else {
            // The nursery was dropped meanwhile, and has ended the child.
            return drop(carried);
        };
        let mut slot = TaskData::default();
        carried.put(&mut slot);
        let work = Dedicated { group: group.downgrade(), ways };
        let task = Task::new(Arc::new(work), slot);
        match group.post() {
            Some(post) => post.send(task),
            None => group.owned().inherited.runtime.spawn(task),
        }
    }

    /// Ends a child that waits, or cancels its nursery, as the simulator asks.
    fn suffer(&self, blow: Blow, carried: Carried, slot: &mut TaskData) -> Poll<()> {
        match blow {
            Blow::Cancel => {
                carried.put(slot);
                self.raise_tree(Level::Cancelled, &Reason::new(fault::MESSAGE));
                return Poll::Pending;
            }
            Blow::Drop => {
                carried.put(slot);
                return Poll::Pending;
            }
            Blow::Lose => self.runtime_dropped(carried),
            Blow::Panic => match self.claim_own(&carried) {
                Ok(mut claimed) => {
                    let id = self.task_id(claimed.header());
                    let panic = claimed.header().panicked(id, Box::new(fault::MESSAGE));
                    let ended = self.end(&mut claimed, Ending::Panicked(panic));
                    self.finish_alone(bound(claimed, carried), ended);
                }
                // It has ended itself meanwhile, or is being ended.
                Err(_) => drop(self.locked(|registry| registry.members.drop_bound(carried))),
            },
        }
        Poll::Ready(())
    }
}

impl Work for Dedicated {
    fn poll(&self, slot: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        let poll = self.group.poll_carrier(slot, cx);
        if poll.is_ready() || !fault::is_planned() {
            return poll;
        }
        match Role::from_slot(slot) {
            Ok(carried) => match fault::point(self.ways) {
                Some(blow) => self.group.suffer(blow, carried, slot),
                None => {
                    carried.put(slot);
                    poll
                }
            },
            // Its child has ended, and it waits to be called for others.
            Err(role) => {
                slot.set(role.mark());
                poll
            }
        }
    }

    fn discard(&self, slot: &mut TaskData) {
        self.group.discard_carrier(slot);
    }

    fn label(&self, slot: &mut TaskData) -> Option<String> {
        match Role::from_slot(slot) {
            Ok(carried) => {
                let header = carried.header();
                let label = match header.name() {
                    Some(name) => format!("`{name}`"),
                    None => format!("spawned at {}", header.location()),
                };
                carried.put(slot);
                Some(label)
            }
            Err(role) => {
                slot.set(role.mark());
                None
            }
        }
    }
}
