//! What a nursery's one lock guards: parts with invariants of their own, put together.
//!
//! | part        | what it knows                                                         |
//! |-------------|-----------------------------------------------------------------------|
//! | [`Members`] | the records that are counted, and where each stands                   |
//! | [`Carriers`]| how many carriers are on their way, and whether another is wanted      |
//! | [`Births`]  | when the members were spawned, if that is asked for                   |
//! | [`Notes`]   | what tasks say of themselves                                          |
//! | [`Nested`]  | the nurseries that are open inside, and the task or body that opened each |
//! | [`CancelState`] | the reasons, the shields and the tokens                           |
//! | [`Clock`]   | what is due when, and the sleep until then                            |
//! | [`Jobs`]    | the blocking work                                                     |
//! | [`Patience`]| the members that hold their threads after a cancel                    |
//! | [`Home`], [`Reserves`] | the waiters for the end, and for a slot                    |
//! | [`StragglerLogs`]   | the shutdowns that are notified of late departures                    |
//! | [`Finalizers`]  | the finalizers that were not run                                      |
//! | [`Report`]  | the failures so far                                                   |
//!
//! A part knows no other. What takes two of them stands here, as a short method.
//!
//! # Invariants
//!
//! 1. What a part notes of a member, by its number or its record, [`unlink`](Registry::unlink)
//!    takes out: so each [`Member`] in a part is a member.
//! 2. While a member has no carrier of its own, a carrier is on its way, or parked.
//! 3. `own` is invariant 2 of the group.
//! 4. What is the user's stands in it as a [`Foreign`], and leaves it before it is dropped.

mod births;
mod cancel_state;
mod carriers;
pub(super) mod clock;
pub(crate) mod finalizers;
mod home;
mod jobs;
mod members;
mod nested;
mod notes;
pub(super) mod patience;
pub(crate) mod report;
mod reserves;
mod scopes;
pub(crate) mod stragglers;

use super::Group;
use crate::layers::base::counted::{Strong, Weak};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Ordering;
use crate::layers::cancel::CancelToken;
use crate::layers::record::mark::Mark;
use crate::layers::record::{
    Carried, Claimed, Dealloc, Doing, Header, RecordRef, Stack, Unadmitted,
};
use allhome_rt::Instant;
use births::Births;
use cancel_state::{CancelState, Tokens};
use carriers::Carriers;
use clock::Clock;
use finalizers::Finalizers;
use home::Home;
use jobs::Jobs;
use members::Members;
use nested::Nested;
use notes::Notes;
use patience::Patience;
use report::{Entry, Forgets, Report};
use reserves::Reserves;
use scopes::Scopes;
use std::mem;
use std::task::Waker;
use stragglers::StragglerLogs;

pub(crate) use cancel_state::BODY;
pub(crate) use carriers::{Launch, Role};
pub(crate) use members::{Member, OnCancel, Pass, Place, Seen, doing, shown};
pub(crate) use nested::OpenedBy;
pub(crate) use reserves::Kept;

/// Where a nursery's future stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Its body runs.
    Body,
    /// The body is gone; it waits for its members.
    Joining,
    /// It was dropped; the members that are left are the ancestors'.
    Dropped,
    /// No member is left and none is admitted.
    Closed,
}

pub(crate) struct Registry {
    pub(crate) members: Members,
    pub(crate) carriers: Carriers,
    pub(crate) births: Births,
    pub(crate) notes: Notes,
    pub(crate) nested: Nested<Weak<Group>>,
    pub(crate) scopes: Scopes,
    pub(crate) cancel: CancelState,
    pub(super) clock: Clock,
    pub(super) jobs: Jobs,
    patience: Patience,
    pub(super) home: Home,
    pub(super) reserves: Reserves,
    pub(super) logs: StragglerLogs,
    pub(super) finalizers: Finalizers,
    pub(super) report: Report,
    pub(crate) phase: Phase,
    /// Of the nursery's future.
    pub(crate) run_waker: Option<Foreign<Waker>>,
    /// What the body waits for, and since when, if it waits.
    pub(crate) body_mark: Mark,
    /// The group that this one is nested in, and its key there.
    pub(super) parent: Option<(Weak<Group>, u32)>,
    /// The group itself, while it is occupied.
    pub(super) own: Option<Strong<Group>>,
}

/// A task whose grace is over.
pub(crate) struct GraceEnd {
    pub(crate) on_cancel: OnCancel,
    pub(crate) reason: Option<Reason>,
    pub(crate) token: Option<CancelToken>,
}

/// What is left of a group that has closed: what concerns the ancestors, and what leads to others or
/// is the user's.
pub(super) type Gone = (Vec<Entry>, (Report, Tokens, StragglerLogs));

