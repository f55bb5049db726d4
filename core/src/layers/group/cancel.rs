//! Cancel and abort: through the whole tree in one pass.
//!
//! First every group below is raised, parents before children, so that no child is admitted any
//! more. Then the members are cancelled (or destroyed), deepest group first: by the time a task is
//! destroyed, the nurseries inside it are empty, and their destructors find nothing to do. So
//! neither the pass nor the destructors that it runs recurse, however deep the tree.
//!
//! Members are handled in batches: what to do is found out under the lock, and done without it.

use super::Group;
use super::registry::{GraceEnd, OnCancel, Pass, Phase, Registry};
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::reason::{Level, Reason, ReasonKind};
use crate::layers::base::sync::Ordering;
use crate::layers::base::who::Who;
use crate::layers::record::{Claimed, Dealloc, Ended, Kept, RecordRef};
use std::mem;
use std::task::Waker;

/// How many members are handled for one hold of the lock.
const BATCH: usize = 64;

/// A group that was raised.
struct Raised {
    group: Weak<Group>,
    /// Of its future, and of the waiters for its end.
    wakers: Vec<Foreign<Waker>>,
}

/// What one hold of the lock leaves to do.
#[must_use]
#[derive(Default)]
struct Batch {
    doomed: Vec<(Claimed, Ending)>,
    wakers: Vec<Foreign<Waker>>,
    dead: Vec<Option<Dealloc>>,
    more: bool,
}

impl Group {
    /// Raises this group and everything nested in it. A group that is at the level already is left
    /// alone, with everything in it. The first reason that a group gets is the one it keeps.
    pub(crate) fn raise_tree(&self, level: Level, reason: &Reason) {
        self.raise_from(level, reason, false);
    }

    /// As [`raise_tree`](Group::raise_tree), for the caller that has raised this group's token.
    pub(super) fn raise_after_token(&self, level: Level, reason: &Reason) {
        self.raise_from(level, reason, true);
    }

    fn raise_from(&self, level: Level, reason: &Reason, mut raised: bool) {
        let mut tree = Vec::new();
        let mut found = vec![self.weak()];
        while let Some(group) = found.pop() {
            // First, so that every last poll finds it cancelled.
            let first = group.raise_token(level, reason, mem::take(&mut raised));
            let Some(first) = first else { continue };
            if let Some(wakers) = group.raise(level, &first, reason, &mut found) {
                tree.push(Raised { group, wakers });
            }
        }
        for Raised { group, wakers } in tree.into_iter().rev() {
            group.sweep(level, reason);
            group.arm();
            wakers.into_iter().for_each(Foreign::wake);
            group.wake_reserves();
        }
    }

    /// Raises this group alone, for its first reason. Returns the wakers to wake, or none if there
    /// was nothing to raise.
    fn raise(
        &self,
        level: Level,
        first: &Reason,
        reason: &Reason,
        found: &mut Vec<Weak<Group>>,
    ) -> Option<Vec<Foreign<Waker>>> {
        let ends = self.ends();
        self.locked(|registry| {
            if registry.phase == Phase::Closed {
                return None;
            }
            if self.level() >= level {
                // A body that was left out of the first cancel is not left out of the second.
                let cut = level >= Level::Cancelled && self.cut_body(registry, reason);
                return cut.then(|| registry.run_waker.take().into_iter().collect());
            }
            self.cut_body(registry, reason);
            registry.cancel.keep_reason(first);
            // Release: pairs with `level`.
            self.level.store(level as u8, Ordering::Release);
            if level == Level::Aborted {
                registry.members.sweep_again();
            }
            if level == Level::Cancelled {
                self.begin_grace(&mut registry.clock, &ends);
            }
            self.begin_patience(&mut registry.clock, &ends);
            registry.nested.each(|group, _| {
                if !group.shielded {
                    found.push(group.clone());
                }
            });
            let mut wakers = registry.home.take();
            wakers.extend(registry.run_waker.take());
            Some(wakers)
        })
    }

