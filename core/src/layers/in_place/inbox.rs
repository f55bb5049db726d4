//! What the handles of a scope share with its future: where new children wait for the next poll.

use super::control::{Control, Core};
use super::engine::finalize::Deferred;
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
    /// What is done at the end.
    deferred: Vec<Foreign<Deferred<'a, M>>>,
    /// The scope has ended.
    is_over: bool,
}

/// How a child is admitted.
#[derive(Clone, Copy)]
pub(super) struct Admission {
    pub(super) place: &'static Location<'static>,
    /// Into a place that was reserved: a scope that is closed takes it still.
    pub(super) reserved: bool,
}

impl<M: Mode> Inbox<'_, M> {
    fn refusal<'r>(&'r self, control: &'r Control, reserved: bool) -> Option<&'r Reason> {
        let closed = || control.drained().or(self.closed.as_ref());
        match reserved && !self.is_over {
            true => control.reason_for(true),
            false => control.reason_for(true).or_else(closed),
        }
    }
}

impl<'a, M: Mode> Shared<'a, M> {
    pub(super) fn new(control: Control) -> Arc<Shared<'a, M>> {
        let inbox =
            Inbox { new: Vec::new(), last: 0, closed: None, deferred: Vec::new(), is_over: false };
        Arc::new(Shared { control: Arc::new(control), inbox: Guarded::new(inbox) })
    }

    /// Admits a child, or drops its future unpolled and returns why.
    pub(super) fn admit(
        &self,
        task: Pin<Box<M::Task<'a>>>,
        join: Option<Arc<M::Join<'a>>>,
        name: Option<Box<str>>,
        how: Admission,
    ) -> Result<Arc<Core>, Reason> {
        self.admit_made(task, |task| task, join, name, how).map_err(|(reason, task)| {
            self.control.refused.fetch_add(1, Ordering::Relaxed);
            drop(Foreign::new(task));
            reason
        })
    }

    /// Admits a child, whose future is made of the value under the lock; or gives the value back.
    pub(super) fn admit_made<V>(
        &self,
        value: V,
        make: impl FnOnce(V) -> Pin<Box<M::Task<'a>>>,
        join: Option<Arc<M::Join<'a>>>,
        name: Option<Box<str>>,
        how: Admission,
    ) -> Result<Arc<Core>, (Reason, V)> {
        let control = &self.control;
        let mut parts = Some((value, join, name));
        let admitted = self.inbox.locked(|inbox| {
            // Asked under the lock: what takes the children after a cancel misses none.
            if let Some(reason) = inbox.refusal(control, how.reserved) {
                return Err(reason.clone());
            }
            let (value, join, name) = parts.take().expect("they are taken once");
            inbox.last += 1;
            let id = TaskId { nursery: control.id, number: inbox.last };
            let core = Core::new(control, Some(id), name, how.place);
            inbox.new.push(New { core: core.clone(), task: Task(make(value)), join });
            // Relaxed: a count; the lock orders it with the end of the scope.
            control.members.fetch_add(1, Ordering::Relaxed);
            Ok(core)
        });
        match admitted {
            Ok(core) => {
                control.tell();
                Ok(core)
            }
            Err(reason) => {
                let (value, ..) = parts.expect("they were not taken");
                Err((reason, value))
            }
        }
    }

    /// Returns why no child is admitted, or none into a place that was reserved before.
    pub(super) fn refusal(&self, reserved: bool) -> Option<Reason> {
        self.inbox.locked(|inbox| inbox.refusal(&self.control, reserved).cloned())
    }

    /// From here on it admits no child.
    pub(super) fn close(&self, reason: Reason) {
        let mut reason = Some(reason);
        self.inbox.locked(|inbox| {
            if inbox.closed.is_none() {
                inbox.closed = reason.take();
            }
        });
        self.control.wake_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.refusal(false).is_some()
    }

    pub(super) fn take_new(&self) -> Vec<New<'a, M>> {
        self.inbox.locked(|inbox| mem::take(&mut inbox.new))
    }

    // ---- the end

    /// Keeps what is done at the end. Returns `false`, and drops it, if the scope has ended.
    pub(super) fn defer(&self, deferred: Deferred<'a, M>) -> bool {
        let mut deferred = Some(Foreign::new(deferred));
        self.inbox.locked(|inbox| {
            if !inbox.is_over {
                inbox.deferred.extend(deferred.take());
            }
        });
        deferred.is_none()
    }

    /// Takes what was deferred last.
    pub(super) fn next_deferred(&self) -> Option<Deferred<'a, M>> {
        self.inbox.locked(|inbox| inbox.deferred.pop()).map(Foreign::into_inner)
    }

    /// The scope ends: from now on it keeps nothing.
    pub(super) fn end(&self) {
        self.inbox.locked(|inbox| inbox.is_over = true);
    }

    /// Closes it for good if no child waits in it, and nothing is deferred.
    pub(super) fn close_if_empty(&self, reason: Reason) -> bool {
        let mut reason = Some(reason);
        self.inbox.locked(|inbox| {
            let empty = inbox.new.is_empty() && inbox.deferred.is_empty();
            if empty {
                inbox.is_over = true;
                if inbox.closed.is_none() {
                    inbox.closed = reason.take();
                }
            }
            empty
        })
    }
}
