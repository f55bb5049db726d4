//! What a nursery's one lock guards: its members, the nurseries opened inside it, and what is to
//! be reported.
//!
//! Members stand in one of three doubly linked lists that run through their records, so that
//! admission, departure and every move cost the same however many siblings there are:
//!
//! | list  | who                                                                 |
//! |-------|---------------------------------------------------------------------|
//! | QUEUE | admitted, and waiting for a carrier, oldest first                   |
//! | LIVE  | taken by a carrier                                                  |
//! | TOLD  | told of the nursery's cancel or abort; nothing more to do for them  |
//!
//! # Invariants
//!
//! 1. A record stands in exactly one list of exactly one registry from its admission until its
//!    `Claimed` is unlinked, and its LINKED flag is set all that time. So a pointer found in a list
//!    is good while the lock is held.
//! 2. `count` is the number of records in the three lists.
//! 3. The carriers: `active` are launched and not bound to a child that waits; `free` of them are
//!    scheduled and carry nobody; `spare` is one more that is scheduled, beyond `active`. QUEUE not
//!    empty implies `active > 0`. What the numbers are for is told in `carrier.rs`.
//! 4. Tokens that are passed in belong to records of this registry.
//! 5. `nested` holds each nursery that was opened inside this one and is not closed; its chain
//!    starts at the task that opened it (`Links::nested`), or at `body_nested`. A task that leaves
//!    lets go of its chain.

#![allow(unsafe_code)]

use super::Group;
use super::report::Report;
use crate::child::TaskState;
use crate::reason::Reason;
use crate::record::state::State;
use crate::record::{Carried, Claimed, Dead, Fresh, Handle, Header, Ptr};
use crate::sync::{Arc, Ordering};
use slab::Slab;
use std::collections::BTreeMap;
use std::task::Waker;

const QUEUE: u8 = 0;
const LIVE: u8 = 1;
const TOLD: u8 = 2;

#[derive(Default, Clone, Copy)]
struct List {
    head: Option<Ptr>,
    tail: Option<Ptr>,
}

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

/// Who opened a nested nursery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Task(Ptr),
    Body,
    /// A task that has left since.
    Nobody,
}

pub(crate) struct Nested {
    pub(crate) group: Arc<Group>,
    owner: Owner,
    next: Option<u32>,
}

pub(crate) struct Registry {
    lists: [List; 3],
    count: usize,
    queued: usize,
    last_number: u64,
    active: usize,
    free: usize,
    spare: bool,
    pub(crate) phase: Phase,
    pub(crate) reason: Option<Reason>,
    /// Reasons of tasks that were cancelled on their own.
    pub(crate) own_reasons: BTreeMap<u64, Reason>,
    pub(crate) run_waker: Option<Waker>,
    pub(crate) report: Report,
    pub(crate) parent: Option<(Arc<Group>, u32)>,
    nested: Slab<Nested>,
    body_nested: Option<u32>,
}

/// What telling a task of a cancel leaves to do.
pub(crate) enum Told {
    /// It was never polled, and is to be destroyed.
    Unpolled(Claimed),
    /// It waits, and is to be woken for its last poll.
    Wake(Waker),
    /// It is being polled, or destroyed, and will see for itself.
    Busy,
}

impl Registry {
    pub(crate) fn new(keep: usize, parent: Option<Arc<Group>>) -> Registry {
        Registry {
            lists: [List::default(); 3],
            count: 0,
            queued: 0,
            last_number: 0,
            active: 0,
            free: 0,
            spare: false,
            phase: Phase::Body,
            reason: None,
            own_reasons: BTreeMap::new(),
            run_waker: None,
            report: Report::new(keep),
            parent: parent.map(|parent| (parent, 0)),
            nested: Slab::new(),
            body_nested: None,
        }
    }

