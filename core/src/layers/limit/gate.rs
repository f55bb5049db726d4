//! The state of a semaphore: one word for those who need not wait, and a lock for all others.
//!
//! The word holds the free permits and two flags. Without `HELD` an acquire or a release is one
//! read-modify-write of it. `HELD` says: only under the lock. Whoever holds the lock and has set
//! `HELD` has the word for himself, since all others either fail to change it or wait for the
//! lock; so everything under the lock ([`Held`]) is plain sequential code, and the new word is stored
//! at its end, with no read-modify-write.
//!
//! | `HELD` is set   | by                            | until                          |
//! |-----------------|-------------------------------|--------------------------------|
//! | for a moment    | whoever holds the lock        | he lets go                     |
//! | for long        | a line that is not empty      | the last in it was told, or left |
//! | for long        | a debt                        | it is paid                     |
//! | always          | a semaphore that keeps a book | -                              |
//!
//! `CLOSED` is set under the lock, once and for good.
//!
//! # Invariants
//!
//! 1. While `HELD` is set the word changes only under the lock.
//! 2. free permits + permits held by anybody - debt = capacity. There is a debt only when no permit
//!    is free: what comes back pays it first.
//! 3. When the lock is given up, the first in the line asks for more than is free, and nobody
//!    who is to be told stands in a line; or somebody is on his way to tell them ([`Supply::tell`]).
//! 4. A waiter joins the line only of a gate that is not closed, and asks for no more than the
//!    capacity; when the capacity falls below that it is doomed in the same hold of the lock.
//!
//! # Lock order
//!
//! One lock, held alone. Wakers are called, cloned and dropped with no lock held.

use super::error::TryAcquireError;
use super::held::{Held, Inner};
use super::holders::{HolderInfo, Key};
use super::share::Share;
use super::supply::{Holding, Supply};
use crate::layers::base::id::TaskId;
use crate::layers::base::spin_lock::Lock;
use crate::layers::base::sync::{AtomicUsize, Ordering};
use std::panic::Location;

pub(super) const HELD: usize = 1;
pub(super) const CLOSED: usize = 2;
pub(super) const SHIFT: u32 = 2;
const ONE: usize = 1 << SHIFT;

/// The most permits: what fits into the word beside the flags, with one bit to spare.
pub(super) const MAX: usize = usize::MAX >> (SHIFT + 1);

pub(super) struct Gate {
    pub(super) word: AtomicUsize,
    /// Changes under the lock; read without it by those who only want to know.
    pub(super) capacity: AtomicUsize,
    pub(super) keeps_book: bool,
    inner: Lock<Inner>,
}

impl Gate {
    #[cfg(not(loom))]
    pub(super) const fn new(permits: usize) -> Gate {
        let permits = if permits < MAX { permits } else { MAX };
        Gate {
            word: AtomicUsize::new(permits << SHIFT),
            capacity: AtomicUsize::new(permits),
            keeps_book: false,
            inner: Lock::new(Inner::new()),
        }
    }

    /// As above; loom's primitives cannot be made in a constant.
    #[cfg(loom)]
    pub(super) fn new(permits: usize) -> Gate {
        Gate {
            word: AtomicUsize::new(permits.min(MAX) << SHIFT),
            capacity: AtomicUsize::new(permits.min(MAX)),
            keeps_book: false,
            inner: Lock::new(Inner::new()),
        }
    }

    /// Has a book kept of holders, or not. Nobody holds anything yet.
    pub(super) fn keep_book(&mut self, keep: bool) {
        self.keeps_book = keep;
        self.hold().inner.holders.keep(keep);
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
        self.inner.locked(|inner| inner.line.len())
    }

    /// Has each key wait in a line of its own.
    pub(super) fn by_keys(&mut self) {
        self.hold().inner.line.by_keys();
    }

    /// Returns how many keys wait.
    pub(super) fn keys(&self) -> usize {
        self.inner.locked(|inner| inner.line.keys())
    }

