//! One attempt after the other, until one has a value.
//!
//! | an attempt is started          | by                                        |
//! |--------------------------------|-------------------------------------------|
//! | the first                      | the first poll                            |
//! | the next, after the delay      | the sleep, which each start begins anew   |
//! | the next, at once              | an attempt that has ended without a value |
//!
//! None is started once one has a value, or the deadline has passed.

use super::driver::{Driver, Step};
use super::joinable::Joinable;
use super::joiner::Joiner;
use super::joiners::FirstOk;
use crate::layers::time::{Sleep, sleep};
use allhome_rt::Instant;
use std::fmt;
use std::future::Future;
use std::iter::Fuse;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Starts one attempt after the other, and gives the first value.
///
/// `attempts` is asked for the first child at once, and for the next one when the delay has passed
/// since the last was started, or when one of them has ended without a value. So it spawns each
/// child when it is asked for it. An attempt that has begun goes on while the next ones run.
///
/// When one has a value the others are cancelled, and have ended when it is ready: see
/// [`join_with`](crate::join::join_with), also for the policy that the nursery should have.
///
/// # Errors
///
/// Gives [`NotEnough`](crate::join::NotEnough), with all failures, if no attempt has a value and there
/// are no more.
///
/// # Panics
///
/// The future panics if it is polled after it was ready, and where `attempts` panics.
///
/// # Cancel safety
///
/// If the future is dropped before it is ready, the attempts that were started are cancelled, and
/// none is started any more.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Policy, nursery, sleep};
/// use allhome::join::hedge;
/// use std::time::Duration;
///
/// let run = nursery().policy(Policy::Isolate).run(async |n: Nursery| {
///     // The first replica is slow today.
///     let attempts = [900, 20, 20].into_iter().map(|ms| {
///         n.fork(async move {
///             sleep(Duration::from_millis(ms)).await;
///             Ok(ms)
///         })
///     });
///     Ok(hedge(Duration::from_millis(50), attempts).await?)
/// });
/// let result = allhome::Simulator::new().run(async |_: Nursery| Ok(run.await?))?;
/// assert_eq!(result, 20);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn hedge<C: Joinable, I: IntoIterator<Item = C>>(
    delay: Duration,
    attempts: I,
) -> Hedge<C, I::IntoIter> {
    Hedge {
        driver: Driver::new(FirstOk::new(), Location::caller()),
        attempts: Some(attempts.into_iter().fuse()),
        delay,
        next: Next::Now,
    }
}

/// The future of [`hedge`].
#[must_use = "it waits only when it is awaited, and starts nothing before that"]
pub struct Hedge<C: Joinable, I: Iterator<Item = C>> {
    driver: Driver<C, FirstOk<C::Value, C::Error>>,
    /// None when there are no more, or none is of use.
    attempts: Option<Fuse<I>>,
    delay: Duration,
    next: Next,
}

/// After so many steps in one poll, the other tasks have a turn: attempts that a closed nursery
/// refuses, or between which there is no delay, may be without end.
const AT_ONCE: usize = 32;

/// When the next attempt is started.
enum Next {
    Now,
    After(Pin<Box<Sleep>>),
}

impl<C: Joinable, I: Iterator<Item = C>> Hedge<C, I> {
    /// Gives what is there after this time, counted from the first poll: no more attempts are
    /// started then, and those that have begun are cancelled. See
    /// [`JoinWith::deadline`](crate::join::JoinWith::deadline).
    pub fn deadline(mut self, after: Duration) -> Hedge<C, I> {
        self.driver.end_after(after);
        self
    }

    /// As [`deadline`](Hedge::deadline), at this instant.
    pub fn deadline_at(mut self, at: Instant) -> Hedge<C, I> {
        self.driver.end_at(at);
        self
    }

    /// Starts an attempt, if one is due. Returns `true` if there is something new to look at.
    fn start(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(attempts) = &mut self.attempts else { return false };
        if self.driver.is_decided(cx) {
            // The deadline may have passed just now, and children with it.
            self.attempts = None;
            return true;
        }
        if let Next::After(sleep) = &mut self.next {
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
        let Some(child) = attempts.next() else {
            self.attempts = None;
            return false;
        };
        self.driver.children.push(child);
        self.next = Next::After(Box::pin(sleep(self.delay)));
        true
    }
}

impl<C: Joinable, I: Iterator<Item = C>> Unpin for Hedge<C, I> {}

impl<C: Joinable, I: Iterator<Item = C>> Future for Hedge<C, I> {
    type Output = <FirstOk<C::Value, C::Error> as Joiner<C::Value, C::Error>>::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        for _ in 0..AT_ONCE {
            // First those that have ended: with a value among them, no attempt is due.
            match self.driver.poll_step(cx) {
                Poll::Ready(Step::Ended { has_value }) => {
                    if !has_value {
                        self.next = Next::Now;
                    }
                }
                Poll::Ready(Step::Empty) => {
                    self.next = Next::Now;
                    if !self.start(cx) {
                        return Poll::Ready(self.driver.finish());
                    }
                }
                Poll::Pending if self.start(cx) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<C: Joinable, I: Iterator<Item = C>> fmt::Debug for Hedge<C, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge")
            .field("running", &self.driver.children.len())
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}
