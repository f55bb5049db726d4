//! Echoes: errors of a task or body that say once more what is known already.
//!
//! | an error of | is an echo if, at the end of the poll that gives it,                          |
//! |-------------|-------------------------------------------------------------------------------|
//! | a child     | 1. it was cancelled, or a cancel is on its way to it, that it did not ask for |
//! |             | 2. an await of ours has reported its cancel in that poll, or a failure that a nursery around it reports |
//! | a body      | 1. its nursery is cancelled, and has a failure already                        |
//! |             | 2. as above                                                                   |
//!
//! An echo is kept beside the failures, cancels nothing, and its task has ended as cancelled.
//!
//! # Invariants
//!
//! 1. A cancel is *on its way* ([`leaving`](Group::leaving)) before anything of it can be seen: a
//!    nursery is requested, a task has its own reason, and a token is raised, before the first
//!    waker is woken and the first child is touched. Those that are inside follow later, so the
//!    question goes outwards, up to a nursery that was opened in a shield.
//! 2. A failure that is *reported* is in the report of a nursery around the joiner when that
//!    closes: the child that failed is a member until it is noted.

use super::config::Policy;
use super::env::Env;
use super::registry::report::{Entry, Rest};
use super::registry::{Phase, Registry};
use super::{Group, describe};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::leave::{Heard, Leave};
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::Arc;
use crate::layers::base::who::Who;
use crate::layers::context::host::Host;
use crate::layers::context::{self, Notes};
use crate::layers::record::{Claimed, Ended, Header};
use std::any::Any;
use std::panic::Location;

type Error = Arc<dyn Any + Send + Sync>;

/// Takes the error that the task ends its poll with, if it is an echo; then the task is pending,
/// and wants its end.
pub(super) fn is_echo(error: Error) -> bool {
    context::task(|task| {
        let Some(task) = task else { return false };
        let Some(reason) = task.notes().echoes(task.leaving(), task.id()) else { return false };
        task.notes().hear(Leave::Cancelled, Box::new(Heard { reason, error: Some(error) }));
        true
    })
}

impl Group {
    /// Returns why a task, or the body, was cancelled, or why a cancel is on its way to it
    /// (invariant 1). It takes the lock of each nursery around: for errors, and not for polls.
    pub(super) fn find_cancel(&self, task: Option<&Header>) -> Option<Reason> {
        self.follow_token();
        if let Some(reason) = Host::task_reason(self, task) {
            return Some(reason);
        }
        let mut at = self.weak();
        while !at.shielded {
            let (parent, key) = at.locked(|registry| registry.parent.clone())?;
            parent.follow_token();
            let reason = parent.locked(|registry| {
                let opener = registry.nested.opener(key);
                registry.cancel.reason_for(opener).or_else(|| registry.cancel.requested_reason())
            });
            if reason.is_some() {
                return reason;
            }
            at = parent;
        }
        None
    }

    /// Calls `f` with this nursery and those around it, until it has an answer.
    fn outwards(&self, f: impl Fn(&Group) -> Option<bool>) -> bool {
        let mut at = Some(self.weak());
        while let Some(group) = at {
            if let Some(answer) = f(&group) {
                return answer;
            }
            at = group.locked(|registry| registry.parent());
        }
        false
    }

    /// Returns `true` if the other nursery is this one or inside it.
    pub(super) fn covers(&self, other: &Group) -> bool {
        other.outwards(|group| (group.id == self.id).then_some(true))
    }

    /// Returns `true` if a cancel of this nursery reaches the other: no shield is between.
    pub(super) fn sweeps(&self, other: &Group) -> bool {
        other.outwards(|group| match group.id == self.id {
            true => Some(true),
            false => group.shielded.then_some(false),
        })
    }

    /// Returns `true` if the reason is the failure of a task of this nursery, or of one around it.
    pub(crate) fn knows(&self, reason: &Reason) -> bool {
        let failed = reason.by().filter(|_| reason.kind() == ReasonKind::ChildFailed);
        failed.is_some_and(|by| self.outwards(|group| (group.id == by.nursery).then_some(true)))
    }

    /// Returns `true` if the failures of its children are in its own error, also if they are joined.
    pub(super) fn reports(&self) -> bool {
        matches!(self.config.policy, Policy::FailFast | Policy::WaitAll)
    }

    // ---- the end of a child

    /// Ends a child that wants its end, for what it has heard of in its poll.
    pub(super) fn end_heard(&self, claimed: &mut Claimed, notes: &Notes) -> Ended {
        let Some(heard) = notes.heard.take() else { return self.end_cancelled(claimed) };
        let Heard { reason, error } = *heard;
        if let Some(Leave::NoValue) = notes.leave.get() {
            let mut ended = self.end(claimed, Ending::Cancelled(reason));
            if let Ending::Cancelled(reason) = ended.ending {
                ended.ending = Ending::NoValue(reason);
            }
            return ended;
        }
        // Every task that one cancel ends has the same reason.
        let first = self.locked(|registry| registry.reason_of(claimed)).unwrap_or(reason);
        let mut ended = self.end(claimed, Ending::Cancelled(first.clone()));
        match (ended.ending, error) {
            (Ending::Cancelled(reason), Some(error)) => {
                ended.ending = Ending::Echo(Box::new((reason, error)));
            }
            // A destructor has panicked.
            (other, Some(error)) => {
                ended.ending = other;
                let who = self.who(claimed.header());
                self.with_env(claimed, |_, env| self.note_echo(env, first, error, who));
            }
            (other, None) => ended.ending = other,
        }
        ended
    }

