//! The timer: a wheel of sleeps, and one thread that wakes them.
//!
//! A sleep looks at the clock itself; the thread only makes sure that it is polled when its time
//! has come. The thread starts with the first sleep that has to wait.
//!
//! # Invariants
//!
//! 1. A sleep has at most one entry in the wheel, with the waker of its latest poll; it goes when
//!    the sleep is dropped, is ready, or is woken.
//! 2. The thread waits at most until `wait_ends`, and no entry is earlier. So only an entry that is
//!    earlier notifies it. While it does not wait, that is 0: no entry notifies it, and it looks
//!    again before it waits.
//! 3. A timer that has stopped has no entries and takes none.
//!
//! # Lock order
//!
//! There is one lock. Wakers are cloned before it is taken, and woken and dropped after it is
//! released: they are foreign code. Of the entries that are due together the thread takes some at a
//! time, so that other threads do not wait for the lock for long.

mod slab;
#[cfg(test)]
mod tests;
mod wheel;

use crate::current::{self, PoolId, Role};
use crate::guarded::{Foreign, Guard, Guarded};
use allhome_rt::Instant;
use allhome_rt::{BoxSleep, Timer};
use parking_lot::Condvar;
use slab::Key;
use std::future::Future;
use std::iter;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wheel::Wheel;

/// The longest that the thread waits in one go: a wait until an instant that the system's clock
/// cannot express would be an error or none at all.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// As many wakers as the thread takes under one lock.
const BATCH: usize = 128;

/// A pool's timer; a cheap handle.
#[derive(Clone)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PoolId,
    thread_name: String,
    /// Where the wheel's time begins.
    base: Instant,
    state: Guarded<State>,
    wait_is_shorter: Condvar,
}

struct State {
    wheel: Wheel<Foreign<Waker>>,
    wait_ends: u64,
    started: bool,
    stopped: bool,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    pub(crate) fn new(pool: PoolId, pool_name: &str) -> Driver {
        let state = State {
            wheel: Wheel::new(),
            wait_ends: 0,
            started: false,
            stopped: false,
            thread: None,
        };
        Driver {
            shared: Arc::new(Shared {
                pool,
                thread_name: format!("{pool_name}-timer"),
                base: Instant::now(),
                state: Guarded::new(state),
                wait_is_shorter: Condvar::new(),
            }),
        }
    }

    /// Drops all entries and ends the thread; waits for its end if `join`.
    pub(crate) fn stop(&self, join: bool) {
        let (wheel, thread) = self.shared.state.locked(|state| {
            state.stopped = true;
            let thread = if join { state.thread.take() } else { None };
            (mem::replace(&mut state.wheel, Wheel::new()), thread)
        });
        self.shared.wait_is_shorter.notify_one();
        wheel.into_values().for_each(Foreign::discard);
        if let Some(thread) = thread {
            // It contains every panic, so there is none to report.
            let _ = thread.join();
        }
    }
}

impl Timer for Driver {
    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(Sleep { timer: Arc::clone(&self.shared), at, key: None })
    }
}

/// Ready once its instant has come.
struct Sleep {
    timer: Arc<Shared>,
    at: Instant,
    /// The key of its entry, which may be gone already.
    key: Option<Key>,
}

impl Sleep {
    fn disarm(&mut self) {
        if let Some(key) = self.key.take() {
            if let Some(waker) = self.timer.state.locked(|state| state.wheel.remove(key)) {
                waker.discard();
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        if Instant::now() >= sleep.at {
            sleep.disarm();
            return Poll::Ready(());
        }
        let waker = Foreign::cloned(cx.waker());
        if let Some(replaced) = Shared::arm(&sleep.timer, sleep.at, &mut sleep.key, waker) {
            replaced.discard();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl Shared {
    /// Makes or changes a sleep's entry. Returns a waker that the caller discards.
    ///
    /// # Panics
    ///
    /// Panics if the thread cannot be started.
    fn arm(
        self: &Arc<Self>,
        at: Instant,
        key: &mut Option<Key>,
        waker: Foreign<Waker>,
    ) -> Option<Foreign<Waker>> {
        let at = self.nanos(at);
        let mut state = self.state.lock();
        if state.stopped {
            return Some(waker);
        }
        if !state.started {
            self.start(&mut state);
        }
        let waker = match *key {
            None => waker,
            Some(key) => match state.wheel.replace(key, waker) {
                Ok(replaced) => return Some(replaced),
                // Its time came after this poll looked at the clock: the wake went to the waker of
                // an earlier poll, and this one is owed another.
                Err(waker) => waker,
            },
        };
        *key = Some(state.wheel.insert(at, waker));
        let is_news = at < state.wait_ends;
        if is_news {
            // So that of many that come before the thread wakes only one notifies it.
            state.wait_ends = at;
        }
        drop(state);
        if is_news {
            self.wait_is_shorter.notify_one();
        }
        None
    }

    fn start(self: &Arc<Self>, state: &mut State) {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new()
            .name(self.thread_name.clone())
            .spawn(move || shared.drive())
            .expect("the timer's thread must start: without it no sleep would ever end");
        state.thread = Some(thread);
        state.started = true;
    }

    fn drive(&self) {
        current::enter(self.pool, Role::Helper);
        let mut due = Vec::with_capacity(BATCH);
        while self.take_due(&mut due) {
            due.drain(..).for_each(Foreign::wake);
        }
    }

    /// Waits until an entry is due, and takes some of those. Returns `false` if the timer has
    /// stopped.
    fn take_due(&self, due: &mut Vec<Foreign<Waker>>) -> bool {
        let mut state = self.state.lock();
        while !state.stopped {
            let now = Instant::now();
            let nanos = self.nanos(now);
            due.extend(iter::from_fn(|| state.wheel.pop_due(nanos)).take(BATCH));
            if !due.is_empty() {
                return true;
            }
            self.wait(&mut state, now);
        }
        false
    }

    /// Waits for the first entry's time, or for an earlier entry.
    fn wait(&self, state: &mut Guard<'_, State>, now: Instant) {
        let Some(next) = state.wheel.next() else {
            state.wait_ends = u64::MAX;
            state.wait(&self.wait_is_shorter);
            state.wait_ends = 0;
            return;
        };
        state.wait_ends = next;
        let wait = Duration::from_nanos(next.saturating_sub(self.nanos(now))).min(LONGEST_WAIT);
        state.wait_for(&self.wait_is_shorter, wait);
        state.wait_ends = 0;
    }

    /// Returns an instant on the wheel's clock; the last there is if it cannot express it.
    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.base).as_nanos()).unwrap_or(u64::MAX)
    }
}
