//! Children that are tasks of their own from their first poll: on runtimes that choose who is next,
//! and so have to see whom there is to choose from (`Spawn::keeps_tasks_apart`).
//!
//! Such a child's carrier is bound to it when it is admitted. What a simulator wants to happen at
//! one of its await points happens here, between two of its polls: nobody else pays for it.

use super::Group;
use super::carrier::bound;
use super::registry::Role;
use crate::id::TaskId;
use crate::outcome::Ending;
use crate::reason::{Level, Reason};
use crate::record::{Carried, Fresh};
use crate::strike::{self, Blow};
use crate::sync::Arc;
use allhome_rt::{Slot, Task, Work};
use std::task::{Context, Poll};

struct Apart {
    group: Arc<Group>,
    ways: &'static [Blow],
}

impl Group {
    /// Admits a child, and hands the runtime its task.
    pub(super) fn admit_apart(self: &Arc<Self>, fresh: Fresh) -> Result<TaskId, Reason> {
        let mut registry = self.gate()?;
        let (number, carried) = registry.admit_carried(self, fresh);
        self.occupy(registry);
        self.spawn_apart(carried, &Blow::ALL);
        Ok(TaskId { nursery: self.id, number })
    }

    /// Hands the runtime the task of a child that has its carrier.
    pub(super) fn spawn_apart(self: &Arc<Self>, carried: Carried, ways: &'static [Blow]) {
        let mut slot = Slot::default();
        carried.put(&mut slot);
        self.runtime.spawn(Task::new(Arc::new(Apart { group: self.clone(), ways }), slot));
    }

    /// Ends a child that waits, or cancels its nursery, as the simulator asks.
    fn suffer(&self, blow: Blow, carried: Carried, slot: &mut Slot) -> Poll<()> {
        match blow {
            Blow::Cancel => {
                carried.put(slot);
                self.raise_tree(Level::Cancelled, &Reason::new(strike::MESSAGE));
                return Poll::Pending;
            }
            Blow::Drop => {
                carried.put(slot);
                return Poll::Pending;
            }
            Blow::Lose => self.lose(carried),
            Blow::Panic => match carried.claim() {
                Ok(mut claimed) => {
                    let id = self.task_id(claimed.header());
                    let panic = claimed.header().panicked(id, Box::new(strike::MESSAGE));
                    let ended = self.end(&mut claimed, Ending::Panicked(panic));
                    self.finish_alone(bound(claimed, carried), ended);
                }
                // It has ended itself meanwhile, or is being ended.
                Err(_) => self.lock().drop_bound(carried),
            },
        }
        Poll::Ready(())
    }
}

impl Work for Apart {
    fn poll(&self, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<()> {
        let poll = self.group.poll(slot, cx);
        if poll.is_ready() || !strike::is_planned() {
            return poll;
        }
        match Role::from_slot(slot) {
            Ok(carried) => match strike::point(self.ways) {
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

    fn discard(&self, slot: &mut Slot) {
        self.group.discard(slot);
    }
}
