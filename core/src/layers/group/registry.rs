//! What a nursery's one lock guards: its members, the nurseries opened inside it, and what is to
//! be reported.
//!
//! Members stand in one of four doubly linked lists that run through their records, so that
//! admission, departure and every move cost the same however many siblings there are:
//!
//! | list  | who                                                                       |
//! |-------|---------------------------------------------------------------------------|
//! | QUEUE | admitted, and waiting for their first poll, oldest first                  |
//! | WOKEN | woken, and waiting for another poll by a carrier, oldest first            |
//! | LIVE  | polled just now, or waiting to be woken, or with a carrier of their own   |
//! | TOLD  | the same, and told of a cancel or abort: nothing more to do for them      |
//!
//! # Invariants
//!
//! 1. A record stands in exactly one list of exactly one registry from its admission until its
//!    `Claimed` is unlinked, and its LINKED flag is set all that time. So a pointer found in a list
//!    is good while the lock is held.
//! 2. `count` is the number of records in the four lists, `queued` that of QUEUE and WOKEN; the
//!    claim of those is the registry's. `bound` members have CARRIED set.
//! 3. The carriers: `active` are launched and neither bound nor parked; `free` of them are
//!    scheduled and carry nobody; `spare` is one more that is scheduled, beyond `active`; `parked`
//!    is one that waits to be called. `count > bound` implies that one of them is there. What the
//!    numbers are for is told in `carrier.rs`.
//! 4. Tokens that are passed in belong to records of this registry, and so do the pointers in
//!    `shields` and in the clock's graces: `unlink` takes a record out of these.
//! 5. `nested` holds each nursery that was opened inside this one and is not closed; its chain
//!    starts at `task_nested`, by the number of the task that opened it, or at `body_nested`. A task
//!    that leaves lets go of its chain.
//! 6. `own` is invariant 2 of the group.
//! 7. What is the user's stands in it as a [`Foreign`], and leaves it before it is dropped.

#![allow(unsafe_code)]

pub(super) mod bell;
mod carriers;
pub(super) mod clock;
pub(crate) mod deferred;
pub(crate) mod failures;
mod graces;
mod home;
mod jobs;
mod lists;
mod nested;
pub(super) mod patience;
pub(super) mod shields;
mod slot_waiters;
pub(crate) mod stragglers;
mod tell;
pub(super) mod tokens;
mod wakers;

use super::Group;
use crate::layers::base::counted::{Strong, Weak};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::record::{Carried, Claimed, Dealloc, Handle, Header, Ptr, Stack, Unadmitted};
use carriers::Parked;
use clock::Clock;
use deferred::Finale;
use failures::Report;
use home::Home;
use jobs::Jobs;
use lists::{LIVE, List, QUEUE, TOLD, WOKEN};
use nested::Nested;
use patience::Patience;
use shields::Shields;
use slab::Slab;
use slot_waiters::Reserves;
use std::collections::BTreeMap;
use std::task::Waker;
use stragglers::Rolls;
use tokens::Tokens;

pub(crate) use carriers::{Launch, Role};
pub(crate) use nested::Owner;
pub(crate) use tell::{GraceEnd, Pass, Told};

/// Where a nursery's future stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Its body runs.
    Body,
    /// The body is gone; it waits for its members.
    Joining,
    /// It was dropped; whoever is left is the ancestors'.
    Dropped,
    /// Nobody is left and nobody is taken.
    Closed,
}

pub(crate) struct Registry {
    lists: [List; 4],
    count: usize,
    queued: usize,
    bound: usize,
    /// How often a record was put in WOKEN; wraps.
    requeued: usize,
    woken_next: bool,
    last_number: u64,
    active: usize,
    free: usize,
    spare: bool,
    parked: Option<Parked>,
    /// A moment of the clock has come.
    pub(crate) due: bool,
    pub(crate) phase: Phase,
    pub(crate) reason: Option<Reason>,
    /// Reasons of tasks that were cancelled on their own.
    pub(crate) own_reasons: BTreeMap<u64, Reason>,
    pub(crate) run_waker: Option<Foreign<Waker>>,
    pub(crate) report: Report,
    pub(crate) parent: Option<(Weak<Group>, u32)>,
    /// The group itself, while it is occupied.
    pub(super) own: Option<Strong<Group>>,
    /// Its place among the strays, if it is one.
    pub(super) stray: Option<usize>,
    pub(crate) tokens: Tokens,
    pub(crate) clock: Clock,
    /// How many shields are up, by the tasks' numbers.
    pub(super) shields: BTreeMap<u64, Shields>,
    /// Of those who wait for the group to be home.
    pub(super) home: Home,
    /// Who is told when somebody leaves late, and whether somebody has.
    pub(super) rolls: Rolls,
    pub(super) struck: bool,
    pub(super) finale: Finale,
    pub(super) jobs: Jobs,
    pub(super) patience: Patience,
    pub(super) reserves: Reserves,
    nested: Slab<Nested>,
    task_nested: BTreeMap<u64, u32>,
    body_nested: Option<u32>,
}

