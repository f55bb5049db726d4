//! Values of the user's that are too big to be passed from function to function.
//!
//! Without optimizations, each function that passes a value on has a copy of it in its frame. A
//! future of 192 KiB, moved through a dozen frames to its record, overflowed a stack of 2 MiB in
//! that way. So a public function boxes a big value as its first step, and passes on the box; tokio
//! does the same. The box is one more allocation, for a value that takes longer to copy than a box
//! to allocate.
//!
//! The boxes are of `dyn` types, so that the functions that take them are compiled once, and not a
//! second time for each future.
//!
//! A future that is made of another is moved by the user's code: from the function that makes it to
//! `named`, to the combinator around it, to the `await`. Each of these has a copy in one and the
//! same frame, so that no number of them is safe for a value of a fixed size. Without optimizations
//! such a future keeps what it is made of in a [`Place`] of the size of a pointer. Its type cannot
//! depend on the size of what is inside, so that a small future has a box there, too; with
//! optimizations none has.

use pin_project_lite::pin_project;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of a child, of any type.
pub(crate) type BoxedFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// A value of more bytes than this is boxed. Optimized code makes few copies, and a smaller value
/// is better off in one allocation.
const LIMIT: usize = if cfg!(debug_assertions) { 2 << 10 } else { 16 << 10 };

/// Returns `true` if values of this type must be boxed.
pub(crate) const fn is_big<T>() -> bool {
    size_of::<T>() > LIMIT
}

/// Where a future of ours has what the user's code gave it.
#[cfg(debug_assertions)]
pub(crate) type Place<T> = Box<T>;
#[cfg(not(debug_assertions))]
pub(crate) type Place<T> = T;

#[cfg(debug_assertions)]
type Pinned<F> = Pin<Box<F>>;
#[cfg(not(debug_assertions))]
type Pinned<F> = F;

/// Puts a value in its place.
#[cfg(debug_assertions)]
pub(crate) fn place<T>(value: T) -> Place<T> {
    Box::new(value)
}

#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn place<T>(value: T) -> Place<T> {
    value
}

pin_project! {
    /// A future in its place.
    pub(crate) struct Inner<F> {
        #[pin]
        future: Pinned<F>,
        // It can be unpinned where the future can, and not wherever a box can.
        #[pin]
        of: PhantomData<F>,
    }
}

impl<F> Inner<F> {
    #[cfg(debug_assertions)]
    pub(crate) fn new(future: F) -> Inner<F> {
        Inner { future: Box::pin(future), of: PhantomData }
    }

    #[cfg(not(debug_assertions))]
    #[inline(always)]
    pub(crate) fn new(future: F) -> Inner<F> {
        Inner { future, of: PhantomData }
    }
}

impl<F: Future> Future for Inner<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}
