//! A future that is dropped at each of its await points in turn, to see what that leaves behind.

use crate::layers::base::sync::panicking;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// A future is pending so often at most.
const MOST: usize = 4_000;

/// Where a future was stopped that [`cancel_safe`] runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped<T> {
    /// It was dropped while it waited, after so many polls; 0: before its first.
    Dropped {
        /// How often it was polled.
        polls: usize,
    },
    /// It was ready, with this output.
    Ready(T),
}

impl<T> fmt::Display for Stopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Dropped { polls: 0 } => f.write_str("dropped before its first poll"),
            Stopped::Dropped { polls: 1 } => f.write_str("dropped after 1 poll"),
            Stopped::Dropped { polls } => write!(f, "dropped after {polls} polls"),
            Stopped::Ready(_) => f.write_str("ready"),
        }
    }
}

/// Tests whether a future is cancel safe: drops it at each of its await points in turn, and calls
/// `check` after each.
///
/// `make` is called for each run, and returns the same future each time. The first run drops it
/// unpolled, the second after its first poll, and so on, until a run is ready: that is the last, and
/// `check` is called for it, too. Returns how often the future was pending in that run, which is the
/// number of its await points if each was pending once.
///
/// It runs wherever it is awaited, on any runtime, with that runtime's clock: under tokio's paused
/// time a sleep takes no time. A future that waits for ever hangs the test; the
/// [simulator](crate::sim) finds that, and strikes the children of a nursery as well
/// ([`sim::inject`](crate::sim::inject)).
///
/// # Panics
///
/// Panics if `check` does, after a line on stderr that says where the future was dropped, and if the
/// future is not ready after four thousand polls.
///
/// # Cancel safety
///
/// Dropping it drops the future of the present run; that run is not checked.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::cancel::{Stopped, cancel_safe};
/// use allhome::{block_on, yield_now};
/// use std::cell::Cell;
///
/// let (from, to) = (Cell::new(100), Cell::new(0));
/// let transfer = || async {
///     yield_now().await; // asks the bank
///     from.set(from.get() - 1);
///     to.set(to.get() + 1);
///     yield_now().await; // writes the log
/// };
/// let points = block_on(cancel_safe(transfer, |stopped| {
///     assert_eq!(from.get() + to.get(), 100, "money was lost or made");
///     if let Stopped::Dropped { polls: 0 | 1 } = stopped {
///         assert_eq!(to.get(), 0, "nothing is done before the bank has answered");
///     }
/// }));
/// assert_eq!(points, 2);
/// # }
/// ```
///
/// A receive loop that is *not* cancel safe, which the check finds:
///
/// ```should_panic
/// # #[cfg(feature = "executors")] {
/// use allhome::cancel::cancel_safe;
/// use allhome::{block_on, yield_now};
/// use std::cell::RefCell;
///
/// let (line, done) = (RefCell::new(vec![1, 2, 3]), RefCell::new(Vec::new()));
/// let one = || async {
///     let item = line.borrow_mut().pop();
///     yield_now().await; // the item is in a local here, and lost if this is dropped
///     done.borrow_mut().extend(item);
/// };
/// block_on(cancel_safe(one, |_| {
///     assert_eq!(line.borrow().len() + done.borrow().len(), 3, "an item was lost");
/// }));
/// # }
/// # #[cfg(not(feature = "executors"))]
/// # panic!();
/// ```
pub async fn cancel_safe<F: Future>(
    mut make: impl FnMut() -> F,
    mut check: impl FnMut(Stopped<F::Output>),
) -> usize {
    let mut polls = 0;
    loop {
        let stopped = stop(make(), polls).await;
        let is_over = matches!(stopped, Stopped::Ready(_));
        let told = Told(stopped.to_string());
        check(stopped);
        drop(told);
        if is_over {
            return polls - 1;
        }
        polls += 1;
        assert!(polls <= MOST, "the future was polled {MOST} times, and is not ready");
    }
}

/// Polls it until it was pending so often, or is ready, and drops it.
async fn stop<F: Future>(future: F, polls: usize) -> Stopped<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(Stopped::Dropped { polls });
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Stopped::Ready(output)),
            Poll::Pending if left == 0 => Poll::Ready(Stopped::Dropped { polls }),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Says in a panic where the future was stopped.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if panicking() {
            eprintln!("cancel_safe: the check failed for a future that was {}", self.0);
        }
    }
}
