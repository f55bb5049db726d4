//! What holds a future back in a model until it is opened.

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Waker};

/// Holds a future back until it is opened. By its flag nothing is ordered: the wake has to do that.
#[derive(Default)]
pub(crate) struct Gate {
    open: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    /// Returns `true` if it is open, in a poll, whose waker it keeps.
    pub(crate) fn is_open(&self, cx: &Context<'_>) -> bool {
        let old = self.waker.lock().unwrap().replace(cx.waker().clone());
        drop(old);
        self.open.load(Relaxed)
    }

    /// Returns the waker of the last poll, if there was one.
    pub(crate) fn kept(&self) -> Option<Waker> {
        self.waker.lock().unwrap().clone()
    }

    /// The same, after a poll.
    pub(crate) fn waker(&self) -> Waker {
        self.kept().expect("it was polled")
    }

    /// Drops the waker of the last poll.
    pub(crate) fn forget(&self) {
        let old = self.waker.lock().unwrap().take();
        drop(old);
    }

    pub(crate) fn open(&self) {
        self.open.store(true, Relaxed);
    }
}
