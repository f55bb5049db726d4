//! What is not `Send`, and says where it is polled and dropped.

use allhome_conformance::{Counts, Gate, Guard};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};

/// A value of one thread. Its drop, which is counted, asserts that it is there.
pub(crate) struct Here {
    thread: ThreadId,
    _counted: Guard,
    _not_send: Rc<()>,
}

impl Here {
    pub(crate) fn new(counts: &Counts) -> Here {
        Here { thread: thread::current().id(), _counted: counts.guard(), _not_send: Rc::new(()) }
    }

    pub(crate) fn check(&self) {
        assert_eq!(thread::current().id(), self.thread, "it is on another thread");
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        // A panic in a destructor would be an outcome; this ends the test.
        if thread::current().id() != self.thread {
            eprintln!("dropped on another thread");
            std::process::abort();
        }
    }
}

/// A child that waits for ever and checks each poll. It counts polls and drops.
pub(crate) fn parked<E>(counts: &Counts) -> impl Future<Output = Result<(), E>> + use<E> {
    let (here, counts) = (Here::new(counts), counts.clone());
    poll_fn(move |_| {
        here.check();
        counts.polled();
        Poll::Pending
    })
}

/// As [`parked`], and leaves its wakers where other threads find them.
pub(crate) fn woken<E>(
    counts: &Counts,
    wakers: &Arc<Mutex<Vec<Waker>>>,
) -> impl Future<Output = Result<(), E>> + use<E> {
    let (here, counts, wakers) = (Here::new(counts), counts.clone(), wakers.clone());
    poll_fn(move |cx| {
        here.check();
        counts.polled();
        wakers.lock().unwrap().push(cx.waker().clone());
        Poll::Pending
    })
}

/// A child that waits for a gate, which another thread opens, and then gives what is not `Send`.
pub(crate) async fn gated<E>(gate: Gate, here: Here) -> Result<Here, E> {
    gate.wait().await;
    here.check();
    Ok(here)
}

/// Does this on another thread while the present one waits, and so polls and drops nothing.
pub(crate) fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(f).join().expect("it does not panic"))
}