    /// Returns the number of members.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Tells whether nobody is left: no member, and no nursery opened inside.
    pub(crate) fn is_vacant(&self) -> bool {
        self.count == 0 && self.nested.is_empty()
    }

    /// Tells whether somebody waits for a carrier.
    pub(crate) fn has_queue(&self) -> bool {
        self.queued > 0
    }

    /// Admits a record to the end of the queue and returns its number.
    pub(crate) fn admit(&mut self, fresh: Fresh) -> u64 {
        let ptr = fresh.into_ptr();
        self.enter(ptr, QUEUE)
    }

    /// Admits a record with a carrier of its own.
    pub(crate) fn admit_carried(&mut self, fresh: Fresh) -> (u64, Carried) {
        let ptr = fresh.into_ptr();
        let number = self.enter(ptr, LIVE);
        // SAFETY: the lock is held (`&mut self`), and the record is new.
        let (claimed, carried) = unsafe { ptr.take() };
        claimed.unclaim();
        (number, carried)
    }

    fn enter(&mut self, ptr: Ptr, list: u8) -> u64 {
        self.last_number += 1;
        self.count += 1;
        let number = self.last_number;
        // SAFETY: the record is new, so it is there.
        unsafe { ptr.header() }.set_number(number);
        self.push(ptr, list);
        number
    }

    /// Takes the longest waiting record for a carrier.
    pub(crate) fn take(&mut self) -> Option<(Claimed, Carried)> {
        let ptr = self.pop(QUEUE)?;
        self.push(ptr, LIVE);
        // SAFETY: the lock is held, and the record waited in the queue.
        Some(unsafe { ptr.take() })
    }

    /// Takes a record off its list: it leaves.
    pub(crate) fn unlink(&mut self, claimed: &Claimed) {
        let ptr = claimed.ptr();
        self.remove(ptr);
        self.count -= 1;
        if !self.own_reasons.is_empty() {
            self.own_reasons.remove(&claimed.header().number());
        }
        // SAFETY: the claim is held, and so is the lock.
        let mut key = unsafe { ptr.links(|links| links.nested.take()) };
        while let Some(now) = key {
            let nested = &mut self.nested[now as usize];
            nested.owner = Owner::Nobody;
            key = nested.next.take();
        }
    }

    /// Gives up the claim and membership; the memory is freed by dropping the result.
    pub(crate) fn release(&mut self, claimed: Claimed, carried: Option<Carried>) -> Option<Dead> {
        // SAFETY: the lock is held; `finish`, the only caller, unlinked and published first.
        unsafe { claimed.release(carried) }
    }

    /// Claims the next record that no carrier has taken, and moves it to TOLD.
    pub(crate) fn claim_queued(&mut self) -> Option<Claimed> {
        let ptr = self.pop(QUEUE)?;
        self.push(ptr, TOLD);
        // SAFETY: it stands in a list and the lock is held. Nobody can have claimed it: a record
        // of the queue is reached through this lock only.
        let claimed = unsafe { ptr.claim() };
        debug_assert!(claimed.is_some());
        claimed
    }

    /// Tells the next live record of the nursery's cancel, and moves it to TOLD.
    pub(crate) fn tell_next(&mut self) -> Option<Told> {
        let ptr = self.pop(LIVE)?;
        self.push(ptr, TOLD);
        Some(self.tell(ptr))
    }

    /// Orders the destruction of the next live record, and moves it to TOLD. Gives the claim
    /// unless somebody else has it, who will then see to it.
    pub(crate) fn abort_next(&mut self) -> Option<Option<Claimed>> {
        let ptr = self.pop(LIVE)?;
        self.push(ptr, TOLD);
        Some(self.abort(ptr))
    }

    /// Puts everybody who was told of the cancel back among the live, for an abort.
    pub(crate) fn untell(&mut self) {
        while let Some(ptr) = self.pop(TOLD) {
            self.push(ptr, LIVE);
        }
    }

