//! A group as the layers below see it: by a record's stack, and by the frames of the context.

use super::Group;
use super::registry::Launch;
use crate::layers::base::counted::dynamic::WeakDyn;
use crate::layers::base::id::NurseryId;
use crate::layers::base::panic;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::cancel::CancelToken;
use crate::layers::context::host::{Host, Waiter};
use crate::layers::context::shown::OpenScope;
use crate::layers::record::{Header, Ptr, Schedule};
use allhome_rt::Instant;
use std::any::Any;
use std::task::Waker;
use std::time::Duration;

impl Schedule for Group {
    /// Children that waited were woken: sees that a carrier comes for them. They stay on the stack,
    /// so that what is pushed on it meanwhile need not come here; but as long as that carrier may be
    /// kept for this thread alone, the next one is to come, too.
    fn schedule(&self) {
        let launch = self.locked(|registry| {
            let launch = self.want(registry);
            if registry.carriers.want_each_wake(self.width) {
                registry.members.queue_woken(&self.woken);
            }
            launch
        });
        if let Launch::None = launch {
            return;
        }
        // What wakes is not to suffer from a runtime that panics.
        if let Err(payload) = panic::catch(|| self.launch(launch)) {
            panic::discard(payload);
        }
    }
}

impl Group {
    /// Returns the group that a host is.
    pub(crate) fn of(host: &dyn Host) -> Option<&Group> {
        host.as_any().downcast_ref()
    }

    fn was_cancelled(&self, task: Option<&Header>) -> bool {
        match task {
            Some(header) => header.state().is_risen() || self.requested_level() >= Level::Cancelled,
            None => self.is_body_cancel_requested(),
        }
    }
}

impl Host for Group {
    fn id(&self) -> NurseryId {
        self.id
    }

    fn name(&self) -> Option<&str> {
        self.config.name.as_deref()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn weak(&self) -> WeakDyn<dyn Host> {
        self.weak().into_dyn()
    }

    fn now(&self) -> Instant {
        self.now()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline()
    }

    fn grace(&self) -> Option<Duration> {
        self.config.grace
    }

    fn is_work(&self, number: u64) -> bool {
        self.is_work(number)
    }

    fn is_task_cancelled(&self, task: Option<&Header>) -> bool {
        self.was_cancelled(task) || (self.follow_clock() && self.was_cancelled(task))
    }

    fn task_reason(&self, task: Option<&Header>) -> Option<Reason> {
        if !self.is_task_cancelled(task) {
            return None;
        }
        self.locked(|registry| {
            let own = task.and_then(|header| registry.cancel.reason_of(header.number()));
            own.or_else(|| registry.cancel.requested_reason())
        })
    }

    fn leaving(&self, task: Option<&Header>) -> Option<Reason> {
        self.find_cancel(task)
    }

    fn task_token(&self, task: Option<&Header>) -> CancelToken {
        match task.map(Header::number) {
            Some(number) => self.task_token(number),
            None => self.body_token(),
        }
    }

    fn token(&self) -> CancelToken {
        self.token()
    }

    fn follow_token(&self) {
        self.follow_token();
    }

    fn raise_shield(&self, task: Option<(Ptr, &Header)>) {
        self.raise_shield(task);
    }

    fn lower_shield(&self, number: Option<u64>, own: Option<&Header>) {
        self.lower_shield(number, own);
    }

    fn is_out(&self, waker: Option<(Waiter, &Waker)>) -> bool {
        self.is_out(waker)
    }

    fn forget_home_waker(&self, waiter: Waiter) {
        self.forget_home_waker(waiter);
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    fn add_scope(&self, scope: OpenScope) -> u32 {
        let mut scope = Some(scope);
        self.locked(|registry| registry.scopes.add(scope.take().expect("it is added once")))
    }

    fn remove_scope(&self, key: u32) {
        drop(self.locked(|registry| registry.scopes.remove(key)));
    }
}
