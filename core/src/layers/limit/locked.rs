//! The operations under the lock of a [`Permits`]: plain code on the word and the queue.

use super::error::Refused;
use super::permits::{CLOSED, LOCKED, Permits, SHIFT};
use super::source::LockedSource;
use super::wait_queue::WaitQueue;
use super::waiter::Decision;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::lock::LockGuard;
use crate::layers::base::sync::Ordering;
use allhome_rt::Instant;
use std::task::Waker;

/// What the lock guards besides the word.
pub(super) struct Inner {
    pub(super) queue: WaitQueue,
    debt: usize,
}

impl Inner {
    pub(super) const fn new() -> Inner {
        Inner { queue: WaitQueue::new(), debt: 0 }
    }
}

/// The lock of a semaphore, and its word, which no other thread can change. Dropping it stores the
/// word.
#[must_use]
pub(super) struct Locked<'a> {
    permits: &'a Permits,
    pub(super) inner: LockGuard<'a, Inner>,
    free: usize,
    closed: bool,
    /// If it is noted since when permits are held: a clock is foreign code, and was asked without
    /// the lock.
    now: Option<Instant>,
}

impl<'a> Locked<'a> {
    /// The word has `LOCKED` set, by the caller since it took the lock, or from before.
    pub(super) fn new(
        permits: &'a Permits,
        inner: LockGuard<'a, Inner>,
        word: usize,
        now: Option<Instant>,
    ) -> Locked<'a> {
        Locked { permits, inner, free: word >> SHIFT, closed: word & CLOSED != 0, now }
    }

    /// Takes permits back and grants them to the first in the queue, if that is all there is to do,
    /// as it is nearly always. If not, nothing has changed.
    #[inline(always)]
    pub(super) fn hand_on(&mut self, count: usize) -> Option<Foreign<Waker>> {
        if self.closed || self.inner.debt > 0 {
            return None;
        }
        let free = self.free + count;
        let (asked, waker) = self.inner.queue.grant_only(free, self.now)?;
        self.free = free - asked;
        waker
    }

    /// Takes permits back.
    pub(super) fn put_back(&mut self, count: usize) {
        let paid = count.min(self.inner.debt);
        self.inner.debt -= paid;
        self.free += count - paid;
    }

    pub(super) fn close(&mut self) -> bool {
        !std::mem::replace(&mut self.closed, true)
    }

    pub(super) fn resize(&mut self, capacity: usize) {
        let old = self.permits.capacity();
        self.set_capacity(capacity);
        match old.checked_sub(capacity) {
            None => self.put_back(capacity - old),
            Some(less) => {
                let taken = less.min(self.free);
                self.free -= taken;
                self.inner.debt += less - taken;
            }
        }
    }

    pub(super) fn forget(&mut self, count: usize) {
        let old = self.permits.capacity();
        let capacity = old.saturating_sub(count);
        self.set_capacity(capacity);
        // What the capacity cannot bear was owed.
        self.inner.debt -= count - (old - capacity);
    }

    fn set_capacity(&mut self, capacity: usize) {
        // Relaxed: it is written under the lock, and readers only need a figure.
        self.permits.capacity.store(capacity, Ordering::Relaxed);
        self.inner.queue.doom(capacity);
    }
}

impl LockedSource for Locked<'_> {
    #[inline]
    fn queue(&mut self) -> &mut WaitQueue {
        &mut self.inner.queue
    }

    #[inline]
    fn admit(&mut self, asked: usize, returns: bool) -> Result<bool, Refused> {
        let capacity = self.permits.capacity();
        if self.closed {
            return Err(Refused::Closed);
        }
        if asked > capacity {
            return Err(Refused::TooMany { asked, capacity });
        }
        // A request for nothing takes nothing from the waiters.
        if asked > 0 && (self.free < asked || !self.inner.queue.lets_in(returns)) {
            return Ok(false);
        }
        self.free -= asked;
        Ok(true)
    }

    #[inline]
    fn tell_next(&mut self) -> Option<Foreign<Waker>> {
        if self.inner.queue.has_doomed() {
            let (waker, booked) = self.inner.queue.tell_doomed()?;
            booked.free();
            return waker;
        }
        let (asked, booked) = self.inner.queue.first()?;
        if self.closed {
            booked.free();
            return self.inner.queue.tell_first(Decision::Closed);
        }
        if asked > self.free {
            return None;
        }
        self.free -= asked;
        booked.grant(self.now);
        self.inner.queue.tell_first(Decision::Granted)
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        let inner = &*self.inner;
        let locked = self.permits.is_stamped || !inner.queue.is_empty() || inner.debt > 0;
        let flags = if locked { LOCKED } else { 0 } | if self.closed { CLOSED } else { 0 };
        // A plain store: no other thread has changed it (invariant 1 of the permits). Release:
        // pairs with the exchange in `take_fast`.
        self.permits.word.store(self.free << SHIFT | flags, Ordering::Release);
    }
}
