//! How far a scope is on its way to its end, and how long it may take.
//!
//! | stage     | concerns                 | by                                                   |
//! |-----------|--------------------------|------------------------------------------------------|
//! | running   | -                        |                                                      |
//! | children  | the children             | the children's deadline                              |
//! | cancelled | the body and the children | a cancel, a failure, a deadline, the task around    |
//! | aborted   | all that are left        | an abort, the end of the grace                       |
//!
//! A stage is never left for an earlier one. From the second on no child is admitted. The scope's
//! future polls what a new stage concerns, and what is left after that stays for as long as the grace
//! is not over; with no grace it is dropped.

use super::Control;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::leave::LIMITER_CLOSED;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::base::sync::{Arc, AtomicBool, GlobalOnce, Ordering};
use crate::layers::context::clock;
use crate::layers::group::config::Config;
use crate::layers::in_place::seats::Core;
use crate::layers::limit::Semaphore;
use allhome_rt::Instant;
use std::panic::Location;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::layers::in_place) enum Stage {
    Running,
    Children,
    Cancelled,
    Aborted,
}

/// What limits a scope, and is known when it is opened; and the stages besides the cancel.
pub(in crate::layers::in_place) struct Limits {
    /// Of the scope.
    pub(super) place: &'static Location<'static>,
    /// When its time is over. It is set before the body is called.
    deadline: GlobalOnce<Instant>,
    /// The time is the children's alone.
    partial: bool,
    grace: Option<Duration>,
    /// Why the children are cancelled, if the body is not.
    children: GlobalOnce<Reason>,
    aborted: AtomicBool,
    /// The token is draining: it takes no more children.
    drained: GlobalOnce<Reason>,
    limiter: Option<Arc<Semaphore>>,
}

impl Limits {
    pub(in crate::layers::in_place) fn new(config: &Config) -> Limits {
        Limits {
            place: config.place,
            deadline: GlobalOnce::new(),
            partial: config.partial,
            grace: config.grace,
            children: GlobalOnce::new(),
            aborted: AtomicBool::new(false),
            drained: GlobalOnce::new(),
            limiter: config.limiter.clone(),
        }
    }
}

impl Control {
    #[inline(always)]
    pub(in crate::layers::in_place) fn stage(&self) -> Stage {
        // Acquire: pairs with `abort`, which keeps the reason before.
        if self.limits.aborted.load(Ordering::Acquire) {
            Stage::Aborted
        } else if self.reason().is_some() {
            Stage::Cancelled
        } else if self.limits.children.get().is_some() {
            Stage::Children
        } else {
            Stage::Running
        }
    }

    /// Returns why the children are cancelled, or the body.
    pub(in crate::layers::in_place) fn reason_for(&self, child: bool) -> Option<&Reason> {
        let own = if child { self.limits.children.get() } else { None };
        own.or_else(|| self.reason())
    }

    /// Has what is left be dropped where it waits, for this reason if it was not cancelled before.
    /// Returns `false` if it was aborted before.
    pub(in crate::layers::in_place) fn abort(&self, reason: Reason) -> bool {
        self.stir();
        let reason = self.reason_for(true).cloned().unwrap_or(reason);
        drop(self.cancel.set(reason));
        let first = !self.limits.aborted.swap(true, Ordering::AcqRel);
        if first {
            self.unpark().into_iter().for_each(Foreign::wake);
            self.wake_waiters();
        }
        first
    }

    /// From now on it admits no child.
    pub(in crate::layers::in_place) fn drain(&self) {
        self.stir();
        drop(self.limits.drained.set(self.new_reason(ReasonKind::Closed)));
        self.close();
    }

    /// Returns that it admits no child, if its token has drained.
    pub(in crate::layers::in_place) fn drained(&self) -> Option<&Reason> {
        self.limits.drained.get()
    }

