//! The error of a child that was not spawned.

use crate::layers::base::reason::Reason;
use std::error::Error;
use std::fmt;

/// A child was not spawned, and its future is here: the error of [`KeyedNursery::try_spawn`](crate::many::KeyedNursery::try_spawn).
pub struct KeyTaken<F> {
    future: F,
    refused: Option<Reason>,
}

impl<F> KeyTaken<F> {
    pub(super) fn new(future: F, refused: Option<Reason>) -> KeyTaken<F> {
        KeyTaken { future, refused }
    }

    /// Returns the future, which was not polled.
    pub fn into_future(self) -> F {
        self.future
    }

    /// Returns why the nursery has refused the child. `None`: its key has a child.
    pub fn refused(&self) -> Option<&Reason> {
        self.refused.as_ref()
    }
}

impl<F> fmt::Debug for KeyTaken<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyTaken").field("refused", &self.refused).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for KeyTaken<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refused {
            None => f.write_str("the key has a child that is not gone"),
            Some(reason) => write!(f, "the nursery takes no more children: {reason}"),
        }
    }
}

impl<F> Error for KeyTaken<F> {}
