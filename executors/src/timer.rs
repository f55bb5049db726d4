//! The timer: sleeps in the order of their deadlines, and one thread that wakes them.
//!
//! A sleep looks at the clock itself; the thread only sees to it that it is polled when its time
//! has come. The thread starts with the first sleep that has to wait.
//!
//! # Invariants
//!
//! 1. A sleep has at most one entry, with the waker of its latest poll; it goes when the sleep is
//!    dropped, is ready, or is woken.
//! 2. The thread waits at most until the earliest entry. So only an entry that becomes the
//!    earliest needs to tell it.
//! 3. A timer that has stopped has no entries and takes none.
//!
//! # Lock order
//!
//! There is one lock. Wakers are cloned before it is taken, and woken and dropped after it is
//! released: they are foreign code.

use crate::current::{self, PoolId, Role};
use crate::panics::contain;
use allhome_rt::{BoxSleep, Timer};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest that the thread waits in one go: a wait until an instant that the system's clock
/// cannot express would be an error or none at all.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A pool's timer; a cheap handle.
#[derive(Clone)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PoolId,
    thread_name: String,
    state: Mutex<State>,
    earliest_changed: Condvar,
}

/// A deadline, and a number that keeps sleeps with the same one apart and in order.
type Key = (Instant, u64);

#[derive(Default)]
struct State {
    entries: BTreeMap<Key, Waker>,
    next_number: u64,
    started: bool,
    stopped: bool,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    pub(crate) fn new(pool: PoolId, pool_name: &str) -> Driver {
        Driver {
            shared: Arc::new(Shared {
                pool,
                thread_name: format!("{pool_name}-timer"),
                state: Mutex::default(),
                earliest_changed: Condvar::new(),
            }),
        }
    }

    /// Drops all entries and ends the thread; waits for its end if `join`.
    pub(crate) fn stop(&self, join: bool) {
        let mut state = self.shared.state.lock();
        state.stopped = true;
        let entries = std::mem::take(&mut state.entries);
        let thread = if join { state.thread.take() } else { None };
        drop(state);
        self.shared.earliest_changed.notify_one();
        for waker in entries.into_values() {
            contain(|| drop(waker));
        }
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
            let waker = self.timer.state.lock().entries.remove(&key);
            // The lock is released by now.
            drop(waker);
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
        let waker = cx.waker().clone();
        let replaced = Shared::arm(&sleep.timer, sleep.at, &mut sleep.key, waker);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl Shared {
    /// Makes or changes a sleep's entry. Returns a waker that the caller drops.
    ///
    /// # Panics
    ///
    /// Panics if the thread cannot be started.
    fn arm(self: &Arc<Self>, at: Instant, key: &mut Option<Key>, waker: Waker) -> Option<Waker> {
        let mut state = self.state.lock();
        if state.stopped {
            return Some(waker);
        }
        self.start(&mut state);
        let key = *key.get_or_insert_with(|| {
            state.next_number += 1;
            (at, state.next_number)
        });
        let replaced = state.entries.insert(key, waker);
        let is_news = replaced.is_none()
            && state.entries.first_key_value().is_some_and(|(first, _)| *first == key);
        drop(state);
        if is_news {
            self.earliest_changed.notify_one();
        }
        replaced
    }

    fn start(self: &Arc<Self>, state: &mut State) {
        if state.started {
            return;
        }
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
        let mut due = Vec::new();
        let mut state = self.state.lock();
        while !state.stopped {
            let now = Instant::now();
            state.take_due(now, &mut due);
            if !due.is_empty() {
                MutexGuard::unlocked(&mut state, || {
                    for waker in due.drain(..) {
                        contain(|| Waker::wake(waker));
                    }
                });
                continue;
            }
            match state.entries.first_key_value() {
                None => self.earliest_changed.wait(&mut state),
                Some((&(at, _), _)) => {
                    let until = at.min(now + LONGEST_WAIT);
                    self.earliest_changed.wait_until(&mut state, until);
                }
            }
        }
    }
}

impl State {
    /// Moves the wakers whose time has come to `due`, earliest first.
    fn take_due(&mut self, now: Instant, due: &mut Vec<Waker>) {
        while let Some(entry) = self.entries.first_entry() {
            if entry.key().0 > now {
                return;
            }
            due.push(entry.remove());
        }
    }
}
