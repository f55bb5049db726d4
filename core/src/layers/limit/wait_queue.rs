//! The wait queue of a limit, first come, first served. There is one for every limit.
//!
//! A wait queue is guarded by the lock of the limit that it belongs to. It knows the waiters, how
//! much each asks for and how to wake it; whether permits are there to be given is the limit's
//! business. Waiting costs no allocation: a [`Waiter`] lives in the future that waits, and is
//! pointed to.
//!
//! A waiter that takes back what it had lent stands in front of all others, in the order of arrival
//! among its kind; but no waiter is overtaken by them more than [`OVERTAKEN_MOST`] times.
//!
//! A wait queue by keys has one queue for each key, and the first in `waiting` is then the first of
//! the key whose turn it is.
//!
//! | the waiter is | `decision` | `told` | stands in                 | leaves by             |
//! |---------------|------------|--------|---------------------------|-----------------------|
//! | new           | -          | false  | nothing                   | `join`                |
//! | waiting       | none       | false  | `waiting`, or `returning` | a decision, or `part` |
//! | doomed        | too many   | false  | `doomed`                  | `tell`, or `part`     |
//! | told          | any        | true   | nothing                   | -                     |
//!
//! # Invariants
//!
//! 1. A waiter that stands in a wait queue is there, and does not move, until it is told or has
//!    parted.
//! 2. `links` and `entry` are touched only under the lock of the wait queue; or, once `told` is set
//!    or the waiter has parted, by its owner alone. The thread that tells touches nothing of the
//!    waiter after `told` is set: the owner needs no lock to go.
//! 3. `told` is set once, under the lock, when the waiter was taken out of the wait queue and has
//!    its decision. The waiter may be freed in that very moment: the thread that tells has a
//!    pointer to it and not a reference, which would promise more.
//! 4. `entry` is there from `join` on. A waiter that parts, or is told, has its waker taken out of
//!    it: nothing in it is left to be dropped.
//! 5. The owner and the wait queue share a waiter, so it is reached through shared references
//!    alone, the owner's as well as the wait queue's pointers, which are made from one; what
//!    changes is in cells.
//! 6. `overtaken` is no less than how often the first in `waiting` was overtaken. When it has
//!    reached its maximum, that waiter is the next, even if there are enough permits for a waiter
//!    in `returning` and not for it.

#![allow(unsafe_code)]

mod order;

use super::book::Booked;
use super::waiter::{Decision, Entry, Waiter};
use crate::layers::base::guarded::Foreign;
use crate::layers::base::intrusive::Queue;
use allhome_rt::Instant;
use order::Order;
use std::ptr::NonNull;
use std::task::Waker;

pub(super) struct WaitQueue {
    waiting: Order,
    returning: Queue<Waiter>,
    doomed: Queue<Waiter>,
    /// In `waiting` and `returning`.
    len: usize,
    /// How often the first in `waiting` was overtaken, at least.
    overtaken: usize,
}

/// How often a waiter may be overtaken by waiters that take back what they had lent: so it is not
/// starved by tasks that lend and take back all the time.
const OVERTAKEN_MOST: usize = 32;

// SAFETY: it is used by one thread at a time, under the lock; what it points to is guarded by that
// lock, too, and the wakers are Send.
unsafe impl Send for WaitQueue {}

impl WaitQueue {
    pub(super) const fn new() -> WaitQueue {
        let (returning, doomed) = (Queue::new(), Queue::new());
        WaitQueue { waiting: Order::new(), returning, doomed, len: 0, overtaken: 0 }
    }

    /// Gives each key a queue of its own. The waiters, if there are any, came without a key.
    pub(super) fn by_keys(&mut self) {
        self.waiting.by_keys();
    }

    /// Returns how many keys wait; at most one, if it is not a wait queue by keys.
    pub(super) fn keys(&self) -> usize {
        self.waiting.keys()
    }

    /// Returns the number of waiters.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns `true` if a request that comes now is the next to be served. If it `returns`, it has
    /// then overtaken the waiters in the wait queue.
    pub(super) fn lets_in(&mut self, returns: bool) -> bool {
        self.len == 0 || returns && self.returning.oldest().is_none() && self.overtake()
    }

