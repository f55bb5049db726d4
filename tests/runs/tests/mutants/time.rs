//! The honest executor's timer, and its faults.

use super::base::{Shared, with};
use super::fault::Fault::*;
use allhome_rt::{BoxSleep, Timer};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The sleeps that wait, in the order of their instants.
#[derive(Default)]
pub(crate) struct Timers {
    waiting: BTreeMap<(Instant, u64), Waker>,
    /// Registered, and the driver was not notified.
    unseen: Vec<((Instant, u64), Waker)>,
    next: u64,
    calls: u64,
    all_over: bool,
    fired: Option<Instant>,
    begun: Option<Instant>,
}

thread_local! {
    /// Whether this thread calls a waker.
    static FIRES: Cell<bool> = const { Cell::new(false) };
}

fn lock(shared: &Shared) -> MutexGuard<'_, Timers> {
    if shared.is(TimerHoldsItsLock) && FIRES.get() {
        shared.deadlock();
    }
    shared.timers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Timers {
    /// How long until the next sleep ends, if that is soon.
    pub(crate) fn soon(shared: &Shared) -> Option<Duration> {
        let first = *lock(shared).waiting.first_key_value()?.0;
        let left = first.0.saturating_duration_since(Instant::now());
        (left < Duration::from_secs(60)).then_some(left)
    }

    /// Wakes those whose instant has come.
    pub(crate) fn fire(shared: &Shared) -> bool {
        let mut timers = lock(shared);
        let now = Instant::now();
        let due = match shared.fault {
            // The one that was registered first is the only one that is looked at.
            LongestFirst => {
                let first = timers.waiting.keys().min_by_key(|key| key.1);
                if first.is_some_and(|key| key.0 > now) { None } else { Some(now) }
            }
            InBatches => {
                let last = timers.fired.get_or_insert(now);
                let batch = now.duration_since(*last) > Duration::from_millis(40);
                if batch { Some(now) } else { None }
            }
            _ => Some(now),
        };
        let Some(due) = due else { return false };
        timers.fired = Some(now).filter(|_| shared.fault != InBatches);
        let later = timers.waiting.split_off(&(due + Duration::from_nanos(1), 0));
        let mut woken: Vec<_> =
            std::mem::replace(&mut timers.waiting, later).into_values().collect();
        if shared.is(OneEndsAll) && !woken.is_empty() {
            timers.all_over = true;
            woken.extend(std::mem::take(&mut timers.waiting).into_values());
        }
        drop(timers);
        if shared.is(InBatches) {
            woken.reverse();
        }
        let any = !woken.is_empty();
        for waker in woken {
            let woken = catch_unwind(AssertUnwindSafe(|| with(&FIRES, || waker.wake())));
            if let (true, Err(panic)) = (shared.is(WakerPanicEndsDriver), woken) {
                std::panic::resume_unwind(panic);
            }
        }
        any
    }

    pub(crate) fn end(shared: &Shared) {
        let mut timers = lock(shared);
        let left = (std::mem::take(&mut timers.waiting), std::mem::take(&mut timers.unseen));
        drop(timers);
        drop(left);
    }
}

/// The timer.
pub(crate) struct Clock(pub(crate) Arc<Shared>);

impl Timer for Clock {
    fn now(&self) -> Instant {
        let mut timers = lock(&self.0);
        timers.calls += 1;
        let back = self.0.is(ClockGoesBack) && timers.calls % 100 == 0;
        let now = Instant::now();
        if self.0.is(NowIsCoarse) {
            let since = now.saturating_duration_since(*timers.begun.get_or_insert(now));
            return now - Duration::from_nanos((since.as_nanos() % 10_000_000) as u64);
        }
        if back { now.checked_sub(Duration::from_millis(20)).unwrap_or(now) } else { now }
    }

