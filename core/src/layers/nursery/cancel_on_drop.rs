//! A child that is cancelled when its handle is dropped.

use super::child::Child;
use crate::layers::base::join_error::JoinError;
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::context::new_reason::caller;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The handle of a child that is cancelled when the handle is dropped; made by
/// [`Child::cancel_on_drop`].
///
/// It is a future as the [`Child`] is, with the same output. The place of the reason is where it was
/// made. Dropping it does not wait for the child: the nursery does.
#[must_use = "it cancels the child at once when it is dropped at once; `let _ = ..` drops it too"]
pub struct CancelOnDrop<T, E> {
    /// None once it is disarmed.
    child: Option<Child<T, E>>,
    place: &'static Location<'static>,
}

impl<T, E> Child<T, E> {
    /// Has the child cancelled when the handle is dropped.
    ///
    /// For a child that is of use only as long as the caller waits for it: then a caller that gives
    /// up, also in a `select!` or a [`move_on_after`](crate::move_on_after), ends it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     let search = n.fork(std::future::pending::<Result<u32, _>>()).cancel_on_drop();
    ///     drop(search);
    ///     n.idle().await;
    ///     let found = n.fork(async { Ok(7) }).cancel_on_drop();
    ///     Ok(found.await?)
    /// });
    /// assert_eq!(block_on(run)?, 7);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn cancel_on_drop(self) -> CancelOnDrop<T, E> {
        CancelOnDrop { child: Some(self), place: Location::caller() }
    }
}

impl<T, E> CancelOnDrop<T, E> {
    /// Returns the plain handle: dropping that does not end the child.
    pub fn disarm(mut self) -> Child<T, E> {
        self.child.take().expect("it is taken only here")
    }
}

impl<T, E> Deref for CancelOnDrop<T, E> {
    type Target = Child<T, E>;

    fn deref(&self) -> &Child<T, E> {
        self.child.as_ref().expect("it is taken only by `disarm`")
    }
}

impl<T, E> DerefMut for CancelOnDrop<T, E> {
    fn deref_mut(&mut self) -> &mut Child<T, E> {
        self.child.as_mut().expect("it is taken only by `disarm`")
    }
}

impl<T, E> Future for CancelOnDrop<T, E> {
    type Output = Result<T, JoinError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut **self).poll(cx)
    }
}

impl<T, E> Drop for CancelOnDrop<T, E> {
    fn drop(&mut self) {
        let Some(child) = self.child.as_ref().filter(|child| !child.is_ended()) else { return };
        let message = String::from("its handle was dropped");
        let reason = Reason::of(ReasonKind::Requested, message, caller(), self.place);
        child.cancel_with(reason);
    }
}

impl<T, E> fmt::Debug for CancelOnDrop<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelOnDrop").field("child", &self.child).finish_non_exhaustive()
    }
}