    /// Tells one task, by its handle, of its own cancel. None if it has left.
    pub(crate) fn tell_one<T, E>(&mut self, handle: &Handle<T, E>, reason: Reason) -> Option<Told> {
        let ptr = self.member(handle)?;
        self.keep_reason(ptr, reason);
        Some(self.tell(ptr))
    }

    /// Orders the destruction of one task, by its handle. None if it has left.
    pub(crate) fn abort_one<T, E>(
        &mut self,
        handle: &Handle<T, E>,
        reason: Reason,
    ) -> Option<Option<Claimed>> {
        let ptr = self.member(handle)?;
        self.keep_reason(ptr, reason);
        Some(self.abort(ptr))
    }

    fn tell(&mut self, ptr: Ptr) -> Told {
        // SAFETY: the record stands in a list and the lock is held.
        let header = unsafe { ptr.header() };
        if self.list(ptr) == QUEUE {
            self.remove(ptr);
            self.push(ptr, TOLD);
        }
        header.state().set_cancel();
        // SAFETY: as above.
        let Some(mut claimed) = (unsafe { ptr.claim() }) else { return Told::Busy };
        if header.polls() == 0 {
            return Told::Unpolled(claimed);
        }
        let waker = self.take_waker(&mut claimed);
        claimed.unclaim();
        waker.map_or(Told::Busy, Told::Wake)
    }

    fn abort(&mut self, ptr: Ptr) -> Option<Claimed> {
        if self.list(ptr) == QUEUE {
            self.remove(ptr);
            self.push(ptr, TOLD);
        }
        // SAFETY: the record stands in a list and the lock is held.
        unsafe { ptr.header() }.state().set_abort();
        // SAFETY: as above.
        unsafe { ptr.claim() }
    }

    fn keep_reason(&mut self, ptr: Ptr, reason: Reason) {
        if self.reason.is_none() {
            let number = self.number(ptr);
            self.own_reasons.entry(number).or_insert(reason);
        }
    }

    // ---- carriers

    /// Counts one more free carrier, up to the runtime's width, if more children wait than
    /// carriers are free; the caller launches it, with no lock held.
    pub(crate) fn want_free(&mut self, width: usize) -> bool {
        let want = self.queued > self.free && self.active < width;
        if want {
            self.active += 1;
            self.free += 1;
        }
        want
    }

    /// Counts a spare carrier if children wait and no carrier is scheduled; the caller launches
    /// it, with no lock held.
    pub(crate) fn want_spare(&mut self) -> bool {
        let want = self.queued > 0 && self.free == 0 && !self.spare;
        self.spare |= want;
        want
    }

    /// A free carrier, or the spare one, is polled: it is active, and no longer scheduled.
    pub(crate) fn arrive(&mut self, spare: bool) {
        if spare {
            self.spare = false;
            self.active += 1;
        } else {
            self.free -= 1;
        }
    }

    /// A carrier that was bound has lost its child: it is active again.
    pub(crate) fn unbind(&mut self) {
        self.active += 1;
    }

    /// An active carrier ends, or binds itself to a child that waits.
    pub(crate) fn retire(&mut self) {
        self.active -= 1;
    }

    /// An active carrier gives the runtime a turn, and is scheduled again.
    pub(crate) fn yields(&mut self) {
        self.free += 1;
    }

    /// Tells whether somebody waits, and no carrier is left to come.
    pub(crate) fn is_stranded(&self) -> bool {
        self.queued > 0 && self.active == 0 && !self.spare
    }

    // ---- reasons

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

    /// Wakes a task that waits although it was cancelled, because of a nursery inside it.
    pub(crate) fn poke(&mut self, ptr: Ptr) -> Option<Waker> {
        // SAFETY: the caller found it as the owner of a nested nursery, so it has not left.
        let header = unsafe { ptr.header() };
        if !header.state().is_cancelled() {
            return None;
        }
        // SAFETY: as above.
        let mut claimed = unsafe { ptr.claim() }?;
        let waker = self.take_waker(&mut claimed);
        claimed.unclaim();
        waker
    }

