//! One moment that is waited for, with the timer of the runtime that is there.

use crate::layers::base::sync::{Arc, GlobalMutex};
use crate::layers::context;
use crate::layers::context::clock;
use crate::layers::context::scope;
use crate::layers::context::term::before;
use allhome_rt::{BoxSleep, Instant, Timer};
use std::task::{Context, Poll};
use std::time::Duration;

/// Returns the timer that holds for the caller: that of the runtime that its nursery runs on, or the
/// one outside of any nursery.
pub(super) fn timer() -> Arc<dyn Timer> {
    let inside = context::task(|task| Some(task?.env.runtime.timer().clone()));
    inside.unwrap_or_else(clock::outside)
}

/// A moment that is waited for, from the first poll on. It fires once, and stays fired.
///
/// The timer's clock says when; its sleep is only asked for a poll at that time. So a sleep that is
/// late delays nothing that is polled anyway, and one that is early ends nothing.
pub(crate) struct Alarm {
    pub(super) until: Until,
    /// None before the first poll, and if it never fires.
    at: Option<Instant>,
    sleep: Option<Asleep>,
    fired: bool,
}

/// A sleep, and the timer whose clock it is measured by.
pub(crate) struct Asleep {
    timer: Arc<dyn Timer>,
    at: Instant,
    /// The mutex is never locked: with it, a future that has an alarm in it can be `Sync`.
    sleep: GlobalMutex<BoxSleep>,
}

impl Asleep {
    pub(crate) fn new(timer: Arc<dyn Timer>, at: Instant) -> Asleep {
        let sleep = GlobalMutex::new(timer.sleep_until(at));
        Asleep { timer, at, sleep }
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    fn is_over(&self) -> bool {
        self.timer.now() >= self.at
    }

    /// Waits until the instant has come on the timer's clock.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_over() {
            return Poll::Ready(());
        }
        if self.sleep.get_mut().as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if self.is_over() {
            return Poll::Ready(());
        }
        // It ended too early, and cannot be polled again. The next is polled in a turn of its own:
        // a timer whose sleeps all end early takes none from others.
        *self = Asleep::new(self.timer.clone(), self.at);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    After(Duration),
    At(Instant),
    /// So long before the deadline that holds where it is polled.
    BeforeDeadline(Duration),
    /// Beyond what an `Instant` can tell.
    Never,
}

impl Alarm {
    pub(super) fn new(until: Until) -> Alarm {
        Alarm { until, at: None, sleep: None, fired: false }
    }

    /// [`Duration::MAX`] is never, and needs no timer.
    pub(crate) fn after(duration: Duration) -> Alarm {
        Alarm::new(if duration == Duration::MAX { Until::Never } else { Until::After(duration) })
    }

    pub(crate) fn at_instant(at: Instant) -> Alarm {
        Alarm::new(Until::At(at))
    }

    pub(crate) fn before_deadline(back: Duration) -> Alarm {
        Alarm::new(Until::BeforeDeadline(back))
    }

    /// Returns when it fires, as far as that is known.
    pub(crate) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Returns how long before the deadline around it it fires, if that is how it was set.
    pub(crate) fn back(&self) -> Option<Duration> {
        match self.until {
            Until::BeforeDeadline(back) => Some(back),
            Until::After(_) | Until::At(_) | Until::Never => None,
        }
    }

    /// Releases the timer.
    pub(crate) fn stop(&mut self) {
        self.sleep = None;
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.fired {
            if self.sleep.is_none() && !self.set() {
                return Poll::Pending;
            }
            if let Some(sleep) = &mut self.sleep {
                if sleep.poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            self.sleep = None;
            // A deadline may have been moved in the meantime.
            self.fired = !matches!(self.until, Until::BeforeDeadline(_)) || self.is_due();
        }
        Poll::Ready(())
    }

    /// Finds out when to ring, and asks the timer for it unless that is past. Returns false if it
    /// never fires.
    fn set(&mut self) -> bool {
        if matches!(self.until, Until::Never) {
            // Without a look at the clock: this is asked at every poll.
            return false;
        }
        let timer = timer();
        let now = timer.now();
        self.at = match self.until {
            Until::After(duration) => now.checked_add(duration),
            Until::At(at) => Some(at),
            Until::BeforeDeadline(back) => before_deadline(back, now),
            Until::Never => None,
        };
        match self.at {
            Some(at) => self.until = self.until.fixed(at),
            None if !matches!(self.until, Until::BeforeDeadline(_)) => self.until = Until::Never,
            None => {}
        }
        let Some(at) = self.at else { return false };
        if at > now {
            self.sleep = Some(Asleep::new(timer, at));
        }
        true
    }

    fn is_due(&self) -> bool {
        let Until::BeforeDeadline(back) = self.until else { return true };
        let now = timer().now();
        before_deadline(back, now).is_some_and(|at| at <= now)
    }
}

impl Until {
    /// Once it is known, it stays so; a deadline does not.
    fn fixed(self, at: Instant) -> Until {
        match self {
            Until::BeforeDeadline(_) => self,
            _ => Until::At(at),
        }
    }
}

fn before_deadline(back: Duration, now: Instant) -> Option<Instant> {
    let deadline = context::current(|frame| scope::deadline(frame, false));
    before(deadline, back, now)
}
