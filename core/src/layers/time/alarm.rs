//! One moment that is waited for, with the timer of the runtime that is there.
//!
//! An alarm is polled in one of two ways. A sleep, an interval and a budget *poll* it, and nothing
//! else. A cancel scope polls what is inside first, and *waits* for the alarm only if that is
//! pending:
//!
//! | state   | it has                 | begins                         | a poll that is pending pays          |
//! |---------|------------------------|--------------------------------|--------------------------------------|
//! | new     | nothing                | when it is made                | -                                    |
//! | set     | its instant            | in the first poll: one look at the clock | -                          |
//! | asleep  | a sleep                | when the first wait is pending | a look at the clock, a poll of the sleep |
//! | on line | a sleep, and a bell    | at the second wait             | one load, one comparison of wakers   |
//! | fired   | nothing                | when the clock says so         | - (it stays fired)                   |
//!
//! A moment that is past when it is set fires then. One that follows a deadline goes back from
//! *asleep* and *on line* to *set* if the deadline was moved. On line, the clock is asked when the
//! [bell](super::bell) has rung, and in one wait of 33. The sleep goes before the bell,
//! and both with the alarm, or when it fires.
//!
//! The timer's clock says when it fires; its sleep only asks for a poll at that time. So a sleep
//! that is late delays nothing that looks at the clock anyway, and one that is early ends nothing.
//!
//! The timer is that of the nursery in which the alarm is polled, and borrowed for the call. Only
//! an alarm that is first polled outside of any nursery keeps one.

use super::bell::Line;
use crate::layers::base::guarded;
use crate::layers::base::sync::{Arc, GlobalMutex};
use crate::layers::base::wait_mark;
use crate::layers::context;
use crate::layers::context::clock;
use crate::layers::context::scope;
use crate::layers::context::term::before;
use allhome_rt::{BoxSleep, Instant, Timer};
use std::task::{Context, Poll};
use std::time::Duration;

/// So many waits poll the sleep themselves. The next one gives it a bell, which costs little more
/// than such a wait, and too much for a future that waits once.
const DIRECT: u8 = 1;

/// So many waits on line go by without a look at the clock, if the bell does not ring: a timer whose
/// sleeps are late does not hold up a scope for ever.
const BLIND: u8 = 32;

/// A moment that is waited for, from the first poll on. It fires once, and stays fired.
pub(crate) struct Alarm {
    pub(super) until: Until,
    /// None before the first poll, and if it never fires.
    at: Option<Instant>,
    sleep: Option<SyncSleep>,
    line: Option<Line>,
    /// How many waits were made, without a bell; with one, how many follow until one looks at the
    /// clock.
    waits: u8,
    fired: bool,
    /// The timer that was found outside of any nursery.
    outside: Option<Arc<dyn Timer>>,
}

/// A sleep, and the timer whose clock it is measured by: for code that is polled in any context.
pub(crate) struct Asleep {
    timer: Arc<dyn Timer>,
    at: Instant,
    sleep: SyncSleep,
}

/// The mutex is never locked: with it, a future that has a sleep in it can be `Sync`.
type SyncSleep = GlobalMutex<BoxSleep>;

impl Asleep {
    pub(crate) fn new(timer: Arc<dyn Timer>, at: Instant) -> Asleep {
        let sleep = GlobalMutex::new(timer.sleep_until(at));
        Asleep { timer, at, sleep }
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Waits until the instant has come on the timer's clock.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.now() >= self.at {
            return Poll::Ready(());
        }
        poll_sleep(&*self.timer, self.at, &mut self.sleep, cx)
    }
}