impl Registry {
    pub(crate) fn new(keep: usize, forgets: Forgets) -> Registry {
        Registry {
            members: Members::default(),
            carriers: Carriers::default(),
            births: Births::default(),
            notes: Notes::default(),
            nested: Nested::new(),
            scopes: Scopes::default(),
            cancel: CancelState::default(),
            clock: Clock::default(),
            jobs: Jobs::default(),
            patience: Patience::default(),
            home: Home::default(),
            reserves: Reserves::default(),
            logs: StragglerLogs::default(),
            finalizers: Finalizers::default(),
            report: Report::new(keep, forgets),
            phase: Phase::Body,
            run_waker: None,
            body_mark: Mark::NONE,
            parent: None,
            own: None,
        }
    }

    /// Returns the group that this one is nested in.
    pub(crate) fn parent(&self) -> Option<Weak<Group>> {
        self.parent.as_ref().map(|(parent, _)| parent.clone())
    }

    /// Returns `true` if no member is left, and no nursery that was opened inside.
    pub(crate) fn is_vacant(&self) -> bool {
        self.members.count() == 0 && self.nested.is_empty()
    }

    /// Returns `true` if the nursery's own future was dropped.
    pub(crate) fn is_adopted(&self) -> bool {
        self.phase == Phase::Dropped
    }

    /// Returns `true` if a task may need a slot: a member, or one that waits for its admission.
    pub(crate) fn wants_slots(&self) -> bool {
        !self.is_vacant() || !self.reserves.is_empty()
    }

    // ---- members and carriers

    /// Returns `true` if something is due that a carrier sees to. Where no member is left the
    /// nursery's future does.
    pub(super) fn is_due(&self) -> bool {
        self.carriers.is_due() && !self.is_vacant()
    }

    /// Returns how much waits for a carrier: children, one more if some are on the stack of the
    /// woken, and what is due.
    #[inline]
    pub(super) fn waiting(&self, woken: &Stack) -> usize {
        let stacked = usize::from(!woken.is_empty());
        self.members.queued() + stacked + usize::from(self.is_due())
    }

    /// Counts one more carrier if that is wanted for what waits.
    #[inline]
    pub(crate) fn want(&mut self, woken: &Stack, width: usize) -> Launch {
        self.carriers.want(self.waiting(woken), width)
    }

    /// As [`want`](Registry::want), if there is a carrier to call.
    pub(super) fn want_called(&mut self, woken: &Stack, width: usize) -> Launch {
        self.carriers.want_called(self.waiting(woken), width)
    }

    /// Returns `true` if a carrier that finds no child waits for the next: a member may still be
    /// woken, or the body may spawn.
    pub(super) fn wants_parked(&self) -> bool {
        let more = self.members.has_unbound() || self.phase == Phase::Body;
        more && !self.carriers.has_parked()
    }

    /// Returns `true` if a member waits that has no carrier of its own, and none is left to come.
    pub(super) fn is_stranded(&self) -> bool {
        self.carriers.are_gone() && self.members.has_unbound()
    }

    // ---- a member, and all that is noted of it

    /// Admits the record of the finalizers: a cancel and an abort leave it alone.
    pub(super) fn admit_shielded(&mut self, woken: &Stack, fresh: Unadmitted) {
        let member = self.members.admit_shielded(woken, fresh);
        self.finalizers.note_runner(member.number);
        self.cancel.shields().raise(Some(member));
    }

    /// As [`admit_shielded`](Registry::admit_shielded), with a carrier of its own.
    pub(super) fn admit_shielded_carried(&mut self, woken: &Stack, fresh: Unadmitted) -> Carried {
        let (_, carried) = self.members.admit_carried(woken, fresh);
        carried.header().state().raise_shield();
        let member = Member::new(carried.header(), carried.ptr());
        self.finalizers.note_runner(member.number);
        self.cancel.shields().raise(Some(member));
        carried
    }

    /// Takes a record off its list, and out of each part that notes something of it: it leaves.
    pub(super) fn unlink(&mut self, claimed: &Claimed) {
        self.members.unlink(claimed);
        let number = claimed.header().number();
        self.jobs.forget(number);
        self.cancel.forget(number);
        self.clock.forget(number);
        self.nested.disown(number);
        self.notes.forget(number);
    }

    /// Returns `true` if nothing is noted of any member beside its record, and nothing looks out for
    /// the next that leaves.
    #[inline]
    fn is_plain(&self) -> bool {
        !self.jobs.has_begun_any()
            && !self.jobs.are_given_up()
            && self.cancel.has_none()
            && self.clock.has_no_graces()
            && self.nested.of_no_task()
            && self.logs.is_empty()
    }

