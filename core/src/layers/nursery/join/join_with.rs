//! Waiting for many children with a joiner.

use super::driver::{Driver, Step};
use super::joinable::Joinable;
use super::joiner::Joiner;
use allhome_rt::Instant;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Waits for these children until the joiner has what it needs, and gives its result.
///
/// The children that are not needed any more are cancelled, with a reason of the kind
/// [`RaceLost`](crate::cancel::ReasonKind::RaceLost), and have ended when the result is given: they
/// were dropped, and their destructors have finished. So it takes as long as the slowest of them
/// takes for its last poll, its [grace](crate::Builder::grace) or its [shields](crate::shield).
///
/// To be cancelled so is no failure, under any [policy](crate::Policy). A value with which a child
/// that is not needed ends is dropped; an error after the cancel is an
/// [echo](crate::GroupError::echoes), and one before it the joiner's, of an isolating nursery; a
/// panic is a failure of the nursery, as ever.
///
/// # Which policy
///
/// In a nursery that fails fast, the first child that fails cancels the others, and the nursery. So
/// children that may fail, and of which some are enough, belong in a nursery whose policy is
/// [`Isolate`](crate::Policy::Isolate): their failures go to the joiner.
///
/// # Panics
///
/// The future panics if it is polled after it was ready, and where the joiner panics.
///
/// # Cancel safety
///
/// If the future is dropped before it is ready, the children that are left are cancelled, as above.
/// Their nursery waits for them. What the joiner had is lost: to keep it, give a
/// [deadline](JoinWith::deadline), or use [`Children`](crate::join::Children).
///
/// # Examples
///
/// See [`Joiner`].
#[track_caller]
pub fn join_with<C, J>(children: impl IntoIterator<Item = C>, joiner: J) -> JoinWith<C, J>
where
    C: Joinable,
    J: Joiner<C::Value, C::Error>,
{
    let mut driver = Driver::new(joiner, Location::caller());
    driver.children.extend(children);
    JoinWith { driver }
}

/// The future of [`join_with`], and of the functions that give it one of the crate's joiners.
#[must_use = "it waits only when it is awaited, and cancels the children when it is dropped"]
pub struct JoinWith<C: Joinable, J> {
    driver: Driver<C, J>,
}

impl<C: Joinable, J: Joiner<C::Value, C::Error>> JoinWith<C, J> {
    /// Gives what is there after this time, counted from the first poll: the children that are left
    /// are cancelled then, with a reason of the kind
    /// [`Deadline`](crate::cancel::ReasonKind::Deadline), and the joiner is given what they end with.
    /// A value that is ready in a child's last poll counts, unless the joiner has decided before, as a
    /// [`quorum`](crate::join::quorum) does when too many have failed.
    ///
    /// It bounds the wait for what is needed, and not that for the losers: once the joiner has
    /// decided, it has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, Policy, Simulator, nursery, sleep};
    /// use allhome::cancel::ReasonKind;
    /// use allhome::join::quorum;
    /// use std::time::Duration;
    ///
    /// let run = nursery().policy(Policy::Isolate).run(async |n: Nursery| {
    ///     let replicas = [1, 2, 9].map(|seconds| {
    ///         n.fork(async move {
    ///             sleep(Duration::from_secs(seconds)).await;
    ///             Ok(seconds)
    ///         })
    ///     });
    ///     let result = quorum(3, replicas).deadline(Duration::from_secs(5)).await;
    ///     let error = result.expect_err("the last comes too late");
    ///     let (values, failures) = error.into_parts();
    ///     assert!(failures[0].reason().is_some_and(|reason| reason.kind() == ReasonKind::Deadline));
    ///     Ok(values)
    /// });
    /// let result = Simulator::new().run(async |_: Nursery| Ok(run.await?))?;
    /// assert_eq!(result, [1, 2]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deadline(mut self, after: Duration) -> JoinWith<C, J> {
        self.driver.end_after(after);
        self
    }

    /// As [`deadline`](JoinWith::deadline), at this instant.
    pub fn deadline_at(mut self, at: Instant) -> JoinWith<C, J> {
        self.driver.end_at(at);
        self
    }

    /// The children go on if the future is dropped.
    pub(super) fn leaves_children(mut self) -> JoinWith<C, J> {
        self.driver.leaves_children();
        self
    }
}

impl<C: Joinable, J> Unpin for JoinWith<C, J> {}

impl<C: Joinable, J: Joiner<C::Value, C::Error>> Future for JoinWith<C, J> {
    type Output = J::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<J::Output> {
        while ready!(self.driver.poll_step(cx)) != Step::Empty {}
        Poll::Ready(self.driver.finish())
    }
}

impl<C: Joinable, J> fmt::Debug for JoinWith<C, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinWith").field("children", &self.driver.children).finish_non_exhaustive()
    }
}