    /// Cancels, or destroys, the members of a group that was raised.
    fn sweep(&self, level: Level, reason: &Reason) {
        let mut pass = Pass::default();
        loop {
            let batch = self.locked_then_launch(|registry| {
                // Another sweep, which has raised it further, does what is left here: to move
                // members on would hide them from it.
                (self.level() == level)
                    .then(|| self.sweep_batch(registry, level, reason, &mut pass))
            });
            let Some(batch) = batch else { return };
            if !batch.doomed.is_empty() {
                self.destroy(batch.doomed.into_iter());
            }
            batch.wakers.into_iter().for_each(Foreign::wake);
            drop(batch.dead);
            if !batch.more {
                return;
            }
        }
    }

    /// The part of [`sweep`](Group::sweep) that is done in one hold of the lock.
    fn sweep_batch(
        &self,
        registry: &mut Registry,
        level: Level,
        reason: &Reason,
        pass: &mut Pass,
    ) -> Batch {
        let mut batch = Batch { more: true, ..Batch::default() };
        registry.members.queue_woken(&self.woken);
        for _ in 0..BATCH {
            match registry.members.sweep_next(level == Level::Aborted, pass, &self.woken) {
                Some(OnCancel::Doomed(claimed)) => {
                    let first = registry.reason_of(&claimed);
                    let reason = first.unwrap_or_else(|| reason.clone());
                    batch.doomed.push((claimed, Ending::Cancelled(reason)));
                }
                Some(OnCancel::Wake(waker)) => batch.wakers.push(waker),
                Some(OnCancel::Busy) => {}
                None => {
                    batch.more = false;
                    let waiting = registry.jobs.take_waiting();
                    batch
                        .dead
                        .extend(waiting.into_iter().map(|job| registry.members.drop_bound(job)));
                    break;
                }
            }
        }
        batch
    }

    /// Cancels one child, and the nurseries inside it. Returns false if it had ended.
    pub(crate) fn cancel_child(&self, record: RecordRef<'_>, reason: &Reason) -> bool {
        self.raise_child(record, Level::Cancelled, reason)
    }

    /// Destroys one child where it waits, and everything in the nurseries inside it; if it is
    /// being polled, as soon as that poll is over. Returns false if it had ended.
    pub(crate) fn abort_child(&self, record: RecordRef<'_>, reason: &Reason) -> bool {
        self.raise_child(record, Level::Aborted, reason)
    }

    fn raise_child(&self, record: RecordRef<'_>, level: Level, reason: &Reason) -> bool {
        let number = record.header().number();
        let found = self.locked(|registry| {
            let first = registry.keep_reason(record, reason)?;
            // One that is opened from now on has that reason from its start.
            Some((first, registry.cancel.tokens().task(number), registry.nested_of(record)))
        });
        let Some((first, token, nested)) = found else { return false };
        // First, so that the last poll finds it cancelled.
        if let Some(token) = token {
            token.escalate_to(level, first);
        }
        // Before the task is notified: its last poll, which may be under way at once, is that of
        // the bodies inside it, too.
        for group in nested.into_iter().filter(|group| !group.shielded) {
            group.raise_tree(level, reason);
        }
        let ends = self.ends();
        let on_cancel = self.locked(|registry| {
            let member = registry.members.member(record)?;
            let on_cancel = registry.members.cancel_one(member, level, &self.woken);
            if let Some(end) = ends.grace.filter(|_| level == Level::Cancelled) {
                registry.clock.begin_grace_of(member, end);
                self.timed.store(true, Ordering::Relaxed);
            }
            Some(on_cancel)
        });
        let Some(on_cancel) = on_cancel else { return true };
        self.see_to(on_cancel, reason);
        self.arm();
        true
    }

