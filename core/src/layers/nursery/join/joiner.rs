//! What decides how many outcomes are enough.

use super::joined::Joined;
use std::ops::ControlFlow;

/// Decides, child by child, whether a task that waits for many children has what it needs. Give it
/// to [`join_with`](crate::join::join_with).
///
/// The joiners of this module are implementations of it: [`race`](crate::join::race),
/// [`first_ok`](crate::join::first_ok), [`quorum`](crate::join::quorum),
/// [`until_match`](crate::join::until_match), [`join_outcomes`](crate::join::join_outcomes).
///
/// # Compared with
///
/// `StructuredTaskScope.Joiner` of Java 25 (JEP 505): `onComplete` is `ended`, and `result` is
/// `finish`. Here the children that are not needed are gone before the result is given.
///
/// # Examples
///
/// The first value above a bound, or the greatest:
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{JoinError, Nursery, block_on, nursery};
/// use allhome::join::{Joined, Joiner, join_with};
/// use std::ops::ControlFlow;
///
/// struct AtLeast(u32, Option<u32>);
///
/// impl<E> Joiner<u32, E> for AtLeast {
///     type Output = Option<u32>;
///
///     fn ended(&mut self, child: Joined<u32, E>) -> ControlFlow<()> {
///         self.1 = self.1.max(child.value().copied());
///         if self.1 >= Some(self.0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
///     }
///
///     fn finish(self) -> Option<u32> {
///         self.1
///     }
/// }
///
/// let run = nursery().run(async |n: Nursery| {
///     let children = [3, 9, 4].map(|bid| n.fork(async move { Ok(bid) }));
///     Ok(join_with(children, AtLeast(20, None)).await)
/// });
/// assert_eq!(block_on(run)?, Some(9));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Joiner<T, E> {
    /// What the task that waits is given.
    type Output;

    /// Is called once, before any child is looked at, with their number. With
    /// [`Break`](ControlFlow::Break) none of them is needed.
    fn begin(&mut self, children: usize) -> ControlFlow<()> {
        let _ = children;
        ControlFlow::Continue(())
    }

    /// A child has ended. With [`Break`](ControlFlow::Break) the others are not needed: they are
    /// cancelled, and what they end with is not given any more.
    ///
    /// It is called in the poll of the task that waits, with no lock held. What it keeps for
    /// [`finish`](Joiner::finish), it keeps as it is: see [`Joined::into_result`].
    fn ended(&mut self, child: Joined<T, E>) -> ControlFlow<()>;

    /// Returns the result. All children have ended.
    fn finish(self) -> Self::Output;
}
