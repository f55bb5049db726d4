//! What time it is, to about a tick: a number that a thread counts up while something wants to know.
//!
//! A task that parks notes it, and a clock is too dear for that: this is one load. A caller that
//! wants to know keeps a [`Counting`]; with none there is no thread, and the tick is 0. A tick is the time since
//! the first one, so one that was noted stays right when the thread ends and another begins.
//!
//! A virtual clock needs no thread: its ticks are [made of its instants](of).

use super::sync::{GlobalMutex, GlobalOnce, GlobalU32, Ordering, Thread};
use allhome_rt::{Instant, lent_timer};
use std::time::Duration;

/// So long is a tick: 32 bits of them are more than a year.
const TICK: Duration = Duration::from_millis(10);

/// The tick of the first instant. A virtual clock may show an earlier one.
const FIRST: i128 = 1 << 20;

/// The present tick, or 0.
static NOW: GlobalU32 = GlobalU32::new(0);

static COUNTS: GlobalMutex<Counts> =
    GlobalMutex::new(Counts { wanted: 0, run: 0, since: 0, thread: None });

struct Counts {
    /// How many want to know.
    wanted: usize,
    /// Of the present thread, or the last one: an older one ends.
    run: u64,
    /// The first tick of the present thread.
    since: u32,
    thread: Option<Thread>,
}

/// Keeps the ticks counted.
#[must_use]
pub(crate) struct Counting(());

/// Returns the present tick: 0 if none is counted.
#[inline(always)]
pub(crate) fn now() -> u32 {
    // Relaxed: it guards nothing.
    NOW.load(Ordering::Relaxed)
}

/// Returns since which tick they are counted, if they are.
pub(crate) fn since() -> Option<u32> {
    let counts = COUNTS.lock();
    (counts.wanted > 0 && counts.since != 0).then_some(counts.since)
}

/// Returns the tick of an instant: not 0.
pub(crate) fn of(instant: Instant) -> u32 {
    static EPOCH: GlobalOnce<Instant> = GlobalOnce::new();
    let epoch = *EPOCH.get_or_init(|| instant);
    let since = match instant.checked_duration_since(epoch) {
        Some(after) => after.as_nanos() as i128,
        None => -(epoch.duration_since(instant).as_nanos() as i128),
    };
    // It wraps after more than a year.
    ((since.div_euclid(TICK.as_nanos() as i128) + FIRST) as u32).max(1)
}

/// Returns the present instant of the process, which ticks count by where no clock is virtual.
pub(crate) fn present() -> Instant {
    lent_timer().now()
}

/// Returns how long ago a tick was.
pub(crate) fn between(tick: u32, now: u32) -> Duration {
    // A tick that was counted may be a little ahead of one that was read from a clock.
    let ticks = now.wrapping_sub(tick);
    if ticks > u32::MAX / 2 { Duration::ZERO } else { TICK * ticks }
}

/// Has the ticks counted until the result is dropped. If no thread can be started, and on targets
/// without threads, they are not.
pub(crate) fn count() -> Counting {
    let mut counts = COUNTS.lock();
    counts.wanted += 1;
    if counts.wanted == 1 {
        counts.run += 1;
        counts.thread = start(counts.run);
        counts.since = match counts.thread {
            Some(_) => of(present()),
            None => 0,
        };
        NOW.store(counts.since, Ordering::Relaxed);
    }
    Counting(())
}

impl Drop for Counting {
    fn drop(&mut self) {
        let mut counts = COUNTS.lock();
        counts.wanted -= 1;
        if counts.wanted == 0 {
            counts.run += 1;
            NOW.store(0, Ordering::Relaxed);
            if let Some(thread) = counts.thread.take() {
                thread.unpark();
            }
        }
    }
}

/// Starts the thread that counts.
#[cfg(not(any(loom, target_family = "wasm")))]
fn start(run: u64) -> Option<Thread> {
    use super::sync::{ThreadBuilder, park_timeout_thread};

    /// How often it looks at its clock.
    const PERIOD: Duration = Duration::from_millis(50);

    let counting = ThreadBuilder::new().name("allhome-clock".into()).spawn(move || {
        while tick(run) {
            park_timeout_thread(PERIOD);
        }
    });
    Some(counting.ok()?.thread().clone())
}

#[cfg(any(loom, target_family = "wasm"))]
fn start(_: u64) -> Option<Thread> {
    None
}

/// Counts once. Returns `false` if this thread is not the one that counts any more.
#[cfg(not(any(loom, target_family = "wasm")))]
fn tick(run: u64) -> bool {
    let counts = COUNTS.lock();
    if counts.run == run {
        // In the lock, so that the last word is that of the thread that counts.
        NOW.store(of(present()), Ordering::Relaxed);
    }
    counts.run == run
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{TICK, between, of, present};
    use std::time::Duration;

    #[test]
    fn ticks_are_as_far_apart_as_their_instants() {
        let now = present();
        for time in [Duration::ZERO, TICK, Duration::from_secs(3_600)] {
            assert_eq!(between(of(now), of(now + time)), time);
        }
        assert_eq!(between(of(now + TICK), of(now)), Duration::ZERO, "it is ahead");
        assert!(of(now) != 0);
    }
}
