//! A waker that remembers that it was woken: for a sleep whose future is polled often.
//!
//! The sleep is polled once, with the bell for its waker, and not again until the bell has rung. So
//! a poll that comes from elsewhere pays one load, and one comparison of its waker with the one
//! that the bell wakes on.
//!
//! A ring is a hint: the sleep may be over, or the timer may only want another poll of it (tokio
//! does, where a task has used up its budget). So the alarm shows the bell a waker again, looks at
//! the clock, and then polls the sleep.
//!
//! # Invariants
//!
//! 1. `rang` is true if and only if `waker` is empty: both change in one hold of the lock. So a
//!    ring that finds a waker wakes it, and one that finds none was preceded by one that did, whose
//!    answer polls the sleep.
//! 2. While a [`Line`] has not seen a ring, the bell keeps the waker that `shown` is of: no other
//!    waker has its address.
//!
//! # Lock order
//!
//! The timer may ring with a lock of its own held. Ours is held for the exchange of the waker, and
//! no code of the user's runs then.

use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::intrusive::Identity;
use crate::layers::base::stacks::lens;
use crate::layers::base::sync::{Arc, AtomicBool, Ordering};
use std::task::{Wake, Waker};

struct Bell {
    rang: AtomicBool,
    waker: Guarded<Option<Foreign<Waker>>>,
}

impl Bell {
    /// Has it wake this one. Returns `true` if it has rung since it was shown the last.
    fn show(&self, waker: Foreign<Waker>) -> bool {
        let old = self.waker.locked(|slot| {
            // Relaxed: only the line reads it, and that is what calls.
            self.rang.store(false, Ordering::Relaxed);
            slot.replace(waker)
        });
        old.is_none()
    }

    /// Takes the waker that it wakes.
    fn take(&self) -> Option<Foreign<Waker>> {
        self.waker.locked(|slot| {
            // Release: pairs with `Line::has_rung`.
            self.rang.store(true, Ordering::Release);
            slot.take()
        })
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.take().into_iter().for_each(Foreign::wake);
    }
}

/// A bell's other end, at the future that waits.
pub(super) struct Line {
    bell: Arc<Bell>,
    /// Which waker the bell was shown.
    shown: Identity,
}

impl Line {
    /// Makes a bell that wakes this one.
    pub(super) fn new(waker: &Waker) -> Line {
        // Of the clone, which is kept: the waker of one poll may be lent by a lens.
        let waker = Foreign::cloned(waker);
        let shown = Identity::of(&waker);
        let rang = AtomicBool::new(false);
        Line { bell: Arc::new(Bell { rang, waker: Guarded::new(Some(waker)) }), shown }
    }

    /// Returns the bell as a waker.
    pub(super) fn waker(&self) -> Waker {
        Waker::from(self.bell.clone())
    }

    /// Returns `true` if it has rung, and was shown no waker since.
    #[inline(always)]
    pub(super) fn has_rung(&self) -> bool {
        // Acquire: pairs with `Bell::take`.
        self.bell.rang.load(Ordering::Acquire)
    }

    /// Returns `true` if it has not rung, and would wake this one.
    #[inline(always)]
    pub(super) fn is_quiet(&self, waker: &Waker) -> bool {
        self.shown == Identity::of(lens::seen(waker)) && !self.has_rung()
    }

    /// Has it wake this one. Returns `true` if it has rung: then the caller polls the sleep.
    pub(super) fn show(&mut self, waker: &Waker) -> bool {
        let waker = Foreign::cloned(lens::behind(waker));
        self.shown = Identity::of(&waker);
        self.bell.show(waker)
    }
}

impl Drop for Line {
    /// A timer may keep the bell for a while; it keeps no waker of a task by it.
    fn drop(&mut self) {
        drop(self.bell.take());
    }
}
