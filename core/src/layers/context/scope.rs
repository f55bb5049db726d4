//! Scopes inside a task or body: parts of it that are cancelled on their own, or later.
//!
//! A scope is a part of the future that polls it, and shows in the [ambient
//! context](crate::layers::context) while what is inside is polled or destroyed. What is cancelled
//! is asked from the inside out:
//!
//! | frame                | answer                                                             |
//! |----------------------|--------------------------------------------------------------------|
//! | deadline, expired    | cancelled                                                          |
//! | deadline             | as the frame around it                                             |
//! | shield               | not cancelled                                                      |
//! | shield, budget spent | as the frame around it                                             |
//! | cancellable          | as the frame around it, and shields further out are looked through |
//! | in place, cancelled  | cancelled                                                          |
//! | in place             | as the frame around it                                             |
//! | task, body           | as the task or its nursery                                         |
//!
//! A time that is over has expired from the first question on. The answer has a reason, which the
//! scope's next poll finds.
//!
//! A scope's own end is told by the scope alone. The waits of this crate ask for the cancel of the
//! *task*, for which a frame with a deadline is transparent: where only a scope has ended they stay
//! pending, and the scope drops them. A child, or the body, of a scope in place is a task here.
//!
//! A nursery that is opened in a scope is cancelled with it: it hangs on the token of the scope,
//! which is made when a caller asks for it.

mod around;
mod questions;

pub(crate) use around::{Around, around, await_ends, enroll, forget_waiter};
pub(crate) use questions::{
    deadline, ends_scope, grace, is_cancelled, reason, task_reason, task_token, token,
};

use super::Frame;
use super::host::{Host, Waiter};
use super::in_place::InPlace;
use super::last_poll::LastPoll;
use super::term::{Label, Term, before, earlier};
use crate::layers::base::counted::dynamic::WeakDyn;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::base::sync::{Arc, AtomicUsize, Ordering};
use crate::layers::cancel::CancelToken;
use allhome_rt::Instant;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::task::Waker;
use std::time::Duration;

/// What a cancel scope does with the cancel of what is around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScopeKind {
    /// Lets it through, and adds its own.
    Deadline,
    /// Holds it back, until it is lifted.
    Shield,
    /// Lets it through where a shield around it would not.
    Cancellable,
    /// Lets it through, and adds its own: it is a child, or the body, of a scope in place.
    InPlace,
}

pub(crate) struct Scope {
    kind: ScopeKind,
    /// There is a reason. Every poll asks this, and only the last ones read the reason.
    cancelled: Cell<bool>,
    /// The token was raised, too.
    token_raised: Cell<bool>,
    pub(crate) last_poll: Cell<LastPoll>,
    /// Of a scope with a deadline of its own.
    label: Option<Label>,
    /// It ends so long before the deadline that holds around it.
    back: Option<Duration>,
    deadline: Cell<Option<Instant>>,
    more: OnceCell<Box<More>>,
}

/// What most scopes never have: it is made when it is needed, so that they are small, and cost
/// little to make and to drop.
#[derive(Default)]
struct More {
    /// Why what is inside is cancelled: a deadline that has passed, a shield that is lifted.
    reason: RefCell<Option<Reason>>,
    /// The deadline and the reason for the nurseries that were opened inside.
    term: OnceCell<Arc<Term>>,
    token: RefCell<Option<CancelToken>>,
    /// The nurseries that were opened inside.
    groups: RefCell<Vec<WeakDyn<dyn Host>>>,
    shields: Shields,
    /// Once it has waited for those.
    waiter: Cell<Option<Waiter>>,
}

/// The number of shields that are up inside a scope.
#[derive(Default)]
struct Shields(OnceCell<Arc<AtomicUsize>>);

impl Shields {
    fn are_up(&self) -> bool {
        // Relaxed: they go up and down in polls of the scope's own task.
        self.0.get().is_some_and(|count| count.load(Ordering::Relaxed) > 0)
    }

    fn raise(&self) -> Arc<AtomicUsize> {
        let count = self.0.get_or_init(|| Arc::new(AtomicUsize::new(0)));
        count.fetch_add(1, Ordering::Relaxed);
        count.clone()
    }
}

