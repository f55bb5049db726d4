//! The error of a joiner that did not get what it needs.

use crate::layers::base::join_error::JoinError;
use std::error::Error;
use std::fmt;

/// Fewer children than needed have ended with a value that counts: the error of
/// [`race`](crate::join::race), [`first_ok`](crate::join::first_ok),
/// [`until_match`](crate::join::until_match), [`quorum`](crate::join::quorum) and
/// [`hedge`](crate::join::hedge).
///
/// It has all that the joiner was given: the values, and the [`JoinError`] of each child without one,
/// in the order of their ends.
///
/// # Examples
///
/// More is asked for than there is, and nothing is lost:
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::join::quorum;
///
/// let run = nursery().run(async |n: Nursery| {
///     let replicas = ["a", "b"].map(|name| n.fork(async move { Ok(name.len()) }));
///     let error = quorum(3, replicas).await.expect_err("there are two");
///     assert_eq!(error.to_string(), "3 values were needed, and of 2 children 2 have given one");
///     Ok(error.into_parts().0)
/// });
/// assert_eq!(block_on(run)?, [1, 1]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NotEnough<T, E> {
    // Boxed: a `Result` of a join is as small as its value then.
    inner: Box<Inner<T, E>>,
}

struct Inner<T, E> {
    needed: usize,
    children: usize,
    matching: bool,
    values: Vec<T>,
    failures: Vec<JoinError<E>>,
}

impl<T, E> NotEnough<T, E> {
    pub(super) fn new(
        needed: usize,
        matching: bool,
        values: Vec<T>,
        failures: Vec<JoinError<E>>,
    ) -> NotEnough<T, E> {
        let children = values.len() + failures.len();
        NotEnough { inner: Box::new(Inner { needed, children, matching, values, failures }) }
    }

    /// Some of that many children were cancelled, and not looked at.
    pub(super) fn of(mut self, children: usize) -> NotEnough<T, E> {
        self.inner.children = children;
        self
    }

    /// Returns how many values were needed.
    pub fn needed(&self) -> usize {
        self.inner.needed
    }

    /// Returns the values that there are, in the order in which the children ended. Those of
    /// [`until_match`](crate::join::until_match) do not match.
    pub fn values(&self) -> &[T] {
        &self.inner.values
    }

    /// Returns why the others have no value, in the order in which the children ended.
    pub fn failures(&self) -> &[JoinError<E>] {
        &self.inner.failures
    }

    /// Returns the values and the failures.
    pub fn into_parts(self) -> (Vec<T>, Vec<JoinError<E>>) {
        let Inner { values, failures, .. } = *self.inner;
        (values, failures)
    }

    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { needed, children, matching, values, .. } = &*self.inner;
        match needed {
            1 => f.write_str("a value was needed")?,
            needed => write!(f, "{needed} values were needed")?,
        }
        match (children, values.len()) {
            (0, _) => f.write_str(", and there was no child"),
            (_, values) if *matching && values > 0 => {
                write!(f, ", and of {children} children none has given one that matches")
            }
            (1, 0) => f.write_str(", and the child has given none"),
            (_, 0) => write!(f, ", and of {children} children none has given one"),
            (_, 1) => write!(f, ", and of {children} children one has given one"),
            (_, values) => write!(f, ", and of {children} children {values} have given one"),
        }
    }
}

/// How many values were needed, and were there, and the text of the first failure.
impl<T, E: Send + Sync + 'static> fmt::Display for NotEnough<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts(f)?;
        let Some((first, others)) = self.failures().split_first() else { return Ok(()) };
        write!(f, ": {first}")?;
        match others.len() {
            0 => Ok(()),
            others => write!(f, " (and {others} more)"),
        }
    }
}

/// The counts, and a line for each failure.
impl<T, E: Send + Sync + 'static> fmt::Debug for NotEnough<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts(f)?;
        self.failures().iter().try_for_each(|failure| write!(f, "\n  {failure:#}"))
    }
}

impl<T, E: Send + Sync + 'static> Error for NotEnough<T, E> {
    /// Returns what is behind the first failure, which itself is part of the text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failures().first()?.source()
    }
}
