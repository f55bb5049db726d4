//! The joiners that the crate brings.
//!
//! Each keeps what it was given as it came, and opens it in `finish`: the failures are told to the
//! task that waits in the poll in which it gets them. What it has no use for is lost: values are
//! dropped, and so are failures, but for those that are the nursery's.

use super::join_with::{JoinWith, join_with};
use super::joinable::Joinable;
use super::joined::Joined;
use super::joiner::Joiner;
use super::not_enough::NotEnough;
use crate::layers::base::join_error::JoinError;
use std::fmt;
use std::ops::ControlFlow;

/// Waits for all of these children, and gives their outcomes in the order of the handles. It never
/// fails.
///
/// # Cancel safety
///
/// If the future is dropped before it is ready, all handles are dropped: the children go on, as with
/// [`join_all`](crate::join_all).
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Policy, block_on, nursery};
/// use allhome::join::join_outcomes;
///
/// let run = nursery().policy(Policy::Isolate).run(async |n: Nursery| {
///     let numbers = ["1", "two", "3"].map(|text| n.fork(async move { Ok(text.parse::<u8>()?) }));
///     Ok(join_outcomes(numbers).await.into_iter().map(Result::ok).collect::<Vec<_>>())
/// });
/// assert_eq!(block_on(run)?, [Some(1), None, Some(3)]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn join_outcomes<C: Joinable>(
    children: impl IntoIterator<Item = C>,
) -> JoinWith<C, Outcomes<C::Value, C::Error>> {
    join_with(children, Outcomes { ended: Vec::new() }).leaves_children()
}

/// Waits for the first of these children that ends, with a value or without one.
///
/// The others are cancelled, and have ended when it is ready: see [`join_with`], also for the policy
/// that the nursery should have, and for what becomes of a future that is dropped.
///
/// # Errors
///
/// Gives [`NotEnough`], with the one failure, if the first to end has no value; and with nothing if
/// there is no child.
///
/// # Compared with
///
/// For futures that are no children, use [`RaceExt::race`](crate::join::RaceExt::race). For the first
/// that has a value, use [`first_ok`].
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Simulator, sleep};
/// use allhome::join::race;
/// use std::time::Duration;
///
/// let first = Simulator::new().run(async |n: Nursery| {
///     let racers = [3, 1, 2].map(|seconds| {
///         n.fork(async move {
///             sleep(Duration::from_secs(seconds)).await;
///             Ok(seconds)
///         })
///     });
///     let first = race(racers).await?;
///     assert!(n.is_empty(), "the others are gone");
///     Ok(first)
/// })?;
/// assert_eq!(first, 1);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn race<C: Joinable>(
    children: impl IntoIterator<Item = C>,
) -> JoinWith<C, First<C::Value, C::Error>> {
    join_with(children, First { ended: None })
}

/// Waits for the first of these children that ends with a value.
///
/// The others are cancelled, and have ended when it is ready: see [`join_with`], also for the policy
/// that the nursery should have, and for what becomes of a future that is dropped.
///
/// # Errors
///
/// Gives [`NotEnough`], with all failures, if no child has a value.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Policy, block_on, nursery};
/// use allhome::join::first_ok;
///
/// let run = nursery().policy(Policy::Isolate).run(async |n: Nursery| {
///     let readings = ["x", "7", "y"].map(|text| n.fork(async move { Ok(text.parse::<u8>()?) }));
///     Ok(first_ok(readings).await?)
/// });
/// assert_eq!(block_on(run)?, 7);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn first_ok<C: Joinable>(
    children: impl IntoIterator<Item = C>,
) -> JoinWith<C, FirstOk<C::Value, C::Error>> {
    join_with(children, FirstOk::new())
}

