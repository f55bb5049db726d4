//! Futures that a test polls itself, above all that of a nursery.

use allhome::error::AsError;
use allhome::{Builder, GroupError, Nursery};
use allhome_conformance::Gate;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Counts wakes.
#[derive(Clone, Debug, Default)]
pub struct Wakes {
    count: Arc<Count>,
}

#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    /// Makes a count of zero.
    pub fn new() -> Wakes {
        Wakes::default()
    }

    /// Returns how many wakes there were.
    pub fn count(&self) -> usize {
        self.count.0.load(Ordering::SeqCst)
    }

    /// Makes a waker that counts here.
    pub fn waker(&self) -> Waker {
        Waker::from(self.count.clone())
    }
}

/// Polls the future once, with a waker that counts.
pub fn poll_once<F>(future: &mut Pin<Box<F>>, wakes: &Wakes) -> Poll<F::Output>
where
    F: Future + ?Sized,
{
    future.as_mut().poll(&mut Context::from_waker(&wakes.waker()))
}

/// A nursery that is open: its future, polled once, and its handle. Its body waits until it may
/// end.
pub struct Opened<E> {
    /// The nursery's future.
    pub run: Pin<Box<dyn Future<Output = Result<(), GroupError<E>>> + Send>>,
    /// The handle.
    pub n: Nursery<E>,
    /// Opened, it lets the body end.
    pub end: Gate,
    /// Counts the wakes of the future.
    pub wakes: Wakes,
}

impl Opened<Infallible> {
    /// Opens it, for children that cannot fail.
    ///
    /// # Panics
    ///
    /// Panics if there is no runtime to open it on.
    pub fn new(builder: Builder) -> Opened<Infallible> {
        Opened::fallible(builder)
    }
}

impl<E: Send + Sync + 'static> Opened<E> {
    /// Opens it.
    ///
    /// # Panics
    ///
    /// Panics if there is no runtime to open it on.
    pub fn fallible<M>(builder: Builder) -> Opened<E>
    where
        E: AsError<M>,
    {
        let (wakes, end) = (Wakes::new(), Gate::new());
        let kept = Arc::new(Mutex::new(None));
        let (keep, gate) = (kept.clone(), end.clone());
        let mut opened: Pin<Box<dyn Future<Output = Result<(), GroupError<E>>> + Send>> =
            Box::pin(builder.run(async move |n: Nursery<E>| {
                *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(n);
                gate.wait().await;
                Ok(())
            }));
        assert!(poll_once(&mut opened, &wakes).is_pending(), "it is not opened");
        let n = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        Opened { run: opened, n: n.expect("the body was called"), end, wakes }
    }

    /// Polls its future once.
    pub fn poll(&mut self) -> Poll<Result<(), GroupError<E>>> {
        poll_once(&mut self.run, &self.wakes)
    }

    /// Lets the body end, and polls its future once.
    pub fn finish(&mut self) -> Poll<Result<(), GroupError<E>>> {
        self.end.open();
        self.poll()
    }
}

impl<E> fmt::Debug for Opened<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("n", &self.n).finish_non_exhaustive()
    }
}
