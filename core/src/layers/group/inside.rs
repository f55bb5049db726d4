//! What a nursery waits for, as seen from the present thread, and the wait until nothing is there.

use super::Group;
use super::registry::Phase;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::sync::Ordering;
use crate::layers::context::host::Waiter;
use crate::layers::context::{self, Frame, Kind, TaskFrame};
use std::ptr;
use std::task::Waker;

impl Group {
    /// Returns the description of the task, or nursery, on the present thread that this nursery
    /// waits for: a child, or what is inside of a nursery that was opened in this one. None in its
    /// body.
    pub(crate) fn awaited_here(&self) -> Option<String> {
        context::current(|mut at| {
            while let Some(frame) = at {
                match &frame.kind {
                    Kind::Task(task) if self.awaits(task) => return Some(task.to_string()),
                    Kind::Task(_) | Kind::Scope(_) | Kind::Values(_) | Kind::Slot(_) => {}
                }
                at = Frame::outer(frame);
            }
            None
        })
    }

    fn awaits(&self, task: &TaskFrame<'_>) -> bool {
        let Some(group) = Group::of(task.group) else { return false };
        if ptr::eq(group, self) {
            return task.header().is_some();
        }
        let mut inner: Weak<Group> = group.weak();
        while let Some(outer) = inner.locked(|registry| registry.parent()) {
            if ptr::eq(&*outer, self) {
                return true;
            }
            inner = outer;
        }
        false
    }

    /// Returns `true` if it has members, and has had some ever since the first call with this
    /// `since`. Then the waker is woken when that has changed.
    pub(crate) fn is_busy_since(
        &self,
        since: &mut Option<u64>,
        waiter: Waiter,
        waker: &Waker,
    ) -> bool {
        let waker = Foreign::cloned(waker);
        let (busy, old) = self.locked(|registry| {
            // Relaxed: it changes under the lock.
            let occupied = self.occupied.load(Ordering::Relaxed) && registry.phase != Phase::Closed;
            let moments = registry.home.moments();
            let busy = occupied && *since.get_or_insert(moments) == moments;
            (busy, if busy { registry.home.keep(waiter, waker) } else { Some(waker) })
        });
        drop(old);
        busy
    }
}