    fn sleep_after(&self, duration: Duration) -> Option<(Instant, BoxSleep)> {
        let at = self.now().checked_add(duration)?;
        Some(match self.0.fault {
            SleepAfterIsShort => (at, self.sleep_until(at - duration / 2)),
            SleepAfterIsLate => (at + Duration::from_secs(1), self.sleep_until(at)),
            _ => (at, self.sleep_until(at)),
        })
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let (shared, now) = (self.0.clone(), Instant::now());
        let far = at.saturating_duration_since(now) > Duration::from_secs(2_000_000_000);
        assert!(!(shared.is(FarPanics) && far), "overflow");
        let at = match shared.fault {
            FarEnds if far => now,
            SecondsHave32Bits | MillisHave32Bits | MicrosHave32Bits => {
                let left = at.saturating_duration_since(now);
                now + match shared.fault {
                    SecondsHave32Bits => {
                        Duration::new(u64::from(left.as_secs() as u32), left.subsec_nanos())
                    }
                    MillisHave32Bits => {
                        Duration::from_millis(u64::from(left.as_nanos().div_ceil(1_000_000) as u32))
                    }
                    _ => Duration::from_micros(u64::from(left.as_nanos().div_ceil(1_000) as u32)),
                }
            }
            LastSlotIsSkipped if at > now && (at - now).as_millis() % 64 == 63 => {
                now + Duration::from_secs(3_600)
            }
            // In whole milliseconds from now.
            RoundsDown => {
                let millis = at.saturating_duration_since(now).as_millis() as u64;
                now.checked_add(Duration::from_millis(millis)).unwrap_or(at)
            }
            _ => at,
        };
        let left = at.saturating_duration_since(now);
        Box::pin(Sleep { at, left, key: None, polled: false, over: false, shared })
    }
}

struct Sleep {
    at: Instant,
    left: Duration,
    key: Option<(Instant, u64)>,
    polled: bool,
    over: bool,
    shared: Arc<Shared>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        let shared = sleep.shared.clone();
        let (first, home) = (!std::mem::replace(&mut sleep.polled, true), shared.at_home());
        assert!(home || !shared.is(HomeThreadOnly), "there is no reactor on this thread");
        let now = Instant::now();
        if first && shared.is(CountsFromFirstPoll) {
            sleep.at = now.checked_add(sleep.left).unwrap_or(sleep.at);
            if sleep.left > Duration::ZERO && sleep.at <= now {
                sleep.at = now + sleep.left;
            }
        }
        if first && shared.is(PastNeverEnds) && sleep.at <= now {
            return Poll::Pending;
        }
        let mut timers = lock(&shared);
        let ended = shared.is(OneEndsAll) && timers.all_over && !first;
        if sleep.over || now >= sleep.at || ended {
            sleep.over = true;
            let own = sleep.key.take().and_then(|key| timers.waiting.remove(&key));
            drop(timers);
            drop(own);
            return Poll::Ready(());
        }
        let key = *sleep.key.get_or_insert_with(|| {
            timers.next += 1;
            let number = if shared.is(OneAnInstant) { 0 } else { timers.next };
            (sleep.at, number)
        });
        if first && shared.is(SleepThreadIsLeft) && sleep.at > now + Duration::from_secs(60) {
            drop(std::thread::spawn(super::jobs::leave));
        }
        let waker = cx.waker().clone();
        if shared.is(SleepsAreFewerThan300) && timers.waiting.len() >= 300 {
            return Poll::Pending;
        }
        if shared.is(OneSleepAWaker) {
            timers.waiting.retain(|other, known| *other == key || !known.will_wake(&waker));
        }
        let told = home || !shared.is(ForeignSleepNotTold);
        let before = if !told {
            timers.unseen.push((key, waker));
            None
        } else if shared.is(FirstWakerStays) && timers.waiting.contains_key(&key) {
            Some(waker)
        } else {
            timers.waiting.insert(key, waker)
        };
        drop(timers);
        drop(before);
        if told {
            shared.tell();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if self.shared.is(DropKeepsSleep) {
            return;
        }
        let mut timers = lock(&self.shared);
        let mut gone = Vec::new();
        if let Some(key) = self.key.take() {
            let own = timers.waiting.remove(&key);
            if self.shared.is(DropTakesTheInstant) && own.is_some() {
                let same: Vec<_> =
                    timers.waiting.keys().filter(|other| other.0 == key.0).copied().collect();
                gone.extend(same.iter().filter_map(|key| timers.waiting.remove(key)));
            }
            gone.extend(own);
        }
        drop(timers);
    }
}
