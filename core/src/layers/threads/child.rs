//! The handle of a child with a value, which is the future of that value.
//!
//! The child of the nursery gives nothing: its value may borrow, and is put where only the borrowed
//! future and this handle find it.

use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::join_error::JoinError;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::nursery::child::Child;
use crate::layers::nursery::join::joinable::{Joinable, sealed::Sealed};
use crate::layers::nursery::join::joined::{Joined, NoValue};
use crate::layers::nursery::value::Value;
use crate::layers::record::joiner::{SharedList, SharedTally};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Where a child's value waits for its joiner.
pub(super) struct Slot<T>(Guarded<State<T>>);

struct State<T> {
    value: Option<Foreign<T>>,
    /// The joiner is gone.
    is_over: bool,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Arc<Slot<T>> {
        Arc::new(Slot(Guarded::new(State { value: None, is_over: false })))
    }

    /// Keeps the value, or drops it if no joiner can take it: a panic of its destructor is one of the
    /// child.
    fn put(&self, value: T) {
        let mut value = Some(Foreign::new(value));
        self.0.locked(|state| {
            if !state.is_over {
                state.value = value.take();
            }
        });
        drop(value.map(Foreign::into_inner));
    }
}

/// The joiner's hold of a slot.
struct Wanted<T>(Arc<Slot<T>>);

impl<T> Wanted<T> {
    /// The child has ended with a value, which no one has taken.
    fn take(&self) -> T {
        let value = self.0.0.locked(|state| state.value.take());
        value.expect("the value is put there before the child ends").into_inner()
    }
}

impl<T> Drop for Wanted<T> {
    fn drop(&mut self) {
        let _value = self.0.0.locked(|state| {
            state.is_over = true;
            state.value.take()
        });
    }
}

pin_project! {
    /// A future whose value is put into a slot.
    pub(super) struct Fills<F, T> {
        #[pin]
        future: F,
        slot: Arc<Slot<T>>,
    }
}

impl<F, T> Fills<F, T> {
    pub(super) fn new(future: F, slot: Arc<Slot<T>>) -> Fills<F, T> {
        Fills { future, slot }
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for Fills<F, T> {
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let value = ready!(this.future.poll(cx))?;
        this.slot.put(value);
        Poll::Ready(Ok(()))
    }
}

/// Waits for the value of a child of a [`ThreadScope`](crate::ThreadScope), which may borrow: what
/// [`fork`](crate::ThreadScope::fork) returns.
///
/// It dereferences to a [`Child`] that gives nothing: its name, its state, cancel and abort are there.
///
/// # Cancel safety
///
/// Awaited by reference, it can be dropped and awaited again.
///
/// # Examples
///
/// ```
/// use allhome::{ThreadScope, thread_scope};
///
/// let words = ["one", "three"];
/// let longest = thread_scope().run(async |s: ThreadScope<'_>| {
///     let child = s.fork(async { Ok(words.iter().max_by_key(|word| word.len())) });
///     Ok(child.await?)
/// })?;
/// assert_eq!(longest, Some(&"three"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the child runs, but its value is lost: await the handle, or `drop` it; to start a \
              child without a value, use `spawn` or `go`"]
pub struct ThreadChild<T, E> {
    // First: a child that has not ended fills the slot while it is there.
    child: Child<(), E>,
    slot: Wanted<T>,
}

impl<T, E> ThreadChild<T, E> {
    pub(super) fn new(child: Child<(), E>, slot: Arc<Slot<T>>) -> ThreadChild<T, E> {
        ThreadChild { child, slot: Wanted(slot) }
    }

    /// Returns the value or why there is none, if the child has ended. Does not wait.
    pub fn try_join(&mut self) -> Option<Result<T, JoinError<E>>> {
        let joined = self.child.try_join()?;
        Some(joined.map(|()| self.slot.take()))
    }

    /// Waits for the value, and ends the task that awaits it if there is none: see
    /// [`Child::value`].
    ///
    /// # Panics
    ///
    /// The future panics where there is no task to end.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses the handle: the child runs on.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{ThreadScope, thread_scope};
    ///
    /// let (width, height) = (6, 7);
    /// let area = thread_scope().run(async |s: ThreadScope<'_>| {
    ///     let (a, b) = (s.fork(async { Ok(&width) }), s.fork(async { Ok(&height) }));
    ///     Ok(a.value().await * b.value().await)
    /// })?;
    /// assert_eq!(area, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn value(self) -> ThreadValue<T, E> {
        ThreadValue { value: self.child.value(), slot: self.slot }
    }
}

impl<T, E> Deref for ThreadChild<T, E> {
    type Target = Child<(), E>;

    fn deref(&self) -> &Child<(), E> {
        &self.child
    }
}

impl<T, E> Unpin for ThreadChild<T, E> {}

impl<T, E> Future for ThreadChild<T, E> {
    type Output = Result<T, JoinError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = ready!(Pin::new(&mut self.child).poll(cx));
        Poll::Ready(joined.map(|()| self.slot.take()))
    }
}

impl<T, E> fmt::Debug for ThreadChild<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadChild")
            .field("id", &self.child.id())
            .field("name", &self.child.name())
            .finish_non_exhaustive()
    }
}

impl<T, E> Joinable for ThreadChild<T, E> {
    type Value = T;
    type Error = E;
}

impl<T, E> Sealed for ThreadChild<T, E> {
    type Gives = T;
    type Fails = E;

    fn key(&self) -> Option<usize> {
        Sealed::key(&self.child)
    }

    fn enter(&mut self, list: &SharedList) -> bool {
        Sealed::enter(&mut self.child, list)
    }

    fn enter_tally(&mut self, tally: &SharedTally) -> bool {
        Sealed::enter_tally(&mut self.child, tally)
    }

    fn take_value(&mut self) -> Option<Result<T, NoValue<E>>> {
        let taken = Sealed::take_value(&mut self.child)?;
        Some(taken.map(|()| self.slot.take()))
    }

    fn take(&mut self, index: usize) -> Option<Joined<T, E>> {
        let joined = Sealed::take(&mut self.child, index)?;
        Some(joined.map(|()| self.slot.take()))
    }

    fn cancel_for(&self, reason: &Reason) -> bool {
        Sealed::cancel_for(&self.child, reason)
    }

    fn lose(self) {
        Sealed::lose(self.child);
    }
}

/// The future of [`ThreadChild::value`].
#[must_use = "it waits only when it is awaited"]
pub struct ThreadValue<T, E> {
    value: Value<(), E>,
    slot: Wanted<T>,
}

impl<T, E> Unpin for ThreadValue<T, E> {}

impl<T, E> Future for ThreadValue<T, E> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        ready!(Pin::new(&mut self.value).poll(cx));
        Poll::Ready(self.slot.take())
    }
}

impl<T, E> fmt::Debug for ThreadValue<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadValue").field(&self.value).finish()
    }
}