    /// Keeps the record of the child with this number, if it has not ended.
    pub(crate) fn keep_child(&self, number: u64) -> Option<Kept> {
        self.locked(|registry| {
            let is_child = !registry.finalizers.are_run_by(number);
            is_child.then(|| registry.members.keep(number)).flatten()
        })
    }

    /// Cancels every child that there is at the call, and the nurseries inside; neither the body nor
    /// the nursery. Returns how many had not ended.
    pub(crate) fn cancel_children(&self, reason: &Reason) -> usize {
        let children = self.locked(|registry| {
            let finalizers = &registry.finalizers;
            registry.members.keep_all(|header| !finalizers.are_run_by(header.number()))
        });
        let cancelled = children.iter().filter(|child| self.cancel_child(child.record(), reason));
        cancelled.count()
    }

    /// The grace of one task is over: it is aborted, for the reason that it was cancelled for.
    pub(super) fn end_grace(&self, end: GraceEnd) {
        let GraceEnd { on_cancel, reason, token } = end;
        let reason = reason.unwrap_or_else(|| {
            self.reason(ReasonKind::Aborted, String::new(), None, self.config.place)
        });
        if let Some(token) = token {
            token.escalate_to(Level::Aborted, reason.clone());
        }
        self.see_to(on_cancel, &reason);
    }

    fn see_to(&self, on_cancel: OnCancel, reason: &Reason) {
        match on_cancel {
            OnCancel::Doomed(claimed) => self.destroy_for(claimed, reason),
            OnCancel::Wake(waker) => waker.wake(),
            OnCancel::Busy => self.locked_then_launch(|_| ()),
        }
    }

    /// A nursery's time is over, and its body is to go on.
    pub(super) fn stay_open(&self, reason: &Reason) {
        self.locked(|registry| {
            if !self.is_cancelled() {
                registry.cancel.keep_body_from(reason);
                self.body_stays.store(true, Ordering::Relaxed);
            }
        });
    }

    /// Ends that, unless this is the cancel that it is for. The caller holds the lock.
    fn cut_body(&self, registry: &Registry, reason: &Reason) -> bool {
        let stays = self.body_stays.load(Ordering::Relaxed);
        let cut = stays && !registry.cancel.keeps_body_from(reason);
        if cut {
            self.body_stays.store(false, Ordering::Relaxed);
        }
        cut
    }

    /// Returns `true` if the body was cancelled.
    pub(crate) fn is_body_cancelled(&self) -> bool {
        self.is_cancelled() && !self.body_stays.load(Ordering::Relaxed)
    }

    /// Returns `true` if the body was cancelled, or a cancel of it is on its way.
    pub(crate) fn is_body_cancel_requested(&self) -> bool {
        self.requested_level() >= Level::Cancelled && !self.body_stays.load(Ordering::Relaxed)
    }

    /// Destroys a child for the reason that it was given first.
    fn destroy_for(&self, claimed: Claimed, reason: &Reason) {
        let first = self.locked(|registry| registry.reason_of(&claimed));
        let first = first.unwrap_or_else(|| reason.clone());
        self.destroy(std::iter::once((claimed, Ending::Cancelled(first))));
    }

    /// A handle of an isolating nursery is dropped, and no caller looked at what it had: a failure
    /// goes to the nursery then.
    pub(crate) fn hand_in(&self, mut ending: Ending, who: Who) {
        if let Ending::Cancelled(reason) = &ending {
            if reason.kind() == ReasonKind::NoValue && reason.by() == who.task {
                ending = Ending::NoValue(reason.clone());
            }
        }
        let ended = Foreign::new(Ended { ending, second: None });
        let open = self.locked(|registry| registry.phase != Phase::Closed);
        if let Some(group) = self.strong().filter(|_| open) {
            self.tell_ended(group.owned(), &ended, &who);
        }
        drop(self.locked(|registry| registry.report.note(ended, || who)));
    }
}