/// Waits until so many of these children have ended with a value, and gives the values in the order
/// in which they came.
///
/// The others are cancelled, and have ended when it is ready: see [`join_with`], also for the policy
/// that the nursery should have, and for what becomes of a future that is dropped. They are cancelled
/// as well when so many have failed that the number cannot be reached any more.
///
/// # Errors
///
/// Gives [`NotEnough`], with the values and failures that there are, if the number was not reached.
/// If it is larger than the number of children, all of them are waited for, and none is cancelled.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, Policy, nursery, sleep};
/// use allhome::join::quorum;
/// use std::time::Duration;
///
/// let run = nursery().policy(Policy::Isolate).run(async |n: Nursery| {
///     let replicas = [30, 10, 20].map(|ms| {
///         n.fork(async move {
///             sleep(Duration::from_millis(ms)).await;
///             Ok(ms)
///         })
///     });
///     Ok(quorum(2, replicas).await?)
/// });
/// let result = allhome::Simulator::new().run(async |_: Nursery| Ok(run.await?))?;
/// assert_eq!(result, [10, 20]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn quorum<C: Joinable>(
    k: usize,
    children: impl IntoIterator<Item = C>,
) -> JoinWith<C, Quorum<C::Value, C::Error>> {
    join_with(
        children,
        Quorum {
            needed: k,
            children: 0,
            spare: usize::MAX,
            values: Vec::new(),
            failures: Vec::new(),
        },
    )
}

/// Waits for the first of these children that ends with a value for which the predicate returns
/// `true`.
///
/// The others are cancelled, and have ended when it is ready: see [`join_with`], also for the policy
/// that the nursery should have, and for what becomes of a future that is dropped.
///
/// # Errors
///
/// Gives [`NotEnough`], with the values that do not match and all failures, if there is no such
/// value.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::join::until_match;
///
/// let run = nursery().run(async |n: Nursery| {
///     let words = ["one", "three", "two"].map(|word| n.fork(async move { Ok(word) }));
///     Ok(until_match(words, |word| word.len() > 3).await?)
/// });
/// assert_eq!(block_on(run)?, "three");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn until_match<C, P>(
    children: impl IntoIterator<Item = C>,
    predicate: P,
) -> JoinWith<C, UntilMatch<C::Value, C::Error, P>>
where
    C: Joinable,
    P: FnMut(&C::Value) -> bool,
{
    join_with(children, UntilMatch { predicate, found: None, rest: Vec::new() })
}

/// The joiner of [`join_outcomes`].
pub struct Outcomes<T, E> {
    ended: Vec<Joined<T, E>>,
}

impl<T, E> Joiner<T, E> for Outcomes<T, E> {
    type Output = Vec<Result<T, JoinError<E>>>;

    fn begin(&mut self, children: usize) -> ControlFlow<()> {
        self.ended.reserve(children);
        ControlFlow::Continue(())
    }

    fn ended(&mut self, child: Joined<T, E>) -> ControlFlow<()> {
        self.ended.push(child);
        ControlFlow::Continue(())
    }

    fn finish(mut self) -> Vec<Result<T, JoinError<E>>> {
        self.ended.sort_unstable_by_key(Joined::index);
        self.ended.into_iter().map(Joined::into_result).collect()
    }
}

/// The joiner of [`race`].
pub struct First<T, E> {
    ended: Option<Joined<T, E>>,
}

impl<T, E> Joiner<T, E> for First<T, E> {
    type Output = Result<T, NotEnough<T, E>>;

    fn ended(&mut self, child: Joined<T, E>) -> ControlFlow<()> {
        self.ended = Some(child);
        ControlFlow::Break(())
    }

    fn finish(self) -> Result<T, NotEnough<T, E>> {
        match self.ended.map(Joined::into_result) {
            Some(Ok(value)) => Ok(value),
            Some(Err(failure)) => Err(NotEnough::new(1, false, Vec::new(), vec![failure])),
            None => Err(NotEnough::new(1, false, Vec::new(), Vec::new())),
        }
    }
}

/// The joiner of [`first_ok`] and [`hedge`](crate::join::hedge).
pub struct FirstOk<T, E> {
    found: Option<Joined<T, E>>,
    failures: Vec<Joined<T, E>>,
}

