//! Puts a thread to sleep until another one wakes it.
//!
//! `std::thread::park` alone is not enough: a thread has one token there, and any code that parks
//! may take it. User code that parks inside a poll would swallow the wake that was meant for the
//! executor. So a parker has a token of its own; std's only makes the thread look at that one
//! again.
//!
//! # Invariants
//!
//! 1. `unpark` leaves one token, `park` takes it; tokens do not add up.
//! 2. What happened before `unpark` is seen after the `park` that takes its token.
//! 3. One thread parks. It registers before it looks for a token for the first time. A thread that
//!    leaves a token wakes the parked thread if it has registered; if it has not, it will see the
//!    token.
//!
//! # Memory ordering
//!
//! The token is stored with Release and taken with Acquire: invariant 2. Invariant 3 is a matter of
//! two stores and two loads, crosswise, so a SeqCst fence is between them on both sides, until the
//! thread is known. From then on std's own token orders them: it is left after ours.

use allhome_rt::Instant;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::Wake;
use std::thread::{self, Thread};

#[derive(Default)]
pub(crate) struct Parker {
    token: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Parker {
    /// Waits for a token and takes it.
    pub(crate) fn park(&self) {
        self.introduce();
        while !self.take() {
            thread::park();
        }
    }

    /// As [`park`](Parker::park), but gives up at an instant. Returns `false` then.
    pub(crate) fn park_until(&self, end: Instant) -> bool {
        self.introduce();
        while !self.take() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(left);
        }
        true
    }

    /// Leaves a token.
    pub(crate) fn unpark(&self) {
        self.token.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
            return;
        }
        fence(Ordering::SeqCst);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Takes away a token that no thread waits for.
    pub(crate) fn clear(&self) {
        self.token.store(false, Ordering::Relaxed);
    }

    fn introduce(&self) {
        if self.thread.get().is_none() {
            let _ = self.thread.set(thread::current());
            fence(Ordering::SeqCst);
        }
        debug_assert_eq!(self.thread.get().map(Thread::id), Some(thread::current().id()));
    }

    fn take(&self) -> bool {
        // A look first: a swap would take the cache line from the thread that leaves the token.
        self.token.load(Ordering::Relaxed) && self.token.swap(false, Ordering::Acquire)
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::time::Duration;

    /// Calls it on another thread and fails if it does not return.
    #[track_caller]
    fn returns<R: Send + 'static>(call: impl FnOnce() -> R + Send + 'static) -> R {
        let (tx, rx) = mpsc::channel();
        thread::spawn(move || tx.send(call()));
        rx.recv_timeout(Duration::from_secs(60)).expect("hang: it sleeps")
    }

    #[test]
    fn token_before_the_park_then_it_returns_and_takes_it() {
        let parker = Arc::new(Parker::default());
        parker.unpark();
        parker.unpark();
        let own = Arc::clone(&parker);
        let another = returns(move || {
            own.park();
            own.park_until(Instant::now())
        });
        assert!(!another, "tokens do not add up");
    }

    #[test]
    fn park_of_the_users_then_the_token_is_left() {
        let parker = Arc::new(Parker::default());
        let (own, waker) = (Arc::clone(&parker), Arc::clone(&parker));
        returns(move || {
            assert!(!own.park_until(Instant::now()), "it is known now");
            waker.unpark();
            // Eats std's token.
            thread::park();
            own.park();
        });
    }

    #[test]
    fn token_that_was_cleared_then_it_waits_to_the_end() {
        let parker = Arc::new(Parker::default());
        parker.unpark();
        parker.clear();
        assert!(!returns(move || parker.park_until(Instant::now() + Duration::from_millis(1))));
    }

    /// Each may take a time slice of other programs.
    const TURNS: usize = 2_000;

    #[test]
    fn turn_by_turn_then_no_wake_is_lost() {
        let parkers = [(); 2].map(|()| Arc::new(Parker::default()));
        let turns = Arc::new(AtomicUsize::new(0));
        let [first, second] = parkers.clone();
        let counted = Arc::clone(&turns);
        let other = thread::spawn(move || {
            for turn in 0..TURNS {
                second.park();
                assert_eq!(counted.fetch_add(1, Ordering::Relaxed), 2 * turn + 1);
                first.unpark();
            }
        });
        let [first, second] = parkers;
        let counted = Arc::clone(&turns);
        returns(move || {
            for turn in 0..TURNS {
                assert_eq!(counted.fetch_add(1, Ordering::Relaxed), 2 * turn);
                second.unpark();
                first.park();
            }
        });
        other.join().unwrap();
    }
}