    /// Has a child leave that has ended with a value and has no carrier of its own: publishes the
    /// value, if it is kept, takes the record off its list and releases it. Sets the waker of its
    /// joiner, or what frees the record. If there is more to do, the claim comes back.
    #[inline(always)]
    pub(super) fn leave_plain(
        &mut self,
        mut claimed: Claimed,
        kept: bool,
        joiner: &mut Option<Foreign<Waker>>,
        dead: &mut Option<Dealloc>,
    ) -> Result<(), Claimed> {
        if !self.is_plain() {
            return Err(claimed);
        }
        self.notes.forget(claimed.header().number());
        if !kept {
            self.members.unlink(&claimed);
            *dead = self.members.release(claimed, None);
            return Ok(());
        }
        if !claimed.header().state().has_handle() {
            return Err(claimed);
        }
        let told = self.members.take_joiner(&mut claimed);
        let record = self.members.leave_with_value(claimed)?;
        *joiner = told.ended(record, true);
        Ok(())
    }

    /// Keeps why one task, by its record, is cancelled on its own; returns why it is: the first
    /// reason. None if it has left.
    pub(super) fn keep_reason(&mut self, record: RecordRef<'_>, reason: &Reason) -> Option<Reason> {
        let member = self.members.member(record)?;
        record.header().state().rise();
        self.cancel.keep_own_reason(member.number, reason)
    }

    /// Returns why a member was cancelled.
    pub(super) fn reason_of(&self, claimed: &Claimed) -> Option<Reason> {
        self.cancel.reason_of(claimed.header().number())
    }

    /// Orders the destruction of a task whose grace is over, for the reason that it has.
    pub(super) fn end_grace(&mut self, now: Instant, woken: &Stack) -> Option<GraceEnd> {
        let member = self.clock.due_grace(now)?;
        let reason = self.cancel.reason_of(member.number);
        let token = self.cancel.tokens().task(member.number);
        Some(GraceEnd { on_cancel: self.members.abort(member, woken), reason, token })
    }

    // ---- nurseries inside

    /// Returns the nurseries that one member has open.
    pub(super) fn nested_of(&self, record: RecordRef<'_>) -> Vec<Weak<Group>> {
        let opener = self.members.member(record).map_or(OpenedBy::None, OpenedBy::Task);
        self.nested.of(opener).cloned().collect()
    }

    /// Returns `true` if a nursery that the opener opened still has members: then a mere cancel does
    /// not drop the opener, because joining is never cut short.
    pub(crate) fn holds(&self, opener: OpenedBy) -> bool {
        // Relaxed: the thread that turns it off takes this lock afterwards and wakes the opener.
        self.nested.of(opener).any(|group| group.occupied.load(Ordering::Relaxed))
    }

    /// Wakes the opener of a nested nursery, which may wait, though cancelled, for nothing but that
    /// nursery. The caller sees that a carrier comes.
    pub(super) fn wake_opener(&mut self, opener: OpenedBy) -> Option<Foreign<Waker>> {
        match opener {
            OpenedBy::Task(member) => self.members.wake_cancelled(member),
            OpenedBy::Body => self.run_waker.take(),
            OpenedBy::None => None,
        }
    }

    /// Returns `true` if it is blocking work that has begun.
    pub(crate) fn blocks(&self, number: u64) -> bool {
        self.jobs.has_begun_any() && self.jobs.has_begun(number)
    }

    // ---- the end

    /// Returns `true` if nothing is left but blocking work, and tasks that hold their threads,
    /// which were given up. The stack of the woken is empty.
    pub(super) fn is_stuck(&self) -> bool {
        let waits = self.members.count() > 0 && self.members.queued() == 0;
        let given_up = self.jobs.are_given_up() && waits && self.nested.is_empty();
        given_up && self.members.all(|header| self.holds_its_thread(header))
    }

    /// Returns `true` if a member that is not queued is in a poll, or an end, that was given up, or
    /// is blocking work that has begun.
    fn holds_its_thread(&self, header: &Header) -> bool {
        let polled = header.doing() == Doing::Polled && self.patience.is_over(header);
        polled || self.jobs.has_begun(header.number())
    }

    /// Looks for members that hold their threads. With `over`, those that did at the look before,
    /// too, are given up.
    pub(super) fn look_at_threads(&mut self, over: bool) {
        self.patience.look(|f| self.members.each_polled(f));
        if over {
            self.jobs.give_up();
        }
    }

    /// Takes what is left: the group has closed.
    pub(super) fn gone(&mut self) -> Gone {
        let mut report = self.report.take();
        let inherited = report.take_inherited();
        let tokens = self.cancel.tokens_mut().take();
        (inherited, (report, tokens, mem::take(&mut self.logs)))
    }

    /// The group goes: asserts that it has no members.
    pub(super) fn assert_left(&self) {
        assert!(self.is_vacant(), "a group goes with members in it");
        assert!(self.own.is_none(), "a group goes that keeps itself");
    }
}