    /// Takes the carrier's waker.
    pub(crate) fn take_waker(&mut self, claimed: &mut Claimed) -> Option<Waker> {
        // SAFETY: the lock is held.
        unsafe { claimed.take_waker() }
    }

    /// Takes the joiner's waker.
    pub(crate) fn take_joiner(&mut self, claimed: &mut Claimed) -> Option<Waker> {
        // SAFETY: the lock is held.
        unsafe { claimed.take_joiner() }
    }

    /// Keeps the joiner's waker, unless the outcome is there; returns one to drop.
    pub(crate) fn set_joiner<T, E>(
        &mut self,
        handle: &mut Handle<T, E>,
        waker: Waker,
    ) -> Result<Option<Waker>, Waker> {
        if handle.header().state().is_done() {
            return Err(waker);
        }
        // SAFETY: the lock is held.
        Ok(unsafe { handle.set_joiner(waker) })
    }

    /// Leaves a carrier's waker for whoever has the claim, and returns one to drop.
    pub(crate) fn leave_waker(&mut self, carried: &Carried, waker: Waker) -> Option<Waker> {
        // SAFETY: the lock is held, and the caller found the claim taken.
        unsafe { carried.leave_waker(waker) }
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
            Some(ptr) => doing(handle.header().state(), self.list(ptr) == QUEUE),
            None => TaskState::Ended,
        }
    }

    /// Tells whether the nursery's own future was dropped.
    pub(crate) fn is_adopted(&self) -> bool {
        self.phase == Phase::Dropped
    }

    /// Calls `f` for each member, and tells it whether the member is still in the queue.
    pub(crate) fn each(&self, mut f: impl FnMut(&Header, bool)) {
        for list in [LIVE, TOLD, QUEUE] {
            let mut at = self.lists[usize::from(list)].head;
            while let Some(ptr) = at {
                // SAFETY: the record stands in a list and the lock is held.
                let header = unsafe { ptr.header() };
                f(header, list == QUEUE);
                // SAFETY: as above.
                at = unsafe { ptr.links(|links| links.next) };
            }
        }
    }

    // ---- nurseries opened inside

    /// Notes a nursery that the owner opened.
    pub(crate) fn nest(&mut self, group: Arc<Group>, owner: Owner) -> u32 {
        let head = self.chain(owner);
        let key = self.nested.insert(Nested { group, owner, next: head });
        let key = u32::try_from(key).expect("fewer than 2^32 nurseries are open in one nursery");
        self.set_chain(owner, Some(key));
        key
    }

    /// Forgets a nursery that has closed. Returns who had opened it.
    pub(crate) fn unnest(&mut self, key: u32) -> (Nested, Owner) {
        let nested = self.nested.remove(key as usize);
        let owner = nested.owner;
        let head = self.chain(owner);
        if head == Some(key) {
            self.set_chain(owner, nested.next);
        } else {
            let mut at = head;
            while let Some(now) = at {
                let next = self.nested[now as usize].next;
                if next == Some(key) {
                    self.nested[now as usize].next = nested.next;
                    break;
                }
                at = next;
            }
        }
        (nested, owner)
    }

    /// Returns who opened a nested nursery.
    pub(crate) fn owner(&self, key: u32) -> Owner {
        self.nested.get(key as usize).map_or(Owner::Nobody, |nested| nested.owner)
    }

    /// Returns the open nurseries inside this one, with the number of the task that opened each.
    pub(crate) fn each_nested(&self, mut f: impl FnMut(&Arc<Group>, Option<u64>)) {
        for (_, nested) in &self.nested {
            let opener = match nested.owner {
                Owner::Task(ptr) => Some(self.number(ptr)),
                Owner::Body | Owner::Nobody => None,
            };
            f(&nested.group, opener);
        }
    }

    /// Returns the nurseries that one member has open.
    pub(crate) fn nested_of<T, E>(&self, handle: &Handle<T, E>) -> Vec<Arc<Group>> {
        let mut groups = Vec::new();
        if let Some(ptr) = self.member(handle) {
            self.walk(Owner::Task(ptr), |group| {
                groups.push(group.clone());
                true
            });
        }
        groups
    }

    /// Tells whether a nursery that the owner opened still has somebody in it: then the owner may
    /// not be dropped for a mere cancel, because joining is never cut short.
    pub(crate) fn holds(&self, owner: Owner) -> bool {
        let mut held = false;
        self.walk(owner, |group| {
            // Relaxed: whoever turns it off takes this lock afterwards and wakes the owner.
            held |= group.occupied.load(Ordering::Relaxed);
            !held
        });
        held
    }

    fn walk(&self, owner: Owner, mut f: impl FnMut(&Arc<Group>) -> bool) {
        let mut at = self.chain(owner);
        while let Some(key) = at {
            let nested = &self.nested[key as usize];
            if !f(&nested.group) {
                return;
            }
            at = nested.next;
        }
    }

    fn chain(&self, owner: Owner) -> Option<u32> {
        match owner {
            // SAFETY: an owner that has left was replaced by `Nobody`, so the record is there.
            Owner::Task(ptr) => unsafe { ptr.links(|links| links.nested) },
            Owner::Body => self.body_nested,
            Owner::Nobody => None,
        }
    }

    fn set_chain(&mut self, owner: Owner, head: Option<u32>) {
        match owner {
            // SAFETY: as in `chain`.
            Owner::Task(ptr) => unsafe { ptr.links(|links| links.nested = head) },
            Owner::Body => self.body_nested = head,
            Owner::Nobody => {}
        }
    }

    // ---- the lists

    fn list(&self, ptr: Ptr) -> u8 {
        // SAFETY: the record stands in a list and the lock is held.
        unsafe { ptr.links(|links| links.list) }
    }

    fn push(&mut self, ptr: Ptr, list: u8) {
        self.queued += usize::from(list == QUEUE);
        let ends = &mut self.lists[usize::from(list)];
        let tail = ends.tail.replace(ptr);
        match tail {
            // SAFETY: the tail stands in the list and the lock is held.
            Some(tail) => unsafe { tail.links(|links| links.next = Some(ptr)) },
            None => ends.head = Some(ptr),
        }
        let set = |links: &mut crate::record::Links| {
            links.prev = tail;
            links.next = None;
            links.list = list;
        };
        // SAFETY: the record is a member, or about to be, and the lock is held.
        unsafe { ptr.links(set) };
    }

    fn pop(&mut self, list: u8) -> Option<Ptr> {
        let head = self.lists[usize::from(list)].head?;
        self.remove(head);
        Some(head)
    }

    fn remove(&mut self, ptr: Ptr) {
        // SAFETY: the record stands in a list and the lock is held.
        let (prev, next, list) = unsafe { ptr.links(|links| (links.prev, links.next, links.list)) };
        self.queued -= usize::from(list == QUEUE);
        let ends = &mut self.lists[usize::from(list)];
        match prev {
            // SAFETY: a neighbour stands in the same list.
            Some(prev) => unsafe { prev.links(|links| links.next = next) },
            None => ends.head = next,
        }
        match next {
            // SAFETY: a neighbour stands in the same list.
            Some(next) => unsafe { next.links(|links| links.prev = prev) },
            None => ends.tail = prev,
        }
    }
}

/// What a member is doing, as its state word tells.
pub(crate) fn doing(state: &State, queued: bool) -> TaskState {
    if queued {
        TaskState::Queued
    } else if state.is_claimed() {
        TaskState::Running
    } else {
        TaskState::Waiting
    }
}
