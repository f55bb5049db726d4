//! Where the futures of many items run.

use std::future::Future;
use std::task::{Context, Poll};

/// Where the futures of a stream of this module run: in place, or as children of a nursery.
///
/// The trait is sealed: it names the type in a signature, and the crate implements it.
pub trait Place: sealed::Run {}

impl<P: sealed::Run> Place for P {}

pub(crate) mod sealed {
    use super::{Budget, Context, Future, Poll};

    pub trait Run {
        type Future: Future<Output = Self::Output>;
        type Output;

        /// Starts the future of an item. Returns its output if it is ready at once. The items have
        /// the numbers from 0 on, in this order.
        #[doc(hidden)]
        fn start(&mut self, number: usize, future: Self::Future) -> Option<Self::Output>;

        /// Looks for one that has ended, and returns it with its item's number. It polls one at most, so
        /// that a future which wakes itself again and again does not keep the source back.
        #[doc(hidden)]
        fn next(&mut self, budget: &mut Budget) -> Option<(usize, Self::Output)>;

        /// Returns one that has ended, or has the task woken when there is one.
        #[doc(hidden)]
        fn poll_next(
            &mut self,
            cx: &mut Context<'_>,
            budget: &mut Budget,
        ) -> Poll<(usize, Self::Output)>;

        /// Returns how many have not been returned.
        #[doc(hidden)]
        fn len(&self) -> usize;

        /// Ends those of the items from this one on. What is not gone at once is counted and
        /// returned still.
        #[doc(hidden)]
        fn cut(&mut self, from: usize);
    }
}

/// How many steps a poll may do: then it gives way to other tasks.
#[derive(Debug)]
pub struct Budget(u32);

impl Budget {
    /// As many as a scope in place has.
    pub(super) fn new() -> Budget {
        Budget(64)
    }

    #[inline]
    pub(super) fn take(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }
}