    pub(super) fn holders(&self) -> Vec<HolderInfo> {
        self.inner.locked(|inner| inner.holders.list())
    }

    #[inline(always)]
    pub(super) fn try_take(
        &self,
        count: usize,
        place: &'static Location<'static>,
    ) -> Result<Share, TryAcquireError> {
        self.try_take_as(count, place, false)
    }

    /// As [`try_take`](Gate::try_take), for one who takes back what he had lent, if `returns`.
    #[inline(always)]
    pub(super) fn try_take_as(
        &self,
        count: usize,
        place: &'static Location<'static>,
        returns: bool,
    ) -> Result<Share, TryAcquireError> {
        match self.take_fast(count) {
            true => Ok(Share::unbooked(count)),
            false => self.try_take_slow(count, place, returns),
        }
    }

    #[cold]
    fn try_take_slow(
        &self,
        count: usize,
        place: &'static Location<'static>,
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
        // There are enough: perhaps somebody waits for more, perhaps the lock is held for a moment.
        self.hold().admit(count, returns, place)?.ok_or(TryAcquireError::NoPermits)
    }

    #[cold]
    fn give_slow(&self, share: Share) {
        let mut held = self.hold();
        held.inner.holders.remove(share.key);
        held.put_back(share.count);
        self.tell(held);
    }

    /// Closes it. Returns false if it was closed before.
    pub(super) fn close(&self) -> bool {
        let mut held = self.hold();
        let first = held.close();
        self.tell(held);
        first
    }

    pub(super) fn resize(&self, capacity: usize) {
        let mut held = self.hold();
        held.resize(capacity.min(MAX));
        self.tell(held);
    }

    /// The permits never come back: the capacity shrinks by them.
    pub(super) fn forget(&self, share: Share) {
        let mut held = self.hold();
        held.forget(share);
        self.tell(held);
    }

    /// Makes two shares of one. There are enough permits in it.
    pub(super) fn split(&self, share: &mut Share, count: usize) -> Share {
        share.count -= count;
        let split = || self.inner.locked(|inner| inner.holders.split(share.key, count));
        let key = if self.keeps_book { split() } else { Key::NONE };
        Share { count, key }
    }

    /// Writes into the book whose they are.
    pub(super) fn sign(&self, key: Key, task: Option<TaskId>) {
        if self.keeps_book {
            self.inner.locked(|inner| inner.holders.sign(key, task));
        }
    }

    /// Makes one share of two.
    pub(super) fn merge(&self, share: &mut Share, other: Share) {
        share.count += other.count;
        if self.keeps_book {
            self.inner.locked(|inner| inner.holders.merge(share.key, other.key));
        }
    }
}

impl Supply for Gate {
    type Held<'a> = Held<'a>;

    /// Takes permits, if nobody waits and no book is kept.
    #[inline(always)]
    fn take_fast(&self, count: usize) -> bool {
        // Relaxed: what was seen is verified by the exchange.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & (HELD | CLOSED) == 0 && word >> SHIFT >= count {
            // Acquire: pairs with the exchange in `give`, and with the store at the end of a hold.
            match self.word.compare_exchange_weak(
                word,
                word - count * ONE,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes the lock, and the word with it.
    #[inline]
    fn hold(&self) -> Held<'_> {
        let inner = self.inner.lock();
        // Relaxed: if `HELD` is set, the word was stored by a holder of the lock.
        let mut word = self.word.load(Ordering::Relaxed);
        if word & HELD == 0 {
            // Acquire: pairs with the exchanges in `give`.
            word = self.word.fetch_or(HELD, Ordering::Acquire);
        }
        Held::new(self, inner, word)
    }

    /// Takes permits back, and gives them to those who wait.
    #[inline(always)]
    fn give(&self, share: Share) {
        // Relaxed: what was seen is verified by the exchange, or looked at again under the lock.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & HELD == 0 {
            // Release: pairs with the exchange in `take_fast`, and with `hold`.
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
        self.give_slow(share);
    }
}
