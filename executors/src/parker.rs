//! Puts a thread to sleep until another one wakes it.
//!
//! `std::thread::park` has one token per thread and whoever parks may eat it: user code that
//! parks inside a poll would swallow the wake that was meant for the executor. This token belongs
//! to its parker alone.
//!
//! # Invariants
//!
//! 1. `unpark` leaves one token, `park` takes it; tokens do not add up.
//! 2. What happened before `unpark` is seen after the `park` that takes its token (the lock
//!    orders them).

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::task::Wake;

#[derive(Default)]
pub(crate) struct Parker {
    token: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    /// Waits for a token and takes it.
    pub(crate) fn park(&self) {
        let mut token = self.token.lock();
        while !*token {
            self.changed.wait(&mut token);
        }
        *token = false;
    }

    /// Leaves a token.
    pub(crate) fn unpark(&self) {
        *self.token.lock() = true;
        self.changed.notify_one();
    }

    /// Takes away a token that nobody waits for.
    pub(crate) fn clear(&self) {
        *self.token.lock() = false;
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