impl Registry {
    pub(crate) fn new(keep: usize) -> Registry {
        Registry {
            lists: [List::default(); 4],
            count: 0,
            queued: 0,
            bound: 0,
            requeued: 0,
            woken_next: false,
            last_number: 0,
            active: 0,
            free: 0,
            spare: false,
            parked: None,
            due: false,
            phase: Phase::Body,
            reason: None,
            own_reasons: BTreeMap::new(),
            run_waker: None,
            report: Report::new(keep),
            parent: None,
            own: None,
            stray: None,
            tokens: Tokens::default(),
            clock: Clock::default(),
            shields: BTreeMap::new(),
            home: Home::default(),
            rolls: Rolls::new(),
            struck: false,
            finale: Finale::default(),
            jobs: Jobs::default(),
            patience: Patience::default(),
            reserves: Reserves::default(),
            nested: Slab::new(),
            task_nested: BTreeMap::new(),
            body_nested: None,
        }
    }

    /// Returns the group that this one is nested in.
    pub(crate) fn parent(&self) -> Option<Weak<Group>> {
        self.parent.as_ref().map(|(parent, _)| parent.clone())
    }

    /// Returns the number of members.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Tells whether nobody is left: no member, and no nursery opened inside.
    pub(crate) fn is_vacant(&self) -> bool {
        self.count == 0 && self.nested.is_empty()
    }

    /// Returns `true` if nothing is left but blocking work, and tasks that hold their threads, which
    /// were given up. The stack of the woken is empty: their claims look like those of a poll.
    pub(crate) fn is_stuck(&self) -> bool {
        let given_up = self.jobs.given_up && self.count > 0 && self.nested.is_empty();
        given_up && self.queued == 0 && self.all(|header| self.holds_its_thread(header))
    }

    /// Returns `true` if a member that is not queued is in a poll, or an end, that was given up, or is
    /// blocking work that has begun.
    fn holds_its_thread(&self, header: &Header) -> bool {
        let polled = header.state().is_claimed() && self.patience.is_over(header);
        polled || self.jobs.has_begun(header.number())
    }

    /// Admits a record to the end of the queue and returns its number.
    pub(crate) fn admit(&mut self, woken: &Stack, fresh: Unadmitted) -> u64 {
        let (number, claimed) = self.enter(woken, fresh, QUEUE);
        // SAFETY: the lock is held (`&mut self`), and the record stands in the queue.
        unsafe { claimed.queue() };
        number
    }

    /// Admits the record of the finalizers: a cancel and an abort leave it alone.
    pub(crate) fn admit_shielded(&mut self, woken: &Stack, fresh: Unadmitted) -> u64 {
        let (number, claimed) = self.enter(woken, fresh, WOKEN);
        self.shield(claimed.ptr(), claimed.header());
        // SAFETY: the lock is held (`&mut self`), and the record stands in the queue.
        unsafe { claimed.queue() };
        number
    }

    /// Gives a record a shield of its own, which stays when those that it puts up itself are down
    /// again.
    pub(super) fn shield(&mut self, ptr: Ptr, header: &Header) {
        header.state().raise_shield();
        self.shields.insert(header.number(), Shields::one(Some(ptr)));
    }

    /// Admits a record with a carrier of its own.
    pub(crate) fn admit_carried(&mut self, woken: &Stack, fresh: Unadmitted) -> (u64, Carried) {
        let (number, mut claimed) = self.enter(woken, fresh, LIVE);
        let carried = self.bind(&mut claimed);
        claimed.unclaim();
        (number, carried)
    }

    fn enter(&mut self, woken: &Stack, fresh: Unadmitted, list: u8) -> (u64, Claimed) {
        self.last_number += 1;
        self.count += 1;
        let number = self.last_number;
        let ptr = fresh.into_ptr();
        // SAFETY: a record is born claimed, and its first holder gave it in.
        let mut claimed = unsafe { ptr.claimed() };
        // SAFETY: the stack is that of the group which this registry belongs to.
        unsafe { claimed.set_stack(woken) };
        claimed.header().set_number(number);
        self.push(ptr, list);
        (number, claimed)
    }

    /// Takes the longest waiting record for a carrier: by turns one that was woken and one that
    /// was never polled. It is told of the nursery's level.
    pub(crate) fn take(&mut self, level: Level, woken: &Stack) -> Option<Claimed> {
        if self.head(WOKEN).is_none() {
            self.queue_woken(woken);
        }
        self.woken_next = !self.woken_next;
        let ptr = if self.woken_next {
            self.pop(WOKEN).or_else(|| self.pop(QUEUE))
        } else {
            self.pop(QUEUE).or_else(|| self.pop(WOKEN))
        }?;
        // SAFETY: the lock is held, and the claim of a queued record is the registry's.
        let claimed = unsafe { ptr.claimed() };
        let state = claimed.header().state();
        if level >= Level::Cancelled {
            // The sweep may not have come to it yet.
            let _ours = state.order(level == Level::Aborted);
        }
        self.push(ptr, if state.is_cancelled() { TOLD } else { LIVE });
        Some(claimed)
    }

