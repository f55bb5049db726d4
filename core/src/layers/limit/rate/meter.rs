//! The state of a rate limiter: a bucket and a queue, under one lock.
//!
//! Only the first in the queue waits for the timer, in its own poll. Permits come by looking: a
//! caller that asks for permits looks at the clock, takes the lock, adds what has come since, and
//! tells every waiter whose turn it is. A waiter that leaves the queue, or a caller that gives
//! permits back, does not look: the clock is the user's, and may panic. It nudges the waiter that
//! is the first then, which looks in its own poll.
//!
//! | the first in the queue | `attended` | what sees to the timer                            | until                 |
//! |-----------------------|------------|---------------------------------------------------|-----------------------|
//! | none                  | false      | nothing                                           | a waiter joins        |
//! | has just joined       | false      | it, later in the same poll                        | [`Meter::attend`]     |
//! | has become the first  | false      | the thread that made it so, before it releases the lock | the nudge       |
//! | was nudged            | true       | its task, which is woken                          | `attend`, in its poll |
//! | knows                 | true       | it: its sleep wakes it when its permits are there | it leaves the queue, or the rate changes |
//!
//! A nudge takes the waker out of the queue: the poll that follows puts one in again, before it
//! attends. So a nudge that comes between the two wakes the waker of that poll.
//!
//! # Invariants
//!
//! 1. The permits in the bucket are for the first in the queue: while a task waits, no other task
//!    takes any.
//! 2. When the lock is released, the first asks for more than is in the bucket, and is `attended`,
//!    or is being polled; or a thread is on its way to tell or nudge it ([`Source::tell`]).
//! 3. The clock is looked at before the lock is taken; a sleep is created, polled and dropped with
//!    no lock held: the timer is foreign code. It is asked when nothing has changed yet: a panic of
//!    it leaves bucket and queue as they were.

use crate::layers::base::guarded::Foreign;
use crate::layers::base::lock::{Lock, LockGuard};
use crate::layers::base::sync::{Arc, AtomicBool, AtomicUsize, Ordering};
use crate::layers::limit::book::Booked;
use crate::layers::limit::bucket::{Bucket, Rate};
use crate::layers::limit::error::{Refused, TryAcquireError};
use crate::layers::limit::permits::MAX;
use crate::layers::limit::share::Share;
use crate::layers::limit::source::{LockedSource, Source};
use crate::layers::limit::wait_queue::WaitQueue;
use crate::layers::limit::waiter::{Decision, Waiter};
use allhome_rt::Instant;
use allhome_rt::Timer;
use std::panic::Location;
use std::task::Waker;

pub(in crate::layers::limit) struct Meter {
    pub(super) timer: Arc<dyn Timer>,
    /// Like `closed`: changes under the lock; callers that only need a figure read it without.
    burst: AtomicUsize,
    closed: AtomicBool,
    inner: Lock<Inner>,
}

pub(in crate::layers::limit) struct Inner {
    bucket: Bucket,
    queue: WaitQueue,
    /// The first in the queue knows that it is the first, and sees to the timer.
    attended: bool,
    closed: bool,
}

/// The lock of a meter.
#[must_use]
pub(in crate::layers::limit) struct Reading<'a> {
    inner: LockGuard<'a, Inner>,
}

/// What the owner of a waiter has to do next.
#[must_use]
pub(super) enum Attend {
    /// Other waiters are in front of it, or it was told.
    Nothing,
    /// Nothing but its result: it has just been granted what it asked for.
    Granted,
    /// Wait: it is the first. It waits for that instant, or for ever if there is none.
    Until(Option<Instant>),
}

impl Meter {
    pub(super) fn new(timer: Arc<dyn Timer>, rate: Rate, burst: usize) -> Meter {
        let bucket = Bucket::new(rate, burst, timer.now());
        let (burst, queue) = (AtomicUsize::new(bucket.burst()), WaitQueue::new());
        let inner = Lock::new(Inner { bucket, queue, attended: false, closed: false });
        Meter { timer, burst, closed: AtomicBool::new(false), inner }
    }

    pub(super) fn rate(&self) -> Rate {
        self.inner.locked(|inner| inner.bucket.rate())
    }

