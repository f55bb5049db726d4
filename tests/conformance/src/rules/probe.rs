//! A future that is looked at: what happened to it, and the waker that it has.

use crate::fixture::is_inside;
use crate::probe::{Counts, Guard};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A place for a waker, or for something else that comes from a task.
pub(super) struct Kept<T = Waker>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Kept<T> {
        Kept(self.0.clone())
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept(Arc::default())
    }
}

impl<T> Kept<T> {
    pub(super) fn put(&self, value: T) {
        // Dropped with no lock held: it may be the last waker of a task.
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(value);
        drop(before);
    }

    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Kept<Waker> {
    pub(super) fn is_there(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn waker(&self) -> Waker {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept.expect("it was polled, so there is a waker")
    }
}

/// Something that a test notes when it happens.
#[derive(Clone, Default)]
pub(super) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_up(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Looks at one future.
#[derive(Clone, Default)]
pub(super) struct Probe {
    counts: Counts,
    kept: Kept,
    end: Flag,
    polled_inside: Flag,
    dropped_inside: Flag,
}

impl Probe {
    pub(super) fn new() -> Probe {
        Probe::default()
    }

    /// Makes the future: it waits until [`finish`](Probe::finish) is called.
    pub(super) fn future(&self) -> Probed {
        Probed { probe: self.clone(), _guard: self.counts.guard() }
    }

    pub(super) fn polls(&self) -> usize {
        self.counts.polls()
    }

    pub(super) fn drops(&self) -> usize {
        self.counts.drops()
    }

    /// The waker of its latest poll.
    pub(super) fn waker(&self) -> Waker {
        self.kept.waker()
    }

    /// Lets go of the waker, so that nothing but the runtime has the task.
    pub(super) fn forget_waker(&self) {
        drop(self.kept.take());
    }

    /// Makes its next poll the last, without a wake.
    pub(super) fn ends(&self) {
        self.end.raise();
    }

    pub(super) fn finish(&self) {
        self.ends();
        self.waker().wake();
    }

    /// Returns `true` if it was polled in a call that is marked as
    /// [`inside`](crate::fixture::inside).
    pub(super) fn polled_inside(&self) -> bool {
        self.polled_inside.is_up()
    }

    pub(super) fn dropped_inside(&self) -> bool {
        self.dropped_inside.is_up()
    }
}

/// The future of a [`Probe`].
pub(super) struct Probed {
    probe: Probe,
    _guard: Guard,
}

impl Future for Probed {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let probe = &self.probe;
        if is_inside() {
            probe.polled_inside.raise();
        }
        let end = probe.end.is_up();
        probe.kept.put(cx.waker().clone());
        // Last: a thread that sees the count may use the waker.
        probe.counts.polled();
        if end { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Probed {
    fn drop(&mut self) {
        if is_inside() {
            self.probe.dropped_inside.raise();
        }
    }
}
