//! The tools of the cases: futures that count, gates that a case opens.

use allhome::task::{TaskState, Tree};
use allhome::yield_now;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Counts what happens to the futures that share it.
#[derive(Clone, Default, Debug)]
pub struct Counts {
    inner: Arc<Inner>,
}

#[derive(Default, Debug)]
struct Inner {
    polls: AtomicUsize,
    drops: AtomicUsize,
}

impl Counts {
    /// Makes counts that are all zero.
    pub fn new() -> Counts {
        Counts::default()
    }

    /// Returns how many polls have ended.
    pub fn polls(&self) -> usize {
        self.inner.polls.load(Ordering::SeqCst)
    }

    /// Returns how many were dropped.
    pub fn drops(&self) -> usize {
        self.inner.drops.load(Ordering::SeqCst)
    }

    /// Counts a poll.
    pub fn polled(&self) {
        self.inner.polls.fetch_add(1, Ordering::SeqCst);
    }

    /// Makes a value that counts when it is dropped.
    pub fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    /// Makes a future that waits for ever and keeps its waker.
    pub fn parked(&self) -> Parked {
        Parked { guard: self.guard(), waker: None }
    }
}

/// Counts a drop; made by [`Counts::guard`].
#[derive(Debug)]
pub struct Guard(Counts);

impl Guard {
    /// Makes another that counts in the same place.
    pub(crate) fn another(&self) -> Guard {
        self.0.guard()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.inner.drops.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits for ever, counting polls and the drop; made by [`Counts::parked`].
#[derive(Debug)]
#[must_use]
pub struct Parked {
    guard: Guard,
    waker: Option<Waker>,
}

impl<E> Future for ParkedAs<E> {
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let parked = &mut self.parked;
        parked.waker = Some(cx.waker().clone());
        parked.guard.0.polled();
        Poll::Pending
    }
}

/// A [`Parked`] with an output type.
#[derive(Debug)]
#[must_use]
pub struct ParkedAs<E> {
    parked: Parked,
    output: std::marker::PhantomData<fn() -> E>,
}

impl Parked {
    /// Gives it an error type, so that it can be a child.
    pub fn child<E>(self) -> ParkedAs<E> {
        ParkedAs { parked: self, output: std::marker::PhantomData }
    }
}

/// Panics when it is dropped.
#[derive(Debug)]
pub struct DropPanics(pub &'static str);

impl Drop for DropPanics {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// Lets tasks wait until the case opens it.
#[derive(Clone, Default, Debug)]
pub struct Gate {
    state: Arc<Mutex<(bool, Vec<Waker>)>>,
}

impl Gate {
    /// Makes a gate that is shut.
    pub fn new() -> Gate {
        Gate::default()
    }

    /// Opens it for good.
    pub fn open(&self) {
        let wakers = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 = true;
            std::mem::take(&mut state.1)
        };
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until it is open.
    pub async fn wait(&self) {
        std::future::poll_fn(|cx| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Gives the other tasks turns until the condition holds. If it never does, the watchdog ends the
/// rule.
pub async fn eventually(condition: impl Fn() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

/// Returns `true` if every task in the tree waits: it is not being polled, and has been polled.
pub(crate) fn all_wait(tree: &Tree) -> bool {
    let mut tasks = tree.nurseries().iter().flat_map(|nursery| &nursery.tasks);
    tasks.all(|task| task.state == TaskState::Waiting)
}