    /// Notes that the first in `waiting` is overtaken, if that is allowed.
    fn overtake(&mut self) -> bool {
        let may = self.overtaken < OVERTAKEN_MOST;
        self.overtaken += usize::from(may);
        may
    }

    /// Returns the waiter that is served next.
    #[inline]
    fn next(&self) -> Option<NonNull<Waiter>> {
        let head = self.waiting.oldest();
        match self.returning.oldest() {
            None => head,
            Some(_) if self.overtaken >= OVERTAKEN_MOST && head.is_some() => head,
            returning => returning,
        }
    }

    /// Returns what the first in the wait queue asks for, and its row in the book.
    #[inline]
    pub(super) fn first(&self) -> Option<(usize, Booked)> {
        // SAFETY: a waiter in the wait queue is there (invariant 1).
        let first = unsafe { self.next()?.as_ref() };
        // SAFETY: the caller has `self`, and so holds the lock.
        let booked = unsafe { first.booked() };
        Some((first.asked(), booked))
    }

    /// Returns `true` if this waiter is the first in the wait queue.
    pub(super) fn is_first(&self, waiter: &Waiter) -> bool {
        self.next() == Some(NonNull::from(waiter))
    }

    /// Takes the waker of the first, so that it looks again without having been told.
    pub(super) fn nudge_first(&mut self) -> Option<Foreign<Waker>> {
        // SAFETY: a waiter in the wait queue is there (invariant 1).
        let first = unsafe { self.next()?.as_ref() };
        // SAFETY: it has joined, and the caller has `self`, and so holds the lock.
        unsafe { first.change_waker(None) }
    }

    /// Puts a waiter at the end of the wait queue, or at the end of its lane in a wait queue by
    /// keys.
    ///
    /// # Safety
    ///
    /// It is new, it stays where it is until it was told or has [parted](WaitQueue::part), and the
    /// caller holds the lock of the wait queue.
    #[inline]
    pub(super) unsafe fn join(
        &mut self,
        waiter: &Waiter,
        lane: u64,
        waker: Foreign<Waker>,
        booked: Booked,
    ) {
        // SAFETY: it stands in no wait queue yet: it is the caller's.
        unsafe { waiter.join(Entry { waker: Some(waker), decision: None, booked, lane }) };
        // SAFETY: the caller's promise.
        self.change(waiter, lane, |queue| unsafe { queue.push(NonNull::from(waiter)) });
        self.len += 1;
    }

    /// Takes out a waiter that leaves of its own accord, and returns its waker.
    ///
    /// # Safety
    ///
    /// It has joined this wait queue, was not told, and the caller holds the lock of the wait
    /// queue.
    pub(super) unsafe fn part(&mut self, waiter: &Waiter) -> Option<Foreign<Waker>> {
        // SAFETY: the caller's promise.
        let (is_doomed, lane) =
            unsafe { waiter.with(|entry| (entry.decision.is_some(), entry.lane)) };
        if is_doomed {
            // SAFETY: it stands in this queue (table), and the lock is held.
            unsafe { self.doomed.remove(NonNull::from(waiter)) };
        } else {
            // SAFETY: as above.
            self.change(waiter, lane, |queue| unsafe { queue.remove(NonNull::from(waiter)) });
            self.len -= 1;
            if self.waiting.oldest().is_none() {
                self.overtaken = 0;
            }
        }
        // SAFETY: as above.
        unsafe { waiter.change_waker(None) }
    }

    /// Calls `f` with the queue in which a waiter stands while it waits.
    #[inline]
    fn change<R>(
        &mut self,
        waiter: &Waiter,
        lane: u64,
        f: impl FnOnce(&mut Queue<Waiter>) -> R,
    ) -> R {
        if waiter.returns() { f(&mut self.returning) } else { self.waiting.change(lane, f) }
    }

    /// Tells the first in the wait queue, and returns its waker.
    #[inline]
    pub(super) fn tell_first(&mut self, decision: Decision) -> Option<Foreign<Waker>> {
        let first = self.next()?;
        // SAFETY: a waiter in the wait queue is there (invariant 1).
        if unsafe { first.as_ref() }.returns() {
            if self.waiting.oldest().is_some() {
                self.overtake();
            }
            // SAFETY: it stands in this queue, and the caller has `self`, and so holds the lock.
            unsafe { self.returning.remove(first) };
        } else {
            self.overtaken = 0;
            self.waiting.take_oldest();
        }
        self.len -= 1;
        // SAFETY: it stood in the wait queue, and the caller has `self`, and so holds the lock.
        unsafe { Waiter::tell(first, Some(decision)) }
    }

