//! The value of a child, or the end of the task that needs it.

use super::child::Child;
use super::join::joinable::Joinable;
use super::join_all::JoinAll;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`Child::value`].
#[must_use = "it waits only when it is awaited"]
pub struct Value<T, E> {
    child: Child<T, E>,
    place: &'static Location<'static>,
}

impl<T, E> Child<T, E> {
    /// Waits for the value. Where there is none, the task or body that awaits it ends there, as
    /// [`exit`](crate::task::exit) ends one: so a failure is reported once, by the child's nursery, and
    /// the code that uses the value has no error to handle.
    ///
    /// The task is dropped where it waits: destructors run, nothing unwinds, scopes and shields do
    /// not hold it up. In a `select!` it is the whole task that ends, and not the branch. How it
    /// ends depends on the child and its nursery:
    ///
    /// | the child | the joiner | `child.await?` | `value().await` |
    /// |-----------|------------|-----------------|-----------------|
    /// | failed, panicked or was lost | inside the nursery | an [echo](crate::GroupError::echoes): the joiner ends as cancelled | the joiner ends as cancelled, for that failure |
    /// | .. of an [isolating](crate::Policy::Isolate) nursery | inside the nursery | a failure, the joiner's alone | the nursery reports the child's failure, and the joiner ends as cancelled |
    /// | .. | elsewhere | a failure of the joiner | a failure of the joiner, of the kind [`NoValue`](crate::cancel::ReasonKind::NoValue) |
    /// | ended as an echo itself | where the first failure is reported | an echo | ends as cancelled, for that failure |
    /// | was cancelled, and so is the joiner | | an echo | ends as cancelled |
    /// | was cancelled alone, or refused, or its outcome was taken | | a failure | a failure, `NoValue` |
    /// | any | a finalizer | a failure of the finalizer | the same |
    /// | any | [blocking work](crate::task::BlockingCx::block_on) | `block_on` gives the error | `block_on` gives the reason |
    /// | any | outside of any nursery | an error like any other | a panic |
    ///
    /// *Inside the nursery* are its body, its children, and what is in a nursery that one of them
    /// has open. A body that ends so has no value: by default its nursery is cancelled, and gives
    /// the child's failure.
    ///
    /// # Panics
    ///
    /// Panics if there is no value, and no task to end: it is awaited outside of any nursery.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handle: the child goes on, and its value is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery<String>| {
    ///     let part = n.task("part").fork(async { Err::<u32, _>("no such file".to_string()) });
    ///     let user = n.fork(async move { Ok(part.value().await + 1) });
    ///     Ok(user.value().await + 1)
    /// });
    /// let error = block_on(run).unwrap_err();
    /// assert_eq!(error.failures().len(), 1, "one failure is one failure");
    /// assert_eq!(error.first().name(), Some("part"));
    /// # }
    /// ```
    #[track_caller]
    pub fn value(self) -> Value<T, E> {
        Value { child: self, place: Location::caller() }
    }
}

impl<T, E> Future for Value<T, E> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.child.poll_take(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(value)) => Poll::Ready(value),
            Poll::Ready(Err(lacking)) => {
                lacking.end_joiner(self.place);
                Poll::Pending
            }
        }
    }
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Value<[u64; 8], u8>>() <= 48);

impl<T, E> fmt::Debug for Value<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("id", &self.child.id()).finish_non_exhaustive()
    }
}

/// The future of [`JoinAll::values`].
#[must_use = "it waits only when it is awaited"]
pub struct Values<C: Joinable> {
    children: JoinAll<C>,
    place: &'static Location<'static>,
}

impl<C: Joinable> JoinAll<C> {
    /// Waits for all values, in the order of the handles. Where there is none, the task or body
    /// that awaits it ends, as with [`Child::value`].
    ///
    /// # Panics
    ///
    /// Panics if a value is missing, and there is no task to end: it is awaited outside of any
    /// nursery.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handles: the children go on, and their values are lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, join_all, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     let lengths = ["one", "three"].map(|page| n.fork(async { Ok(page.len()) }));
    ///     Ok(join_all(lengths).values().await)
    /// });
    /// assert_eq!(block_on(run)?, [3, 5]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn values(self) -> Values<C> {
        Values { children: self, place: Location::caller() }
    }
}

impl<C: Joinable> Unpin for Values<C> {}

impl<C: Joinable> Future for Values<C> {
    type Output = Vec<C::Value>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<C::Value>> {
        match self.children.poll_values(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(values)) => Poll::Ready(values),
            Poll::Ready(Err(missed)) => {
                missed.end_joiner(self.place);
                Poll::Pending
            }
        }
    }
}

impl<C: Joinable> fmt::Debug for Values<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("children", &self.children).finish_non_exhaustive()
    }
}