/// Polls a sleep until that instant. It is over when the timer's clock says so, too.
fn poll_sleep(
    timer: &dyn Timer,
    at: Instant,
    sleep: &mut SyncSleep,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if sleep.get_mut().as_mut().poll(cx).is_pending() {
        return Poll::Pending;
    }
    if timer.now() >= at {
        return Poll::Ready(());
    }
    // It ended too early, and cannot be polled again. The next is polled in a turn of its own: a
    // timer whose sleeps all end early takes none from others.
    *sleep = GlobalMutex::new(timer.sleep_until(at));
    cx.waker().wake_by_ref();
    Poll::Pending
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
    fn new(until: Until) -> Alarm {
        let (at, sleep, line, outside) = (None, None, None, None);
        Alarm { until, at, sleep, line, waits: 0, fired: false, outside }
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

    /// Returns for how long it was set, as a mark has it.
    pub(super) fn millis(&self) -> u64 {
        match self.until {
            Until::After(duration) => wait_mark::millis(duration),
            Until::At(_) | Until::BeforeDeadline(_) | Until::Never => 0,
        }
    }

    /// Releases the timer.
    #[inline]
    pub(crate) fn stop(&mut self) {
        self.sleep = None;
        self.line = None;
    }

    /// Waits until it fires.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.fired {
            return Poll::Ready(());
        }
        let is_over = match (self.at, self.until) {
            (Some(at), _) => self.has_come(at),
            (None, Until::After(duration)) if !duration.is_zero() => {
                self.fall_asleep(duration);
                false
            }
            (None, _) => self.set(),
        };
        match self.at {
            None => Poll::Pending,
            Some(_) if is_over => self.fire(),
            Some(at) => match self.poll_sleep(at, cx) {
                Poll::Ready(()) => self.fire(),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    /// Finds out when to fire, before what it limits is polled, unless that is known. Returns
    /// `true` if the moment is past.
    #[inline(always)]
    pub(crate) fn begin(&mut self) -> bool {
        self.at.is_none() && self.set()
    }

    /// Waits until it fires, after [`begin`](Alarm::begin) in the same poll.
    #[inline(always)]
    pub(crate) fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.line {
            Some(line) if self.waits > 0 && line.is_quiet(cx.waker()) => {
                self.waits -= 1;
                Poll::Pending
            }
            _ => self.wait_anew(cx),
        }
    }

    fn wait_anew(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(at) = self.at {
            let over = match self.line {
                Some(_) => self.poll_on_line(at, cx),
                None => self.poll_off_line(at, cx),
            };
            if over.is_pending() {
                return Poll::Pending;
            }
            // A deadline may have been moved in the meantime.
            self.stop();
            self.waits = 0;
            if self.until.is_fixed() || self.set() {
                return self.fire();
            }
        }
        Poll::Pending
    }

    /// Waits without a bell; the last of these waits makes one.
    fn poll_off_line(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        // Without a sleep, it was set in this poll: the clock was looked at.
        if self.sleep.is_some() && self.has_come(at) {
            return Poll::Ready(());
        }
        if self.waits < DIRECT {
            self.waits += 1;
            return self.poll_sleep(at, cx);
        }
        self.waits = BLIND;
        let bell = self.line.insert(Line::new(cx.waker())).waker();
        self.poll_sleep(at, &mut Context::from_waker(&bell))
    }

    fn poll_on_line(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Some(line) = &mut self.line else { return Poll::Pending };
        let (looks, waker) = (self.waits == 0 || line.has_rung(), cx.waker());
        // Shown before the sleep is polled: what rings from now on wakes it.
        let rang = !line.is_quiet(waker) && line.show(waker);
        let bell = rang.then(|| line.waker());
        if looks || rang {
            self.waits = BLIND;
            if self.has_come(at) {
                return Poll::Ready(());
            }
        }
        match bell {
            Some(bell) => self.poll_sleep(at, &mut Context::from_waker(&bell)),
            None => Poll::Pending,
        }
    }

    fn fire(&mut self) -> Poll<()> {
        self.stop();
        self.fired = true;
        Poll::Ready(())
    }

    /// Finds out when to fire. Returns `true` if that is past. It is not known if it never fires,
    /// or if no deadline holds.
    fn set(&mut self) -> bool {
        if matches!(self.until, Until::Never) {
            // Without a look at the clock: this is asked at every poll.
            return false;
        }
        let now = self.with_timer(|timer| timer.now());
        self.at = match self.until {
            Until::After(duration) => now.checked_add(duration),
            Until::At(at) => Some(at),
            Until::BeforeDeadline(back) => before_deadline(back, now),
            Until::Never => None,
        };
        if self.at.is_none() && self.until.is_fixed() {
            self.until = Until::Never;
        }
        self.at.is_some_and(|at| at <= now)
    }

    /// Finds out when to fire, and makes the sleep, in one call of the timer.
    fn fall_asleep(&mut self, duration: Duration) {
        match self.with_timer(|timer| timer.sleep_after(duration)) {
            Some((at, sleep)) => {
                self.at = Some(at);
                self.sleep = Some(GlobalMutex::new(sleep));
            }
            None => self.until = Until::Never,
        }
    }

    /// Polls the sleep; makes it if there is none.
    fn poll_sleep(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Alarm { sleep, outside, .. } = self;
        with_timer(outside, |timer| {
            let sleep = sleep.get_or_insert_with(|| GlobalMutex::new(timer.sleep_until(at)));
            poll_sleep(timer, at, sleep, cx)
        })
    }

    fn has_come(&mut self, at: Instant) -> bool {
        self.with_timer(|timer| timer.now()) >= at
    }

    fn with_timer<R>(&mut self, f: impl FnOnce(&dyn Timer) -> R) -> R {
        with_timer(&mut self.outside, f)
    }
}

/// Calls `f` with the timer that holds for the caller. It is foreign code, so no lock of this crate
/// is held.
#[inline]
fn with_timer<R>(outside: &mut Option<Arc<dyn Timer>>, f: impl FnOnce(&dyn Timer) -> R) -> R {
    guarded::assert_none("a timer is asked");
    context::task(|task| {
        let timer = match (outside, task) {
            (None, Some(task)) => task.env.runtime.timer(),
            (outside, _) => outside.get_or_insert_with(clock::outside),
        };
        f(&**timer)
    })
}

impl Until {
    /// Once it is known, it stays so; a deadline does not.
    fn is_fixed(self) -> bool {
        !matches!(self, Until::BeforeDeadline(_))
    }
}

fn before_deadline(back: Duration, now: Instant) -> Option<Instant> {
    let deadline = context::current(|frame| scope::deadline(frame, false));
    before(deadline, back, now)
}