impl<T, E> FirstOk<T, E> {
    pub(super) fn new() -> FirstOk<T, E> {
        FirstOk { found: None, failures: Vec::new() }
    }
}

impl<T, E> Joiner<T, E> for FirstOk<T, E> {
    type Output = Result<T, NotEnough<T, E>>;

    fn ended(&mut self, child: Joined<T, E>) -> ControlFlow<()> {
        if child.is_ok() {
            self.found = Some(child);
            return ControlFlow::Break(());
        }
        self.failures.push(child);
        ControlFlow::Continue(())
    }

    fn finish(self) -> Result<T, NotEnough<T, E>> {
        found(self.found, self.failures, false)
    }
}

/// The joiner of [`quorum`].
pub struct Quorum<T, E> {
    needed: usize,
    children: usize,
    /// How many may fail, and the number can be reached.
    spare: usize,
    values: Vec<Joined<T, E>>,
    failures: Vec<Joined<T, E>>,
}

impl<T, E> Joiner<T, E> for Quorum<T, E> {
    type Output = Result<Vec<T>, NotEnough<T, E>>;

    fn begin(&mut self, children: usize) -> ControlFlow<()> {
        self.children = children;
        // More than there are: nothing is lost, and so nothing cancelled.
        self.spare = children.checked_sub(self.needed).unwrap_or(usize::MAX);
        if self.needed == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn ended(&mut self, child: Joined<T, E>) -> ControlFlow<()> {
        let kept = if child.is_ok() { &mut self.values } else { &mut self.failures };
        kept.push(child);
        if self.values.len() == self.needed || self.failures.len() > self.spare {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn finish(self) -> Result<Vec<T>, NotEnough<T, E>> {
        if self.values.len() < self.needed {
            let (values, failures) = open(self.values.into_iter().chain(self.failures));
            return Err(NotEnough::new(self.needed, false, values, failures).of(self.children));
        }
        self.failures.into_iter().for_each(Joined::lose);
        Ok(open(self.values).0)
    }
}

/// The joiner of [`until_match`].
pub struct UntilMatch<T, E, P> {
    predicate: P,
    found: Option<Joined<T, E>>,
    rest: Vec<Joined<T, E>>,
}

impl<T, E, P: FnMut(&T) -> bool> Joiner<T, E> for UntilMatch<T, E, P> {
    type Output = Result<T, NotEnough<T, E>>;

    fn ended(&mut self, child: Joined<T, E>) -> ControlFlow<()> {
        if child.value().is_some_and(&mut self.predicate) {
            self.found = Some(child);
            return ControlFlow::Break(());
        }
        self.rest.push(child);
        ControlFlow::Continue(())
    }

    fn finish(self) -> Result<T, NotEnough<T, E>> {
        found(self.found, self.rest, true)
    }
}

/// Opens what was found, or all that there is.
fn found<T, E>(
    found: Option<Joined<T, E>>,
    rest: Vec<Joined<T, E>>,
    matching: bool,
) -> Result<T, NotEnough<T, E>> {
    let Some(found) = found else {
        let (values, failures) = open(rest);
        return Err(NotEnough::new(1, matching, values, failures));
    };
    rest.into_iter().for_each(Joined::lose);
    found.into_result().map_err(|failure| NotEnough::new(1, matching, Vec::new(), vec![failure]))
}

fn open<T, E>(ended: impl IntoIterator<Item = Joined<T, E>>) -> (Vec<T>, Vec<JoinError<E>>) {
    let (mut values, mut failures) = (Vec::new(), Vec::new());
    for child in ended {
        match child.into_result() {
            Ok(value) => values.push(value),
            Err(failure) => failures.push(failure),
        }
    }
    (values, failures)
}

macro_rules! shown {
    ($($joiner:ident<$($parameter:ident),*>)*) => {
        $(impl<$($parameter),*> fmt::Debug for $joiner<$($parameter),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($joiner)).finish_non_exhaustive()
            }
        })*
    };
}

shown! { Outcomes<T, E> First<T, E> FirstOk<T, E> Quorum<T, E> UntilMatch<T, E, P> }