/// What one frame says about a cancel.
enum See {
    Cancelled,
    Hidden,
    Outer,
}

impl Scope {
    pub(crate) fn new(kind: ScopeKind) -> Scope {
        Scope {
            kind,
            cancelled: Cell::new(false),
            token_raised: Cell::new(false),
            last_poll: Cell::default(),
            label: None,
            back: None,
            deadline: Cell::new(None),
            more: OnceCell::new(),
        }
    }

    /// Returns `true` if it is as it was made: a new one does as well.
    #[inline]
    pub(crate) fn is_new(&self) -> bool {
        // A scope that is cancelled has a reason there, and one with a deadline is made with it.
        self.more.get().is_none()
    }

    /// Makes one with a deadline; with `back`, so long before the one that holds around it.
    pub(crate) fn with_deadline(label: Label, back: Option<Duration>) -> Scope {
        let mut scope = Scope::new(ScopeKind::Deadline);
        (scope.label, scope.back) = (Some(label), back);
        scope
    }

    /// Names it; it was not polled yet.
    pub(crate) fn set_name(&mut self, name: Cow<'static, str>) {
        if let Some(label) = &mut self.label {
            label.name = Some(name);
        }
    }

    /// Returns the label. It has a deadline of its own.
    pub(crate) fn label(&self) -> &Label {
        self.label.as_ref().expect("a scope with a deadline was made with a label")
    }

    /// Returns `true` if it has a time of its own.
    pub(crate) fn is_limit(&self) -> bool {
        self.kind == ScopeKind::Deadline
    }

    #[inline]
    pub(crate) fn reason(&self) -> Option<Reason> {
        if self.is_cancelled() { self.more().reason.borrow().clone() } else { None }
    }

    fn more(&self) -> &More {
        self.more.get_or_init(Box::default)
    }

    #[inline(always)]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Returns `true` if what is inside was cancelled, its token included.
    pub(crate) fn is_told(&self) -> bool {
        self.token_raised.get()
    }

    #[inline]
    pub(crate) fn set_deadline(&self, at: Option<Instant>) {
        self.deadline.set(at);
        if let Some(term) = self.more.get().and_then(|more| more.term.get()) {
            term.set_deadline(at);
        }
    }

    /// Cancels what is inside, for this reason if none was given in an answer.
    pub(crate) fn cancel(&self, reason: impl FnOnce() -> Reason) {
        let reason = self.reason().unwrap_or_else(|| self.end_for(reason()));
        self.token_raised.set(true);
        let token = self.more().token.borrow().clone(); // A task that this wakes may ask for it.
        if let Some(token) = token {
            token.cancel_with(reason);
        }
    }

    /// From now on what is inside is cancelled, for the first reason that there was.
    fn end_for(&self, reason: Reason) -> Reason {
        let more = self.more();
        let reason = match more.term.get() {
            Some(term) => term.end_for(reason),
            None => reason,
        };
        *more.reason.borrow_mut() = Some(reason.clone());
        self.cancelled.set(true);
        reason
    }

    /// Returns `true` if what is inside is cancelled: also if its time is over, and it was not
    /// polled since. Where there is no deadline, no clock is looked at.
    fn is_over(&self, frame: &Frame<'_>) -> bool {
        self.is_cancelled()
            || self.deadline.get().is_some_and(|at| self.expire(frame, at))
            || frame.in_place().is_some_and(|place| self.follow(place))
    }

    /// A cancel that is on its way to the child shows at once.
    fn follow(&self, place: &InPlace<'_>) -> bool {
        place.cancel.reason().map(|reason| self.end_for(reason)).is_some()
    }

    /// Returns when its time is over: its own, or that of the scope in place that it is a part of.
    fn ends_at(&self, frame: &Frame<'_>) -> Option<Instant> {
        earlier(self.deadline.get(), frame.in_place().and_then(|place| place.cancel.deadline()))
    }

    /// Cancels what is inside, for this reason if none was given in an answer, and aborts the
    /// nurseries inside.
    pub(crate) fn abort(&self, reason: &Reason) {
        self.cancel(|| reason.clone());
        let token = self.more().token.borrow().clone(); // As in `cancel`.
        if let Some(token) = token {
            token.escalate_to(Level::Aborted, reason.clone());
        }
    }

