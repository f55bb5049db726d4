//! Futures that run as children of a nursery.

use super::place::Budget;
use super::place::sealed::Run;
use crate::layers::base::reason::ReasonKind;
use crate::layers::nursery::Nursery;
use crate::layers::nursery::child::Child;
use crate::layers::nursery::join::children::Children;
use crate::layers::nursery::join::joined::Joined;
use crate::layers::nursery::local::LocalNursery;
use futures_core::Stream;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The futures of a stream of this module run as children of a nursery, on its runtime.
///
/// `N` is the nursery's handle, `F` the futures' type, and `E` the nursery's type of errors.
// Without the bounds of its methods, and so are the streams: the compiler checks whether a task that keeps
// one is `Send` with every lifetime erased, and could not see any more that `F` is `'static`.
pub struct InNursery<N, F: Future, E> {
    nursery: N,
    children: Children<Child<F::Output, E>>,
    place: &'static Location<'static>,
    /// A child without a value has ended the task that needs it.
    lacks: bool,
    /// The items from this one on are not needed.
    cut: usize,
}

/// What [`on`](crate::many::MapConcurrent::on) takes for futures of the type `F`: a
/// [`Nursery`](crate::Nursery) if they are `Send`, or a [`LocalNursery`](crate::local::LocalNursery).
///
/// The trait is sealed: the crate implements it.
pub trait Host<F: Future>: sealed::Nursery + Clone {
    /// The nursery's type of errors.
    type Error;

    #[doc(hidden)]
    fn fork(&self, future: F, place: &'static Location<'static>) -> Child<F::Output, Self::Error>;
}

mod sealed {
    pub trait Nursery {}

    impl<E> Nursery for super::Nursery<E> {}
    impl<E> Nursery for super::LocalNursery<E> {}
}

impl<F, E> Host<F> for Nursery<E>
where
    F: Future<Output: Send + 'static> + Send + 'static,
    E: Send + Sync + 'static,
{
    type Error = E;

    fn fork(&self, future: F, place: &'static Location<'static>) -> Child<F::Output, E> {
        self.fork_sure(future, place)
    }
}

impl<F, E> Host<F> for LocalNursery<E>
where
    F: Future<Output: 'static> + 'static,
    E: Send + Sync + 'static,
{
    type Error = E;

    fn fork(&self, future: F, place: &'static Location<'static>) -> Child<F::Output, E> {
        self.fork_sure(future, place)
    }
}

impl<N, F: Future, E> InNursery<N, F, E> {
    pub(super) fn new(nursery: N, place: &'static Location<'static>) -> InNursery<N, F, E> {
        InNursery { nursery, children: Children::new(), place, lacks: false, cut: usize::MAX }
    }

    fn cancel_from(&self, first: usize) {
        self.children.cancel_from(first, ReasonKind::RaceLost, self.place);
    }

    /// Returns the value of a child that has ended, if it is needed. Where there is none, the task
    /// ends.
    fn value(&mut self, child: Joined<F::Output, E>) -> Option<(usize, F::Output)> {
        let number = child.index();
        if number >= self.cut {
            child.lose();
            return None;
        }
        let value = child.value_or_end(self.place);
        self.lacks = value.is_none();
        value.map(|value| (number, value))
    }
}

impl<N: Host<F, Error = E>, F: Future, E> Run for InNursery<N, F, E> {
    type Future = F;
    type Output = F::Output;

    fn start(&mut self, _number: usize, future: F) -> Option<F::Output> {
        self.children.push(self.nursery.fork(future, self.place));
        None
    }

    fn next(&mut self, _budget: &mut Budget) -> Option<(usize, F::Output)> {
        while !self.lacks {
            let child = self.children.try_join_next()?;
            let value = self.value(child);
            if value.is_some() {
                return value;
            }
        }
        None
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _budget: &mut Budget,
    ) -> Poll<(usize, F::Output)> {
        while !self.lacks {
            // None: no child is there, and the source has the task woken.
            let Some(child) = ready!(Pin::new(&mut self.children).poll_next(cx)) else { break };
            if let Some(ended) = self.value(child) {
                return Poll::Ready(ended);
            }
        }
        Poll::Pending
    }

    fn len(&self) -> usize {
        // The value that is missing is one that does not come.
        self.children.len() + usize::from(self.lacks)
    }

    fn cut(&mut self, from: usize) {
        self.cut = self.cut.min(from);
        self.cancel_from(from);
    }
}

impl<N, F: Future, E> Drop for InNursery<N, F, E> {
    fn drop(&mut self) {
        self.cancel_from(0);
    }
}

impl<N, F: Future, E> fmt::Debug for InNursery<N, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InNursery").field("len", &self.children.len()).finish_non_exhaustive()
    }
}
