//! The timer that is lent: a map of sleeps, and one thread that wakes them.
//!
//! A sleep looks at the clock itself; the thread only makes sure that it is polled when its time
//! has come.
//!
//! # Invariants
//!
//! 1. A sleep has at most one entry, with the waker of its latest poll; it goes when the sleep is
//!    dropped, is ready, or is woken.
//! 2. The thread waits at most until the instant of the first entry: an entry that becomes the
//!    first notifies it.
//! 3. A sleep that has to wait exists only if the thread was started.
//!
//! # Lock order
//!
//! There is one lock. Wakers are cloned before it is taken, and called and dropped after it is
//! released: they are foreign code, and may use the timer. A wake may come after its sleep was
//! dropped, if the thread had taken the entry by then; it is one wake too many, which every future
//! must bear.

use super::contain;
use crate::{BoxSleep, Instant, Timer};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// The longest that the thread waits in one go: systems cannot express a wait for an instant that
/// no clock reaches.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// As many wakers as the thread takes under one lock.
const BATCH: usize = 128;

/// Starts the thread.
type Start = fn(Arc<Shared>) -> io::Result<()>;

pub(super) fn start(shared: Arc<Shared>) -> io::Result<()> {
    let thread = thread::Builder::new().name("allhome-timer".to_owned());
    thread.spawn(move || shared.drive()).map(drop)
}

/// A cheap handle.
pub(super) struct Lent {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    first_is_new: Condvar,
    start: Start,
}

#[derive(Default)]
struct State {
    sleeps: BTreeMap<Key, Waker>,
    next_number: u64,
    started: bool,
}

/// When, and, of those at the same instant, which: first come, first woken.
type Key = (Instant, u64);

impl Lent {
    pub(super) fn new(start: Start) -> Lent {
        let (state, first_is_new) = (Mutex::default(), Condvar::new());
        Lent { shared: Arc::new(Shared { state, first_is_new, start }) }
    }
}

impl Timer for Lent {
    fn sleep_until(&self, at: Instant) -> BoxSleep {
        if at > Instant::now() {
            self.shared.ensure_thread();
        }
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

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            self.disarm();
            return Poll::Ready(());
        }
        self.arm(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl Sleep {
    /// Makes or changes its entry.
    fn arm(&mut self, waker: Waker) {
        let mut state = self.timer.lock();
        let key = *self.key.get_or_insert_with(|| {
            state.next_number += 1;
            (self.at, state.next_number)
        });
        // None if it is new, or if its time came after this poll had looked at the clock: the wake
        // went to the waker of an earlier poll, and this one is owed another.
        let replaced = state.sleeps.insert(key, waker);
        let is_news = replaced.is_none() && state.first() == Some(key);
        drop(state);
        if is_news {
            self.timer.first_is_new.notify_one();
        }
        drop(replaced);
    }

    fn disarm(&mut self) {
        if let Some(key) = self.key.take() {
            let waker = self.timer.lock().sleeps.remove(&key);
            drop(waker);
        }
    }
}

impl State {
    fn first(&self) -> Option<Key> {
        self.sleeps.first_key_value().map(|(&key, _)| key)
    }
}

impl Shared {
    /// # Panics
    ///
    /// Panics if the thread cannot be started.
    fn ensure_thread(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.started {
            return;
        }
        // Under the lock, so that it is started once; what it starts waits for the lock.
        let started = (self.start)(Arc::clone(self));
        state.started = started.is_ok();
        drop(state);
        if let Err(error) = started {
            panic!(
                "this runtime has no timer, and the thread of the timer that it is lent could not \
                 be started ({error}): give it one with `RuntimeBuilder::timer`"
            );
        }
    }

    fn drive(&self) {
        let mut due = Vec::with_capacity(BATCH);
        loop {
            self.take_due(&mut due);
            due.drain(..).for_each(|waker: Waker| contain(|| waker.wake()));
        }
    }

    /// Waits until an entry is due, and takes some of those.
    fn take_due(&self, due: &mut Vec<Waker>) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            while due.len() < BATCH && state.first().is_some_and(|(at, _)| at <= now) {
                due.extend(state.sleeps.pop_first().map(|(_, waker)| waker));
            }
            if !due.is_empty() {
                return;
            }
            state = match state.first() {
                None => self.first_is_new.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some((at, _)) => {
                    let wait = at.saturating_duration_since(now).min(LONGEST_WAIT);
                    let waited = self.first_is_new.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// No foreign code runs while it is held, so it is never poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