    /// Grants the first what it asks for, if that is plainly all there is to do: there is one queue,
    /// no waiter in it is doomed or takes back what it had lent, and nothing is left for the second.
    /// Returns how much the first asked for, and its waker.
    #[inline(always)]
    pub(super) fn grant_only(
        &mut self,
        free: usize,
        now: Option<Instant>,
    ) -> Option<(usize, Option<Foreign<Waker>>)> {
        if self.has_doomed() || self.returning.oldest().is_some() {
            return None;
        }
        let Order::Arrival(queue) = &mut self.waiting else { return None };
        let first = queue.oldest()?;
        // SAFETY: a waiter in the wait queue is there (invariant 1).
        let waiter = unsafe { first.as_ref() };
        let asked = waiter.asked();
        if asked > free || (asked < free && self.len > 1) {
            return None;
        }
        // SAFETY: the caller has `self`, and so holds the lock.
        unsafe { waiter.booked() }.grant(now);
        // SAFETY: it stands in this queue, and the caller has `self`, and so holds the lock.
        unsafe { queue.remove(first) };
        (self.overtaken, self.len) = (0, self.len - 1);
        // SAFETY: it stood in the wait queue, and the caller has `self`, and so holds the lock.
        Some((asked, unsafe { Waiter::tell(first, Some(Decision::Granted)) }))
    }

    /// Dooms every waiter that asks for more than `capacity`, unless it is patient: it waits no
    /// longer, and must be told.
    pub(super) fn doom(&mut self, capacity: usize) {
        let (doomed, len) = (&mut self.doomed, &mut self.len);
        let mut sort_out = |queue: &mut Queue<Waiter>| *len -= doom(queue, doomed, capacity);
        sort_out(&mut self.returning);
        self.waiting.change_all(sort_out);
    }

    /// Tells the first doomed waiter, and returns its waker and its row in the book.
    pub(super) fn tell_doomed(&mut self) -> Option<(Option<Foreign<Waker>>, Booked)> {
        let first = self.doomed.oldest()?;
        // SAFETY: it stands in this queue, and the caller has `self`, and so holds the lock.
        unsafe { self.doomed.remove(first) };
        // SAFETY: it was not told: it is there (invariant 1).
        let waiter = unsafe { first.as_ref() };
        // SAFETY: it stood in the wait queue, and the caller has `self`, and so holds the lock.
        let booked = unsafe { waiter.booked() };
        // SAFETY: as above.
        Some((unsafe { Waiter::tell(first, None) }, booked))
    }

    /// Returns `true` if a waiter is doomed and not told yet.
    pub(super) fn has_doomed(&self) -> bool {
        self.doomed.oldest().is_some()
    }
}

/// Moves every waiter that asks for more than `capacity`, and is not patient, from one queue of a wait queue to that of
/// the doomed, and returns their number. The caller has both exclusively, and so holds the lock.
fn doom(queue: &mut Queue<Waiter>, doomed: &mut Queue<Waiter>, capacity: usize) -> usize {
    let (mut next, mut count) = (queue.oldest(), 0);
    while let Some(item) = next {
        // SAFETY: it stands in the queue, and the lock is held.
        next = unsafe { Queue::newer(item) };
        // SAFETY: a waiter in the wait queue is there (invariant 1).
        let waiter = unsafe { item.as_ref() };
        if waiter.asked() > capacity && !waiter.is_patient() {
            let decision = Decision::TooMany { capacity };
            // SAFETY: it has joined the wait queue, whose lock is held.
            unsafe { waiter.with(|entry| entry.decision = Some(decision)) };
            // SAFETY: it stands in this queue, and the lock is held.
            unsafe { queue.remove(item) };
            // SAFETY: it stands in no queue now.
            unsafe { doomed.push(item) };
            count += 1;
        }
    }
    count
}