    /// Returns how long what is cancelled goes on, if it does.
    pub(in crate::layers::in_place) fn grace(&self) -> Option<Duration> {
        self.limits.grace.filter(|grace| !grace.is_zero())
    }

    /// Returns the grace as it was set, which what is inside inherits: none is not no time.
    pub(in crate::layers::in_place) fn inherited_grace(&self) -> Option<Duration> {
        self.limits.grace
    }

    /// Makes a reason of the scope's own.
    pub(in crate::layers::in_place) fn new_reason(&self, kind: ReasonKind) -> Reason {
        Reason::of(kind, String::new(), None, self.limits.place)
    }

    /// Returns the limiter, if the number of children is limited.
    pub(in crate::layers::in_place) fn limiter(&self) -> Option<&Arc<Semaphore>> {
        self.limits.limiter.as_ref()
    }

    /// Counts a child that gets no slot, because the limiter is closed, and makes the reason.
    pub(in crate::layers::in_place) fn no_slot(&self) -> Reason {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let (kind, message) = (ReasonKind::Closed, LIMITER_CLOSED.to_string());
        Reason::of(kind, message, None, self.limits.place)
    }

    // ---- its time

    pub(in crate::layers::in_place) fn set_deadline(&self, at: Instant) {
        self.stir();
        let _ = self.limits.deadline.set(at);
    }

    pub(in crate::layers::in_place) fn deadline_for(&self, child: bool) -> Option<Instant> {
        // A body that goes on has no deadline.
        self.limits.deadline.get().copied().filter(|_| child || !self.limits.partial)
    }

    /// Its time is over: what has that deadline is cancelled.
    pub(in crate::layers::in_place) fn end_time(&self) {
        if self.stage() >= Stage::Cancelled {
            return;
        }
        self.stir();
        let reason = self.new_reason(ReasonKind::Deadline);
        if !self.limits.partial {
            self.cancel(reason);
        } else if self.limits.children.set(reason).is_ok() {
            self.unpark().into_iter().for_each(Foreign::wake);
            self.wake_waiters();
        }
    }
}

impl Core {
    fn is_child(&self) -> bool {
        self.life().number != 0
    }

    /// Returns why it is cancelled with others.
    pub(in crate::layers::in_place) fn around(&self) -> Option<&Reason> {
        self.control().reason_for(self.is_child())
    }

    pub(in crate::layers::in_place) fn deadline(&self) -> Option<Instant> {
        self.control().deadline_for(self.is_child())
    }

    /// Cancels it if its time is over, before the scope's future has looked at the clock.
    pub(in crate::layers::in_place) fn overdue(&self) -> Option<&Reason> {
        self.deadline().filter(|&at| at <= clock::now())?;
        self.control().end_time();
        self.around()
    }

    /// Has it be dropped where it waits. Returns `false` if it has ended, or was aborted before.
    pub(in crate::layers::in_place) fn abort(&self, reason: Reason) -> bool {
        if self.state() == TaskState::Ended || self.control().stage() == Stage::Aborted {
            return false;
        }
        self.control().stir();
        drop(self.life().cancel.set(self.around().cloned().unwrap_or(reason)));
        // AcqRel: pairs with `is_aborted`, after which the reason is read.
        let first = !self.life().aborted.swap(true, Ordering::AcqRel);
        if first {
            self.schedule();
            self.control().wake_waiters();
        }
        first
    }

    pub(in crate::layers::in_place) fn is_aborted(&self) -> bool {
        self.life().aborted.load(Ordering::Acquire) || self.control().stage() == Stage::Aborted
    }

    /// Returns `true` if it was cancelled alone.
    pub(in crate::layers::in_place) fn is_cancelled_alone(&self) -> bool {
        self.life().cancel.get().is_some()
    }

    /// Returns `true` if it goes on when it is cancelled.
    pub(in crate::layers::in_place) fn is_in_grace(&self) -> bool {
        self.control().grace().is_some() && !self.is_aborted()
    }
}
