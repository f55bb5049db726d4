//! Children that stay inside a poll, and the watchdog over the tests that have them.

use allhome_conformance::Counts;
use std::future::{Future, poll_fn};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

/// How long anything may take before it counts as hanging: far more than any needs.
const LIMIT: Duration = Duration::from_secs(60);

/// Holds every thread that comes until the test lets go.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entered: bool,
    released: bool,
}

impl Hold {
    /// Makes a hold that no thread has come to.
    pub fn new() -> Hold {
        Hold::default()
    }

    /// Lets the test know that it is here, and blocks the thread until it may go.
    pub fn stay(&self) {
        self.change(|state| state.entered = true);
        self.wait("was never released", |state| state.released);
    }

    /// Blocks until a thread is here.
    pub fn wait_entered(&self) {
        self.wait("no thread came", |state| state.entered);
    }

    /// Releases every thread.
    pub fn release(&self) {
        self.change(|state| state.released = true);
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.inner.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.inner.changed.notify_all();
    }

    fn wait(&self, what: &str, done: impl Fn(&State) -> bool) {
        let state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.inner.changed.wait_timeout_while(state, LIMIT, |state| !done(state));
        let (_state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{what} after {LIMIT:?}");
    }
}

impl Hold {
    /// Makes a child that stays in its first poll until it may go, and does in that poll and all
    /// later ones what the test says. It counts its polls as they end, and its drop.
    pub fn child<R>(
        &self,
        counts: &Counts,
        mut then: impl FnMut(&mut Context<'_>) -> Poll<R> + Send + 'static,
    ) -> impl Future<Output = R> + Send + 'static {
        let (hold, counts, guard) = (self.clone(), counts.clone(), counts.guard());
        poll_fn(move |cx| {
            let _inside = &guard;
            if counts.polls() == 0 {
                hold.stay();
            }
            counts.polled();
            then(cx)
        })
    }
}

/// Runs a test that might block its thread for ever if the code under test is broken.
///
/// # Panics
///
/// Goes on with the test's panic; and panics if the test is not done after a minute.
pub fn within<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, watch) = channel::<()>();
    let thread = thread::spawn(move || {
        let _done = done;
        test()
    });
    assert_ne!(watch.recv_timeout(LIMIT), Err(RecvTimeoutError::Timeout), "it hangs");
    thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}
