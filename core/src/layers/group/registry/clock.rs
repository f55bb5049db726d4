//! The moments at which something is to be seen to in a nursery.

use super::bell::{Bell, Stopped};
use super::graces::Graces;
use crate::layers::base::reason::Reason;
use crate::layers::context::scope::earlier;
use std::time::Instant;

/// What is to be seen to in a nursery, and when.
#[derive(Default)]
pub(crate) struct Clock {
    /// When the nursery is to be cancelled.
    pub(in crate::layers::group) deadline: Option<Instant>,
    /// It was cancelled for that.
    pub(in crate::layers::group) rung: bool,
    /// The body stays when it is.
    pub(in crate::layers::group) partial: bool,
    /// The cancel that leaves the body out.
    pub(in crate::layers::group) expiry: Option<Reason>,
    /// The reason of the deadline's cancel, which was asked for before the timer rang.
    pub(in crate::layers::group) told: Option<Reason>,
    /// When everybody is to be aborted: the nursery's grace is over.
    pub(in crate::layers::group) grace: Option<Instant>,
    /// When what holds a thread still is given up.
    pub(in crate::layers::group) patience: Option<Instant>,
    /// When it is looked for: see [`patience`](super::patience).
    pub(in crate::layers::group) stuck: Option<Instant>,
    /// When tasks that were cancelled on their own are.
    pub(in crate::layers::group) graces: Graces,
    /// The nursery has ended: nothing is due any more.
    pub(in crate::layers::group) stopped: bool,
    pub(in crate::layers::group) bell: Bell,
}

impl Clock {
    /// Returns the next moment.
    pub(in crate::layers::group) fn next(&self) -> Option<Instant> {
        if self.stopped {
            return None;
        }
        earlier(earlier(self.coming(), self.grace), earlier(self.stuck, self.graces.next()))
    }

    pub(in crate::layers::group) fn bell(&mut self) -> &mut Bell {
        &mut self.bell
    }

    /// Nothing will be due any more. Returns the timer's, to be dropped with no lock held.
    #[must_use]
    pub(in crate::layers::group) fn stop(&mut self) -> Stopped {
        self.stopped = true;
        self.bell.stop()
    }

    /// A task leaves.
    #[inline]
    pub(in crate::layers::group) fn forget(&mut self, number: u64) {
        self.graces.forget(number);
    }

    pub(in crate::layers::group) fn keep_body_from(&mut self, expiry: &Reason) {
        self.expiry = Some(expiry.clone());
    }

    pub(in crate::layers::group) fn keeps_body_from(&self, reason: &Reason) -> bool {
        self.expiry.as_ref().is_some_and(|expiry| expiry.same(reason))
    }

    pub(in crate::layers::group) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the deadline if the nursery was not cancelled for it yet.
    pub(in crate::layers::group) fn coming(&self) -> Option<Instant> {
        self.deadline.filter(|_| !self.rung)
    }

    /// Says, before the timer rings, for what reason the deadline cancels the nursery: for this one if
    /// none was told yet. None if there is no deadline any more. With true if the body stays.
    pub(in crate::layers::group) fn tell(&mut self, reason: Reason) -> Option<(Reason, bool)> {
        self.coming()?;
        Some((self.told.get_or_insert(reason).clone(), self.partial))
    }
}
