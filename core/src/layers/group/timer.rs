//! A nursery's timer: one sleep, until the next moment of its
//! [`Clock`](super::registry::clock::Clock).
//!
//! The sleep is polled with a waker of the nursery's own. When it is over, the nursery's future is
//! woken and a carrier comes, as for a child that was woken; the first of the two *keeps time*: it
//! does what is due, and sets the sleep for what comes next. So a time holds for the children while
//! the future is not polled, and on a runtime that is not driven the future keeps it. Code that
//! sets a moment sets the sleep, too.
//!
//! It is tempting to do what is due in the waker; but a timer may call it with its own lock held,
//! and what is due runs destructors.
//!
//! # Invariants
//!
//! 1. The timer is asked, and the sleep is polled and dropped, with no lock held: one thread takes
//!    it out, and another that comes meanwhile leaves it to that one, which looks again when it
//!    puts it back.
//! 2. The nursery does not close while it is out. Once the clock is stopped there is none.
//! 3. `waker`, which has a reference to the group, is there only while `at` is.

use super::Group;
use super::registry::Phase;
use super::registry::clock::Out;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::panic;
use crate::layers::base::sync::{Arc, Ordering};
use std::task::{Wake, Waker};

/// The waker of the sleep.
struct TimerWaker(Weak<Group>);

impl Wake for TimerWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.call_in();
    }
}

impl Group {
    /// Does what is due, and sets the timer for what comes next. No lock is held.
    pub(crate) fn keep_time(&self) {
        // Relaxed: the thread that sets the first moment sets the timer after that.
        if !self.timed.load(Ordering::Relaxed) {
            return;
        }
        loop {
            let called = self.locked(|registry| registry.carriers.take_due());
            self.fire();
            if !self.set_timer(called) {
                return;
            }
        }
    }

    /// Sets the timer: a moment was set. No lock is held, and nothing is due here and now.
    pub(super) fn arm(&self) {
        if self.timed.load(Ordering::Relaxed) && self.set_timer(false) {
            self.call_in();
        }
    }

    /// Sets the timer for the next moment, if it is not; with `again`, polls it anyway. Returns
    /// true if the moment has come.
    fn set_timer(&self, again: bool) -> bool {
        let taken = self.locked(|registry| {
            let waker = || Waker::from(Arc::new(TimerWaker(self.weak())));
            registry.clock.take_out(again, waker)
        });
        let Some(mut out) = taken else { return false };
        loop {
            let over = self.set_out(&mut out);
            let (back, run) = self.locked(|registry| {
                let back = registry.clock.put_back(out);
                // It may have waited for that to close.
                let ends = registry.phase == Phase::Joining
                    && (registry.is_vacant() || self.is_stuck(registry));
                let waits = back.is_none() && ends;
                (back, if waits { registry.run_waker.take() } else { None })
            });
            run.into_iter().for_each(Foreign::wake);
            match back {
                Some(changed) => out = changed,
                None => return over,
            }
        }
    }

    /// The timer and the sleep are the runtime's: no lock is held, and nothing of them is when this
    /// returns.
    fn set_out(&self, out: &mut Out) -> bool {
        let timer = self.timer();
        panic::catch(|| out.set(timer.as_ref())).unwrap_or_else(|payload| {
            panic::discard(payload);
            false
        })
    }

    /// Something is due: has a carrier come, and the nursery's future be polled.
    fn call_in(&self) {
        let called = self.locked(|registry| {
            if registry.phase == Phase::Closed || registry.clock.next().is_none() {
                return None;
            }
            registry.carriers.set_due();
            Some((registry.run_waker.take(), self.want(registry)))
        });
        let Some((run, launch)) = called else { return };
        // As in `schedule`.
        if let Err(payload) = panic::catch(|| self.launch(launch)) {
            panic::discard(payload);
        }
        run.into_iter().for_each(Foreign::wake);
    }
}
