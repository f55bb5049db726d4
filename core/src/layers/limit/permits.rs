//! The state of a semaphore: one word for acquires that need not wait, and a lock for everything
//! else.
//!
//! The word holds the free permits and two flags. Without `LOCKED`, an acquire or a release is one
//! read-modify-write of it. `LOCKED` says: only under the lock. The thread that holds the lock and
//! has set `LOCKED` has the word for itself, since all other threads either fail to change it or
//! wait for the lock. So everything under the lock ([`Locked`]) is plain sequential code, and the
//! new word is stored at its end, with no read-modify-write.
//!
//! | `LOCKED` is set | by                        | until                              |
//! |-----------------|---------------------------|------------------------------------|
//! | for a moment    | the holder of the lock    | it releases the lock               |
//! | for long        | a queue that is not empty | its last waiter is told, or leaves |
//! | for long        | a debt                    | the debt is paid                   |
//! | always          | a semaphore that notes since when permits are held | -         |
//!
//! `CLOSED` is set under the lock, once and for good.
//!
//! # Invariants
//!
//! 1. While `LOCKED` is set the word changes only under the lock.
//! 2. free permits + held permits - debt = capacity. There is a debt only when no permit is free:
//!    permits that come back pay it first.
//! 3. When the lock is released, the first in the wait queue asks for more than is free, and no
//!    waiter that must be told stands in a wait queue; or a thread is on its way to tell them
//!    ([`Source::tell`]).
//! 4. A waiter joins the wait queue only of a semaphore that is not closed, and asks for no more
//!    than the capacity; when the capacity falls below its request, it is doomed in the same hold
//!    of the lock. A patient one, for a slot of a nursery, is not: a limit of 0 is a pause.
//!
//! # Lock order
//!
//! One lock, held alone. Wakers are called, cloned and dropped with no lock held.

use super::book::{Booked, Request};
use super::error::TryAcquireError;
use super::holders::{HolderInfo, Holders};
use super::locked::{Inner, Locked};
use super::share::Share;
use super::source::{LockedSource, Source};
use crate::layers::base::lock::Lock;
use crate::layers::base::sync::{AtomicUsize, Ordering};
use crate::layers::context::clock;
use allhome_rt::Instant;
use std::panic::Location;

pub(super) const LOCKED: usize = 1;
pub(super) const CLOSED: usize = 2;
pub(super) const SHIFT: u32 = 2;
const ONE: usize = 1 << SHIFT;

/// The most permits: as many as fit into the word beside the flags, with one bit to spare.
pub(super) const MAX: usize = usize::MAX >> (SHIFT + 1);

pub(super) struct Permits {
    pub(super) word: AtomicUsize,
    /// Changes under the lock; callers that only need a figure read it without.
    pub(super) capacity: AtomicUsize,
    holders: Holders,
    /// It is noted since when permits are held.
    pub(super) is_stamped: bool,
    inner: Lock<Inner>,
}

impl Permits {
    #[cfg(not(loom))]
    pub(super) const fn new(permits: usize) -> Permits {
        let permits = if permits < MAX { permits } else { MAX };
        Permits {
            word: AtomicUsize::new(permits << SHIFT),
            capacity: AtomicUsize::new(permits),
            holders: Holders::new(),
            is_stamped: false,
            inner: Lock::new(Inner::new()),
        }
    }

    /// As above; loom's primitives cannot be created in a constant.
    #[cfg(loom)]
    pub(super) fn new(permits: usize) -> Permits {
        Permits {
            word: AtomicUsize::new(permits.min(MAX) << SHIFT),
            capacity: AtomicUsize::new(permits.min(MAX)),
            holders: Holders::new(),
            is_stamped: false,
            inner: Lock::new(Inner::new()),
        }
    }

