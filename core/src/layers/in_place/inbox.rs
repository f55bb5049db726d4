//! What the handles of a scope share with its future: where new children wait for the next poll.

use super::control::{Control, Core};
use super::mode::Mode;
use super::slots::{New, Task};
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::id::TaskId;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{Arc, Ordering};
use std::mem;
use std::panic::Location;
use std::pin::Pin;

pub(super) struct Shared<'a, M: Mode> {
    pub(super) control: Arc<Control>,
    inbox: Guarded<Inbox<'a, M>>,
}

struct Inbox<'a, M: Mode> {
    new: Vec<New<'a, M>>,
    /// The number of the last child.
    last: u64,
    closed: Option<Reason>,
}

impl<'a, M: Mode> Shared<'a, M> {
    pub(super) fn new(control: Control) -> Arc<Shared<'a, M>> {
        let inbox = Inbox { new: Vec::new(), last: 0, closed: None };
        Arc::new(Shared { control: Arc::new(control), inbox: Guarded::new(inbox) })
    }

    /// Admits a child, or drops its future unpolled and returns why.
    pub(super) fn admit(
        &self,
        task: Pin<Box<M::Task<'a>>>,
        join: Option<Arc<M::Join<'a>>>,
        name: Option<Box<str>>,
        place: &'static Location<'static>,
    ) -> Result<Arc<Core>, Reason> {
        let control = &self.control;
        let mut parts = Some((task, join, name));
        let admitted = self.inbox.locked(|inbox| {
            // Asked under the lock: what takes the children after a cancel misses none.
            if let Some(reason) = control.reason().or(inbox.closed.as_ref()) {
                return Err(reason.clone());
            }
            let (task, join, name) = parts.take().expect("they are taken once");
            inbox.last += 1;
            let id = TaskId { nursery: control.id, number: inbox.last };
            let core = Core::new(control, Some(id), name, place);
            inbox.new.push(New { core: core.clone(), task: Task(task), join });
            // Relaxed: a count; the lock orders it with the end of the scope.
            control.members.fetch_add(1, Ordering::Relaxed);
            Ok(core)
        });
        match &admitted {
            Ok(_) => control.tell(),
            Err(_) => {
                control.refused.fetch_add(1, Ordering::Relaxed);
                drop(parts.map(|(task, ..)| Foreign::new(task)));
            }
        }
        admitted
    }

    /// From here on it admits no child.
    pub(super) fn close(&self, reason: Reason) {
        let mut reason = Some(reason);
        self.inbox.locked(|inbox| {
            if inbox.closed.is_none() {
                inbox.closed = reason.take();
            }
        });
    }

    pub(super) fn is_closed(&self) -> bool {
        self.control.reason().is_some() || self.inbox.locked(|inbox| inbox.closed.is_some())
    }

    pub(super) fn take_new(&self) -> Vec<New<'a, M>> {
        self.inbox.locked(|inbox| mem::take(&mut inbox.new))
    }

    /// Closes it for good if no child waits in it.
    pub(super) fn close_if_empty(&self, reason: Reason) -> bool {
        let mut reason = Some(reason);
        self.inbox.locked(|inbox| {
            let empty = inbox.new.is_empty();
            if empty && inbox.closed.is_none() {
                inbox.closed = reason.take();
            }
            empty
        })
    }
}
