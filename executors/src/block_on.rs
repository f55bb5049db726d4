//! Runs one future on the calling thread.
//!
//! # Invariants
//!
//! 1. A parker is in use by at most one call: a call takes it out of its thread's cache and puts
//!    it back at its end, so a nested call finds the cache empty and makes a parker of its own.
//! 2. The future is dropped before the parker goes back, and both before the call returns.

use crate::current;
use crate::parker::Parker;
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

thread_local! {
    static CACHE: Cell<Option<ThreadWaker>> = const { Cell::new(None) };
}

/// Runs a future on the calling thread until it is ready and returns its output.
///
/// The future need neither be `Send` nor `'static`; it is dropped before `block_on` returns. The
/// thread sleeps while the future waits. A repeated call on the same thread allocates nothing.
///
/// A call inside a future that another `block_on` polls on the same thread works, but the outer
/// future stands still until it returns: an event that the inner one waits for must come from
/// elsewhere.
///
/// # `block_on` or `ThreadPool`?
///
/// Nothing but the one future runs here. Tasks, sleeps and blocking work belong to a
/// [`ThreadPool`](crate::ThreadPool), whose tasks the future can wait for.
///
/// # Panics
///
/// Panics if called in a poll of a nursery's task or body, whichever runtime polls it, and on a
/// worker thread of a [`ThreadPool`](crate::ThreadPool). The call would block the thread, and the
/// future might wait for something that only this thread runs. Await the future instead, or call
/// `block_on` in blocking work, where it is allowed.
///
/// A panic of the future reaches the caller.
///
/// # Examples
///
/// ```
/// let mut total = 1;
/// let seen = allhome_executors::block_on(async {
///     total += 1;
///     total
/// });
/// assert_eq!((total, seen), (2, 2));
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    current::assert_may_hold("block_on");
    // Before the future, so that it is put back after the future is dropped (invariant 2).
    let thread_waker = TakenWaker::take();
    let mut future = pin!(future);
    let mut cx = Context::from_waker(&thread_waker.thread_waker().waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread_waker.thread_waker().parker.park(),
        }
    }
}

/// A parker and the waker that unparks it.
struct ThreadWaker {
    parker: Arc<Parker>,
    waker: Waker,
}

impl ThreadWaker {
    fn new() -> ThreadWaker {
        let parker = Arc::new(Parker::default());
        ThreadWaker { waker: Waker::from(Arc::clone(&parker)), parker }
    }
}

/// A waker out of the cache; goes back when dropped, also on a panic.
struct TakenWaker(Option<ThreadWaker>);

impl TakenWaker {
    fn take() -> TakenWaker {
        // The cache is gone if a destructor of another thread-local value calls block_on.
        let thread_waker =
            CACHE.try_with(Cell::take).ok().flatten().unwrap_or_else(ThreadWaker::new);
        // A waker that outlived an earlier call may have left a token, which is not meant for this
        // call.
        thread_waker.parker.clear();
        TakenWaker(Some(thread_waker))
    }

    fn thread_waker(&self) -> &ThreadWaker {
        self.0.as_ref().expect("the waker is taken out in drop only")
    }
}

impl Drop for TakenWaker {
    fn drop(&mut self) {
        let thread_waker = self.0.take();
        let _ = CACHE.try_with(|cache| cache.set(thread_waker));
    }
}
