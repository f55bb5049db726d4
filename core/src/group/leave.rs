//! The end of a child: it leaves its nursery, and whoever waits for that is woken.

use super::carrier::{Load, Turn};
use super::registry::Registry;
use super::report::Who;
use super::vacate::Vacated;
use super::{Group, describe};
use crate::builder::Policy;
use crate::cancel::CancelToken;
use crate::outcome::Ending;
use crate::panic;
use crate::record::{Carried, Claimed, Dead, Ended, Header};
use crate::sync::MutexGuard;
use std::task::{Context, Waker};

/// What is left to do for a child that has left its nursery.
struct Left {
    joiner: Option<Waker>,
    carrier: Option<Waker>,
    dead: Option<Dead>,
    token: Option<CancelToken>,
    failed: Option<(Who, String)>,
}

impl Group {
    /// Leaves for a child that has ended, and says what its carrier does next: see
    /// [`next`](Group::next).
    pub(super) fn finish(&self, load: Load, ended: Ended, more: bool, cx: &Context<'_>) -> Turn {
        let active = load.active;
        let (mut registry, left, vacated) = self.depart(load, ended);
        if !active {
            registry.unbind();
        }
        // A failure comes first: nobody is to be polled for the first time because it was not told
        // of yet.
        let turn = if left.failed.is_none() {
            Some(self.next(registry, more, cx))
        } else {
            drop(registry);
            None
        };
        self.see_off(left, false);
        self.follow(vacated);
        turn.unwrap_or_else(|| self.next(self.lock(), more, cx))
    }

    /// Leaves for a child that has ended, whose carrier does nothing more.
    pub(super) fn finish_alone(&self, load: Load, ended: Ended) {
        let (registry, left, vacated) = self.depart(load, ended);
        drop(registry);
        self.see_off(left, false);
        self.follow(vacated);
    }

    fn depart(
        &self,
        load: Load,
        ended: Ended,
    ) -> (MutexGuard<'_, Registry>, Left, Option<Vacated>) {
        let Load { mut claimed, carried, .. } = load;
        self.hook(&ended);
        let handled = claimed.publish();
        let mut registry = self.lock();
        let left = self.leave(&mut registry, claimed, carried, ended, handled);
        let vacated = self.vacated(&mut registry);
        (registry, left, vacated)
    }

    /// Destroys children where they wait, and leaves for them.
    pub(super) fn destroy(&self, doomed: impl Iterator<Item = (Claimed, Ending)>) {
        let ended: Vec<_> = doomed
            .map(|(mut claimed, ending)| {
                let ended = self.end(&mut claimed, ending);
                self.hook(&ended);
                let handled = claimed.publish();
                (claimed, ended, handled)
            })
            .collect();
        let mut registry = self.lock();
        let left: Vec<_> = ended
            .into_iter()
            .map(|(claimed, ended, handled)| {
                self.leave(&mut registry, claimed, None, ended, handled)
            })
            .collect();
        let vacated = self.vacated(&mut registry);
        drop(registry);
        for left in left {
            self.see_off(left, true);
        }
        self.follow(vacated);
    }

    /// Takes a child that has ended out of the registry.
    fn leave(
        &self,
        registry: &mut Registry,
        mut claimed: Claimed,
        carried: Option<Carried>,
        ended: Ended,
        handled: bool,
    ) -> Left {
        let joiner = if handled { registry.take_joiner(&mut claimed) } else { None };
        let carrier = registry.take_waker(&mut claimed);
        registry.unlink(&claimed);
        self.strike(registry, Some(claimed.header()));
        let token = registry.tokens.take_task(claimed.header().number());
        let failed = match ended.ending {
            Ending::Ok => None,
            _ => self.note(registry, &claimed, ended, handled),
        };
        let dead = registry.release(claimed, carried);
        Left { joiner, carrier, dead, token, failed }
    }

    /// Does what is left to do for a child that has left. No lock is held.
    fn see_off(&self, left: Left, wake_carrier: bool) {
        let Left { joiner, carrier, dead, token, failed } = left;
        drop((dead, token));
        if let Some((who, message)) = failed {
            self.child_failed(&who, message);
        }
        if let Some(joiner) = joiner {
            panic::wake(joiner);
        }
        match carrier {
            // So that the runtime can free it.
            Some(waker) if wake_carrier => panic::wake(waker),
            carrier => panic::drop_waker(carrier),
        }
    }

    pub(super) fn who(&self, header: &Header) -> Who {
        Who {
            task: Some(self.task_id(header)),
            name: header.name().map(Box::from),
            place: header.place(),
            finalizer: false,
        }
    }

    /// Notes how a child ended. Returns what its siblings are cancelled for, if it failed.
    fn note(
        &self,
        registry: &mut Registry,
        claimed: &Claimed,
        ended: Ended,
        handled: bool,
    ) -> Option<(Who, String)> {
        if handled && self.config.policy == Policy::Isolate {
            // The handle has it, and hands it in if it is dropped without a look.
            return None;
        }
        if let Ending::Cancelled(_) = ended.ending {
            registry.report.cancelled += 1;
            return None;
        }
        let who = self.who(claimed.header());
        let message = describe(&ended.ending);
        registry.report.note(ended, || who.clone()).then_some((who, message))
    }
}