    /// Tells the hook of an echo, and keeps it.
    fn note_echo(&self, env: &Env, reason: Reason, error: Error, who: Who) {
        let echo = Ending::Echo(Box::new((reason, error.clone())));
        self.tell(env, &echo, &who);
        let entry = Entry::new(Ending::Err(error), who);
        drop(self.locked(|registry| self.keep_echo(registry, entry)));
    }

    /// Keeps an echo, and tells the shutdowns of it. Returns it if it does not fit. The caller
    /// holds the lock.
    fn keep_echo(&self, registry: &mut Registry, echo: Entry) -> Option<Entry> {
        if !registry.logs.is_empty() {
            let id = echo.who.task;
            let body = id.is_none();
            let id = id.unwrap_or_else(|| self.body_id());
            registry.logs.rise(self.id, self.requested_level(), None);
            registry.logs.record_echo(self.id, body, id, &echo, self.config.view);
        }
        registry.report.add_echo(echo)
    }

    /// Notes that a child has ended with an echo. Returns what is not kept. The caller holds the
    /// lock.
    pub(super) fn note_echo_of(
        &self,
        registry: &mut Registry,
        claimed: &Claimed,
        ended: Foreign<Ended>,
        isolated: bool,
    ) -> Rest {
        if !isolated {
            registry.report.count_cancelled();
        }
        let Ended { ending, second } = ended.into_inner();
        let Ending::Echo(echo) = ending else { unreachable!("the caller has seen an echo") };
        debug_assert!(second.is_none(), "a destructor's panic is the ending");
        let (_, error) = *echo;
        let entry = Entry::new(Ending::Err(error), self.who(claimed.header()));
        (None, self.keep_echo(registry, entry).into_iter().collect())
    }

    // ---- the end of the body

    /// The body has returned an error, in the poll of these notes.
    pub(crate) fn body_returned(&self, env: &Env, error: Error, notes: &Notes) {
        let told = notes.is_told();
        let leaving = self.find_cancel(None);
        let heard = notes.take_heard();
        let why = leaving.or_else(|| heard.clone());
        let known = told || self.locked(|registry| !registry.report.is_empty());
        let Some(why) = why.filter(|_| known) else {
            self.fail_body(env, Ending::Err(error));
            return;
        };
        self.note_echo(env, why, error, self.body());
        if let Some(reason) = heard {
            self.end_body(reason);
        }
    }

    /// The body needs a value that is not there, and ends.
    pub(crate) fn body_left(&self, env: &Env, notes: &Notes) {
        let heard = notes.take_heard();
        match (notes.leave.get(), heard) {
            (Some(Leave::NoValue), Some(reason)) => self.fail_body(env, Ending::NoValue(reason)),
            (_, Some(reason)) => self.end_body(reason),
            (_, None) => {}
        }
    }

    /// The body ends without a value, for a reason that is no failure of its own.
    fn end_body(&self, reason: Reason) {
        let old = self.locked(|registry| registry.report.set_body_reason(reason.clone()));
        drop(old);
        if self.config.policy != Policy::WaitAll {
            self.raise_tree(Level::Cancelled, &reason);
        }
    }

    // ---- failures that count in any case

    /// Notes a failure that a task, or the body, reports, and that counts in any case. Returns
    /// `false` if the nursery has ended.
    pub(crate) fn fail(&self, error: Error, who: Who) -> bool {
        let ending = Ending::Err(error);
        let message = describe(&ending);
        let noted = self.note_failure(ending, &who);
        if noted {
            self.child_failed(&who, message);
        }
        noted
    }

    pub(super) fn note_failure(&self, ending: Ending, who: &Who) -> bool {
        let open = |registry: &mut Registry| matches!(registry.phase, Phase::Body | Phase::Joining);
        if let Some(group) = self.strong().filter(|_| self.locked(open)) {
            self.tell(group.owned(), &ending, who);
        }
        let entry = Entry::new(ending, who.clone());
        let (noted, rest) = self.locked(|registry| match registry.phase {
            Phase::Body | Phase::Joining => (true, registry.report.add(entry)),
            Phase::Dropped | Phase::Closed => (false, Some(entry)),
        });
        drop(rest);
        noted
    }

    /// Returns what is calling, as a failure of this nursery names it. `place` is that of the call.
    pub(crate) fn caller(&self, place: &'static Location<'static>) -> Who {
        context::current(|frame| match frame.and_then(|frame| frame.worker(Some(self))) {
            Some(task) => task.header().map_or_else(
                || self.body(),
                |header| Who {
                    task: task.id(),
                    name: header.name().map(Box::from),
                    place: header.location(),
                    finalizer: false,
                },
            ),
            None => Who { place, ..self.body() },
        })
    }
}