    /// Sets whether the book notes since when permits are held.
    pub(super) fn stamp(&mut self, stamp: bool) {
        self.is_stamped = stamp;
        drop(self.lock());
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire: pairs with the store at the end of `close`'s hold.
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    pub(super) fn available(&self) -> usize {
        // Relaxed: a figure that may be old at once.
        self.word.load(Ordering::Relaxed) >> SHIFT
    }

    pub(super) fn capacity(&self) -> usize {
        // Relaxed: as above.
        self.capacity.load(Ordering::Relaxed)
    }

    pub(super) fn waiters(&self) -> usize {
        self.inner.locked(|inner| inner.queue.len())
    }

    /// Gives each key a queue of its own.
    pub(super) fn by_keys(&mut self) {
        self.lock().inner.queue.by_keys();
    }

    /// Returns how many keys wait.
    pub(super) fn keys(&self) -> usize {
        self.inner.locked(|inner| inner.queue.keys())
    }

    pub(super) fn holders(&self) -> Vec<HolderInfo> {
        self.holders.list()
    }

    #[inline(always)]
    pub(super) fn try_take(
        &self,
        count: usize,
        location: &'static Location<'static>,
    ) -> Result<Share, TryAcquireError> {
        self.try_take_as(count, location, false)
    }

    /// Like [`try_take`](Permits::try_take); if `returns`, the caller takes back what it had lent.
    #[inline(always)]
    pub(super) fn try_take_as(
        &self,
        count: usize,
        location: &'static Location<'static>,
        returns: bool,
    ) -> Result<Share, TryAcquireError> {
        match self.take_fast(count, location) {
            Some(share) => Ok(share),
            None => self.try_take_slow(count, location, returns),
        }
    }

    #[cold]
    fn try_take_slow(
        &self,
        count: usize,
        location: &'static Location<'static>,
        returns: bool,
    ) -> Result<Share, TryAcquireError> {
        // Acquire: pairs with the store at the end of a hold.
        let word = self.word.load(Ordering::Acquire);
        let capacity = self.capacity();
        if word & CLOSED != 0 {
            return Err(TryAcquireError::Closed);
        }
        if count > capacity {
            return Err(TryAcquireError::TooMany { asked: count, capacity });
        }
        if word >> SHIFT < count {
            return Err(TryAcquireError::NoPermits);
        }
        // There are enough: perhaps a waiter asks for more, perhaps the lock is held for a moment.
        let booked = self.book(count, location);
        let admitted = self.lock().admit(count, returns);
        if let Ok(true) = admitted {
            return Ok(Share { count, booked: booked.hold() });
        }
        booked.discard();
        Err(admitted.err().map_or(TryAcquireError::NoPermits, TryAcquireError::from))
    }

    #[cold]
    fn give_slow(&self, count: usize) {
        let mut locked = self.lock();
        if let Some(waker) = locked.hand_on(count) {
            drop(locked);
            waker.wake();
        } else {
            locked.put_back(count);
            self.tell(locked);
        }
    }

    /// Closes it. Returns `false` if it was closed before.
    pub(super) fn close(&self) -> bool {
        let mut locked = self.lock();
        let first = locked.close();
        self.tell(locked);
        first
    }

    pub(super) fn resize(&self, capacity: usize) {
        let mut locked = self.lock();
        locked.resize(capacity.min(MAX));
        self.tell(locked);
    }

    /// Keeps the permits for good: the capacity shrinks by them.
    pub(super) fn forget(&self, share: Share) {
        share.booked.free();
        let mut locked = self.lock();
        locked.forget(share.count);
        self.tell(locked);
    }

    /// Splits a share in two. It has enough permits.
    pub(super) fn split(share: &mut Share, count: usize) -> Share {
        share.count -= count;
        Share { count, booked: share.booked.split(count) }
    }

    /// Merges two shares into one.
    pub(super) fn merge(share: &mut Share, other: Share) {
        share.count += other.count;
        share.booked.merge(other.booked);
    }

    /// Returns the present moment, if it is noted. A clock is foreign code: no lock is held.
    #[inline]
    fn now(&self) -> Option<Instant> {
        self.is_stamped.then(clock::now)
    }

    #[inline(always)]
    fn book_at(
        &self,
        count: usize,
        location: &'static Location<'static>,
        since: Option<Instant>,
    ) -> Booked {
        // Loom looks at each store, so only the models of the book have one.
        if cfg!(loom) && !self.is_stamped {
            return Booked::NONE;
        }
        Booked::new(Request { semaphore: self.holders.number(), count, location, since })
    }
}

impl Source for Permits {
    type Locked<'a> = Locked<'a>;

    /// Takes permits, if there is no waiter, and if no clock must be read.
    #[inline(always)]
    fn take_fast(&self, count: usize, location: &'static Location<'static>) -> Option<Share> {
        // Relaxed: the exchange verifies what was seen.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & (LOCKED | CLOSED) == 0 && word >> SHIFT >= count {
            // Acquire: pairs with the exchange in `give`, and with the store at the end of a hold.
            match self.word.compare_exchange_weak(
                word,
                word - count * ONE,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let booked = self.book_at(count, location, None).hold();
                    return Some(Share { count, booked });
                }
                Err(now) => word = now,
            }
        }
        None
    }

    #[inline]
    fn book(&self, count: usize, location: &'static Location<'static>) -> Booked {
        self.book_at(count, location, self.now())
    }

    /// Takes the lock, and the word with it.
    #[inline]
    fn lock(&self) -> Locked<'_> {
        let now = self.now();
        let inner = self.inner.lock();
        // Relaxed: if `LOCKED` is set, the word was stored by a holder of the lock.
        let mut word = self.word.load(Ordering::Relaxed);
        if word & LOCKED == 0 {
            // Acquire: pairs with the exchanges in `give`.
            word = self.word.fetch_or(LOCKED, Ordering::Acquire);
        }
        Locked::new(self, inner, word, now)
    }

    /// Takes permits back, and gives them to the waiters.
    #[inline(always)]
    fn give(&self, share: Share) {
        // First: what comes back is another task's in the next moment.
        share.booked.free();
        // Relaxed: the exchange verifies what was seen, or it is looked at again under the lock.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LOCKED == 0 {
            // Release: pairs with the exchange in `take_fast`, and with `lock`.
            match self.word.compare_exchange_weak(
                word,
                word + share.count * ONE,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.give_slow(share.count);
    }
}
