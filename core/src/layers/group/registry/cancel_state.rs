//! Why a nursery and its tasks are cancelled, and what keeps a cancel away from some of them.
//!
//! # Invariants
//!
//! 1. `reason` is set once: with the first rise to Cancelled or beyond. `own_reasons` are those of
//!    members that were cancelled on their own before that; a member's first reason is the one that
//!    it keeps.
//! 2. `expiry` is the cancel that leaves the body out; it changes only while the body is left out
//!    of none.
//! 3. [`forget`](CancelState::forget) takes a member that leaves out of all of this, but for its
//!    token, which is the user's and leaves by [`Tokens::take_task`].

mod shields;
mod tokens;

use super::nested::OpenedBy;
use crate::layers::base::reason::Reason;
use std::collections::BTreeMap;

pub(crate) use shields::{BODY, Shields};
pub(crate) use tokens::Tokens;

#[derive(Default)]
pub(crate) struct CancelState {
    reason: Option<Reason>,
    /// By the tasks' numbers.
    own_reasons: BTreeMap<u64, Reason>,
    expiry: Option<Reason>,
    shields: Shields,
    tokens: Tokens,
}

impl CancelState {
    /// Returns why the nursery was cancelled.
    pub(crate) fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }

    /// Returns why the nursery was cancelled, or is on its way to it.
    pub(crate) fn requested_reason(&self) -> Option<Reason> {
        self.reason.as_ref().or_else(|| self.tokens.requested_reason()).cloned()
    }

    /// Returns why a member was cancelled: its own reason if it had one first.
    pub(crate) fn reason_of(&self, number: u64) -> Option<Reason> {
        self.own_reasons.get(&number).or(self.reason.as_ref()).cloned()
    }

    /// Returns why a nursery that the opener opens now is cancelled from its start, if it is.
    pub(crate) fn reason_for(&self, opener: OpenedBy) -> Option<Reason> {
        match opener {
            OpenedBy::Task(member) => self.reason_of(member.number),
            OpenedBy::Body | OpenedBy::None => self.reason.clone(),
        }
    }

    /// Returns why a member was cancelled on its own.
    pub(crate) fn own_reason(&self, number: u64) -> Option<&Reason> {
        self.own_reasons.get(&number)
    }

    /// Keeps why the nursery is cancelled, if that is the first reason.
    pub(crate) fn keep_reason(&mut self, reason: &Reason) {
        self.reason.get_or_insert_with(|| reason.clone());
    }

    /// Keeps why a member is cancelled on its own; returns why it is: the first reason.
    pub(crate) fn keep_own_reason(&mut self, number: u64, reason: &Reason) -> Option<Reason> {
        if self.reason.is_none() {
            self.own_reasons.entry(number).or_insert_with(|| reason.clone());
        }
        self.reason_of(number)
    }

    /// The cancel for this reason leaves the body out.
    pub(crate) fn keep_body_from(&mut self, expiry: &Reason) {
        self.expiry = Some(expiry.clone());
    }

    /// Returns `true` if the cancel for this reason leaves the body out.
    pub(crate) fn keeps_body_from(&self, reason: &Reason) -> bool {
        self.expiry.as_ref().is_some_and(|expiry| expiry.same(reason))
    }

    /// Returns `true` if nothing stands here of any member.
    #[inline]
    pub(super) fn has_none(&self) -> bool {
        self.shields.is_empty() && self.own_reasons.is_empty() && self.tokens.has_no_tasks()
    }

    /// A member leaves.
    #[inline]
    pub(super) fn forget(&mut self, number: u64) {
        self.shields.forget(number);
        if !self.own_reasons.is_empty() {
            self.own_reasons.remove(&number);
        }
    }

    /// Returns `true` if a shield is up in the body.
    pub(crate) fn body_is_shielded(&self) -> bool {
        self.shields.has_body()
    }

    /// Returns the shields that are up, to change them.
    pub(crate) fn shields(&mut self) -> &mut Shields {
        &mut self.shields
    }

    /// Returns the tokens that were made.
    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Same, to change them.
    #[inline]
    pub(crate) fn tokens_mut(&mut self) -> &mut Tokens {
        &mut self.tokens
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{CancelState, OpenedBy};
    use crate::layers::base::reason::{Level, Reason};
    use crate::layers::group::registry::members::Member;
    use crate::layers::record::Ptr;

    fn task(number: u64) -> OpenedBy {
        OpenedBy::Task(Member { number, ptr: Ptr::dangling() })
    }

    fn is(found: Option<Reason>, expected: &Reason) -> bool {
        found.is_some_and(|found| found.same(expected))
    }

    #[test]
    fn the_first_reason_stays() {
        let (first, second) = (Reason::new("first"), Reason::new("second"));
        let mut cancel = CancelState::default();
        cancel.keep_reason(&first);
        cancel.keep_reason(&second);
        assert!(is(cancel.reason().cloned(), &first));
        assert!(is(cancel.keep_own_reason(1, &second), &first), "the nursery's was first");
        assert!(cancel.own_reason(1).is_none());
    }

    #[test]
    fn a_reason_of_its_own_comes_before_the_nursery_s() {
        let (own, second, all) = (Reason::new("own"), Reason::new("second"), Reason::new("all"));
        let mut cancel = CancelState::default();
        assert!(is(cancel.keep_own_reason(1, &own), &own));
        assert!(is(cancel.keep_own_reason(1, &second), &own));
        assert!(cancel.reason_for(OpenedBy::Body).is_none());
        cancel.keep_reason(&all);
        assert!(is(cancel.reason_for(task(1)), &own));
        assert!(is(cancel.reason_for(task(2)), &all));
        assert!(is(cancel.reason_for(OpenedBy::None), &all));
        cancel.forget(1);
        assert!(is(cancel.reason_of(1), &all), "it has left");
    }

    #[test]
    fn a_nursery_that_rises_has_its_reason() {
        let (first, second) = (Reason::new("first"), Reason::new("second"));
        let mut cancel = CancelState::default();
        assert!(cancel.tokens_mut().request(Level::Aborted, &first).same(&first));
        assert!(cancel.tokens_mut().request(Level::Cancelled, &second).same(&first));
        assert_eq!(cancel.tokens().requested_level(), Level::Aborted);
        assert!(is(cancel.requested_reason(), &first));
        assert!(cancel.reason().is_none());
    }

    #[test]
    fn one_cancel_leaves_the_body_out() {
        let (expiry, other) = (Reason::new("time"), Reason::new("time"));
        let mut cancel = CancelState::default();
        assert!(!cancel.keeps_body_from(&expiry));
        cancel.keep_body_from(&expiry);
        assert!(cancel.keeps_body_from(&expiry) && !cancel.keeps_body_from(&other));
    }
}