    pub(super) fn burst(&self) -> usize {
        // Relaxed: a figure that may be old at once.
        self.burst.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire: pairs with the store in `close`.
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn waiters(&self) -> usize {
        self.inner.locked(|inner| inner.queue.len())
    }

    pub(super) fn available(&self) -> usize {
        self.lock_now().inner.bucket.tokens()
    }

    pub(super) fn try_take(&self, count: usize) -> Result<(), TryAcquireError> {
        let mut locked = self.lock_now();
        let admitted = locked.admit(count, false);
        // Perhaps what has come since is enough for the first in the queue.
        self.tell(locked);
        admitted?.then_some(()).ok_or(TryAcquireError::NoPermits)
    }

    pub(super) fn set_rate(&self, rate: Rate) {
        let mut locked = self.lock_now();
        locked.inner.bucket.set_rate(rate);
        // The first has to look again when its permits will be there.
        locked.inner.attended = false;
        self.tell(locked);
    }

    pub(super) fn set_burst(&self, burst: usize) {
        let mut locked = self.lock_now();
        locked.inner.bucket.set_burst(burst);
        // Relaxed: as in `burst`.
        self.burst.store(burst.min(MAX), Ordering::Relaxed);
        locked.inner.queue.doom(burst);
        locked.inner.attended = false;
        self.tell(locked);
    }

    /// Closes it. Returns `false` if it was closed before.
    pub(super) fn close(&self) -> bool {
        let mut locked = self.lock();
        let first = !std::mem::replace(&mut locked.inner.closed, true);
        // Release: pairs with the load in `is_closed`.
        self.closed.store(true, Ordering::Release);
        self.tell(locked);
        first
    }

    /// Finds out whether this waiter is the first in the queue, and what it has to do then.
    pub(super) fn attend(&self, waiter: &Waiter) -> Attend {
        let mut locked = self.lock_now();
        if !locked.inner.queue.is_first(waiter) {
            return Attend::Nothing;
        }
        if locked.is_granted(waiter.asked()) {
            // This is its own poll: it need not be woken.
            let own = locked.grant_first(waiter.asked());
            self.tell(locked);
            drop(own);
            return Attend::Granted;
        }
        locked.inner.attended = true;
        let bucket = &locked.inner.bucket;
        let wait = bucket.time_to(waiter.asked());
        Attend::Until(wait.and_then(|wait| bucket.since().checked_add(wait)))
    }
}

impl Source for Meter {
    const NUDGES: bool = true;

    type Locked<'a> = Reading<'a>;

    fn take_fast(&self, _: usize, _: &'static Location<'static>) -> Option<Share> {
        None
    }

    fn book(&self, _: usize, _: &'static Location<'static>) -> Booked {
        Booked::NONE
    }

    fn lock(&self) -> Reading<'_> {
        Reading { inner: self.inner.lock() }
    }

    fn lock_now(&self) -> Reading<'_> {
        let now = self.timer.now();
        let mut locked = self.lock();
        locked.inner.bucket.refill(now);
        locked
    }

    fn give(&self, share: Share) {
        let mut locked = self.lock();
        locked.inner.bucket.put_back(share.count);
        // With what has come since, it may be enough for the first, which has to look.
        locked.inner.attended = false;
        self.tell(locked);
    }
}

impl Reading<'_> {
    /// Returns `true` if the first in the queue, which asks for `asked` permits, must be granted
    /// them.
    fn is_granted(&self, asked: usize) -> bool {
        !self.inner.closed && asked <= self.inner.bucket.tokens()
    }

    fn grant_first(&mut self, asked: usize) -> Option<Foreign<Waker>> {
        self.inner.bucket.take(asked);
        self.inner.attended = false;
        self.inner.queue.tell_first(Decision::Granted)
    }
}

impl LockedSource for Reading<'_> {
    fn queue(&mut self) -> &mut WaitQueue {
        &mut self.inner.queue
    }

    fn admit(&mut self, asked: usize, _: bool) -> Result<bool, Refused> {
        let capacity = self.inner.bucket.burst();
        if self.inner.closed {
            return Err(Refused::Closed);
        }
        if asked > capacity {
            return Err(Refused::TooMany { asked, capacity });
        }
        // A request for nothing takes nothing from the waiters.
        let may = asked == 0 || self.inner.queue.is_empty();
        Ok(may && self.inner.bucket.take(asked))
    }

    fn on_part(&mut self, waiter: &Waiter) {
        if self.inner.queue.is_first(waiter) {
            self.inner.attended = false;
        }
    }

    fn tell_next(&mut self) -> Option<Foreign<Waker>> {
        loop {
            let waker = if self.inner.queue.has_doomed() {
                self.inner.queue.tell_doomed()?.0
            } else {
                let (asked, _) = self.inner.queue.first()?;
                if self.inner.closed {
                    self.inner.queue.tell_first(Decision::Closed)
                } else if self.is_granted(asked) {
                    self.grant_first(asked)
                } else {
                    let attended = std::mem::replace(&mut self.inner.attended, true);
                    return if attended { None } else { self.inner.queue.nudge_first() };
                }
            };
            // A waiter that was nudged before was woken then.
            if waker.is_some() {
                return waker;
            }
        }
    }
}
