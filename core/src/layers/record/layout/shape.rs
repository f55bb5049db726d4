//! The two shapes of a record: with a handle and without.

use crate::layers::base::outcome::{Ending, Outcome};
use crate::layers::base::sync::UnsafeCell;
use crate::layers::record::joiner::Joiner;

/// What a record holds besides its future.
pub(in crate::layers::record) trait Shape<T, E> {
    /// The place of the joiner.
    type Joiner: 'static;
    /// The part of the outcome that is kept.
    type Kept;
    /// Whether there may be a handle.
    const HANDLE: bool;

    fn joiner() -> Self::Joiner;
    /// Keeps the outcome, or returns it if it is never asked for.
    fn keep(outcome: Outcome<T, E>) -> Result<Self::Kept, Outcome<T, E>>;
    fn give(kept: Self::Kept) -> Option<Outcome<T, E>>;
    fn is_value(kept: &Self::Kept) -> bool;
    /// Returns what a nursery notes of it.
    fn ending(kept: &Self::Kept) -> Option<Ending>;
}

/// A child that is not joined.
pub(in crate::layers::record) struct Plain;

/// A child with a handle.
pub(in crate::layers::record) struct Joined;

impl<T, E> Shape<T, E> for Plain {
    type Joiner = ();
    type Kept = ();
    const HANDLE: bool = false;

    fn joiner() {}

    fn keep(outcome: Outcome<T, E>) -> Result<(), Outcome<T, E>> {
        Err(outcome)
    }

    fn give((): ()) -> Option<Outcome<T, E>> {
        None
    }

    fn is_value((): &()) -> bool {
        true
    }

    fn ending((): &()) -> Option<Ending> {
        None
    }
}

impl<T, E: Send + Sync + 'static> Shape<T, E> for Joined {
    type Joiner = UnsafeCell<Joiner>;
    type Kept = Outcome<T, E>;
    const HANDLE: bool = true;

    fn joiner() -> Self::Joiner {
        UnsafeCell::new(Joiner::NONE)
    }

    fn keep(outcome: Outcome<T, E>) -> Result<Outcome<T, E>, Outcome<T, E>> {
        Ok(outcome)
    }

    fn give(kept: Outcome<T, E>) -> Option<Outcome<T, E>> {
        Some(kept)
    }

    fn is_value(kept: &Outcome<T, E>) -> bool {
        matches!(kept, Outcome::Ok(_))
    }

    fn ending(kept: &Outcome<T, E>) -> Option<Ending> {
        Some(kept.ending())
    }
}