    fn expire(&self, frame: &Frame<'_>, at: Instant) -> bool {
        let Some(now) = frame.now().filter(|&now| at <= now) else { return false };
        let reason = match self.kind {
            ScopeKind::Deadline => {
                if let Some(back) = self.back {
                    // It may have been moved.
                    self.set_deadline(before(deadline(frame.outer(), false), back, now));
                }
                let over = self.deadline.get().filter(|&at| at <= now);
                over.map(|_| self.label().reason(frame.task_id(), now))
            }
            ScopeKind::Shield => reason(frame.outer(), false),
            ScopeKind::Cancellable | ScopeKind::InPlace => None,
        };
        let Some(reason) = reason else { return false };
        self.end_for(reason);
        true
    }

    /// Returns its deadline and reason for a nursery that is opened inside.
    fn term(&self, frame: &Frame<'_>) -> Arc<Term> {
        let make = || {
            let label = self.label.clone().filter(|_| self.back.is_none());
            let term = Term::new(label.map(|label| (label, frame.task_id())));
            term.set_deadline(self.ends_at(frame));
            if let Some(reason) = self.reason() {
                term.end_for(reason);
            }
            Arc::new(term)
        };
        self.more().term.get_or_init(make).clone()
    }

    /// Notes a nursery that is opened inside.
    fn add(&self, group: &dyn Host) {
        let mut groups = self.more().groups.borrow_mut();
        if groups.len() == groups.capacity() {
            groups.retain(|group| !group.is_closed());
        }
        groups.push(group.weak());
    }

    /// Returns `true` if what is inside may not be dropped yet: a nursery is not home, or a shield
    /// is up. The call that changes that wakes the waker, if there is one.
    pub(crate) fn holds(&self, waker: Option<&Waker>) -> bool {
        let Some(more) = self.more.get() else { return false };
        let waker = waker.map(|waker| (more.waiter(), waker));
        let groups = more.groups.borrow();
        more.shields.are_up() || groups.iter().any(|group| group.is_out(waker))
    }

    /// Returns `true` if a nursery inside is home and not closed.
    pub(crate) fn has_open(&self) -> bool {
        let Some(more) = self.more.get() else { return false };
        let groups = more.groups.borrow();
        groups.iter().any(|group| !group.is_closed())
    }

    /// Notes that a shield is up inside, until the count goes down again.
    pub(crate) fn raise_shield(&self) -> Arc<AtomicUsize> {
        self.more().shields.raise()
    }

    /// Returns the scope's token; makes one if there is none.
    fn token(&self, outer: impl FnOnce() -> Option<CancelToken>) -> CancelToken {
        let more = self.more();
        if let Some(token) = &*more.token.borrow() {
            return token.clone();
        }
        let token = outer().map_or_else(CancelToken::new, |outer| outer.child());
        if let Some(reason) = self.reason() {
            token.cancel_with(reason);
        }
        *more.token.borrow_mut() = Some(token.clone());
        token
    }

    fn see(&self, frame: &Frame<'_>, through: &mut bool) -> See {
        match self.kind {
            ScopeKind::Deadline | ScopeKind::InPlace if self.is_over(frame) => See::Cancelled,
            ScopeKind::Shield if !*through && !self.is_over(frame) => See::Hidden,
            ScopeKind::Cancellable => {
                *through = true;
                See::Outer
            }
            ScopeKind::Deadline | ScopeKind::Shield | ScopeKind::InPlace => See::Outer,
        }
    }
}

impl More {
    fn waiter(&self) -> Waiter {
        let waiter = self.waiter.get().unwrap_or_else(Waiter::new);
        self.waiter.set(Some(waiter));
        waiter
    }
}

impl Drop for More {
    /// The nurseries inside may go on, as the ancestors'; the scope's deadline does not concern
    /// them then.
    fn drop(&mut self) {
        if let Some(term) = self.term.get() {
            term.set_deadline(None);
        }
        let Some(waiter) = self.waiter.get() else { return };
        for group in self.groups.get_mut().iter() {
            group.forget_home_waker(waiter);
        }
    }
}