    /// Queues those who were woken since the last time.
    pub(crate) fn queue_woken(&mut self, woken: &Stack) {
        for claimed in woken.take_all() {
            self.requeue(claimed);
        }
    }

    /// Puts a record that has to be polled again at the end of the queue of those.
    pub(crate) fn requeue(&mut self, claimed: Claimed) {
        let ptr = claimed.ptr();
        self.remove(ptr);
        self.push(ptr, WOKEN);
        self.requeued = self.requeued.wrapping_add(1);
        // SAFETY: the lock is held, and the record stands in the queue.
        unsafe { claimed.queue() };
    }

    /// Binds a carrier to a record.
    pub(crate) fn bind(&mut self, claimed: &mut Claimed) -> Carried {
        self.bound += 1;
        // SAFETY: the lock is held, and the caller saw to it that it is not bound.
        unsafe { claimed.bind() }
    }

    /// A carrier lets go of a record that another thread is ending. The memory is freed, if it is
    /// time, by dropping the result.
    pub(crate) fn drop_bound(&mut self, carried: Carried) -> Option<Dealloc> {
        // The thread that ends it counts it out, if it is still bound then.
        self.bound -= usize::from(carried.header().state().is_linked());
        carried.release()
    }

    /// Takes a record off its list: it leaves.
    pub(crate) fn unlink(&mut self, claimed: &Claimed) {
        let ptr = claimed.ptr();
        self.remove(ptr);
        self.count -= 1;
        self.bound -= usize::from(claimed.header().state().is_carried());
        self.jobs.forget(claimed.header().number());
        if !self.shields.is_empty() {
            self.shields.remove(&claimed.header().number());
        }
        if !self.own_reasons.is_empty() {
            self.own_reasons.remove(&claimed.header().number());
        }
        self.clock.forget(claimed.header().number());
        if !self.task_nested.is_empty() {
            self.orphan(claimed.header().number());
        }
    }

    /// Gives up the claim and membership; the memory is freed by dropping the result.
    pub(crate) fn release(
        &mut self,
        claimed: Claimed,
        carried: Option<Carried>,
    ) -> Option<Dealloc> {
        // SAFETY: the lock is held; `finish`, the only caller, unlinked and published first.
        unsafe { claimed.release(carried) }
    }

    /// Returns why a nursery that the owner opens now is cancelled from its start, if it is.
    pub(crate) fn reason_for(&self, owner: Owner) -> Option<Reason> {
        let own = match owner {
            Owner::Task(ptr) => self.own_reasons.get(&self.number(ptr)),
            Owner::Body | Owner::Nobody => None,
        };
        own.or(self.reason.as_ref()).cloned()
    }

    /// Returns why a member was cancelled: its own reason if it had one first.
    pub(crate) fn reason_of(&self, claimed: &Claimed) -> Option<Reason> {
        self.own_reasons.get(&claimed.header().number()).or(self.reason.as_ref()).cloned()
    }

    /// As [`reason_of`](Registry::reason_of), by the member's number.
    pub(crate) fn reason_of_number(&self, number: u64) -> Option<Reason> {
        self.own_reasons.get(&number).or(self.reason.as_ref()).cloned()
    }

    fn number(&self, ptr: Ptr) -> u64 {
        // SAFETY: the caller found it in a list or a chain, and the lock is held.
        unsafe { ptr.header() }.number()
    }

    fn member<T, E>(&self, handle: &Handle<T, E>) -> Option<Ptr> {
        handle.header().state().is_linked().then_some(handle.ptr())
    }

    /// Returns what a member is doing, by its handle.
    pub(crate) fn state_of<T, E>(&self, handle: &Handle<T, E>) -> TaskState {
        match self.member(handle) {
            Some(_) => doing(handle.header()),
            None => TaskState::Ended,
        }
    }

    /// The group goes: says that nobody is left in it.
    pub(super) fn assert_left(&self) {
        assert!(self.count == 0 && self.nested.is_empty(), "a group goes with members in it");
        assert!(self.own.is_none(), "a group goes that keeps itself");
    }

    /// Tells whether the nursery's own future was dropped.
    pub(crate) fn is_adopted(&self) -> bool {
        self.phase == Phase::Dropped
    }
}

/// What a member is doing, as its state word and the count of its polls tell.
pub(crate) fn doing(header: &Header) -> TaskState {
    let queued = matches!(header.list(), QUEUE | WOKEN);
    if header.state().is_claimed() && !queued {
        TaskState::Running
    } else if header.polls() == 0 {
        TaskState::Queued
    } else {
        TaskState::Waiting
    }
}
