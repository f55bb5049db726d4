//! Why there are no permits.

use std::error::Error;
use std::fmt;

/// Why [`acquire`](super::Semaphore::acquire) gave none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// The semaphore was closed.
    Closed,
    /// It was more than the semaphore's capacity: waiting for it would never end.
    #[non_exhaustive]
    TooMany {
        /// The permits that were asked for.
        asked: usize,
        /// The semaphore's capacity when that was found.
        capacity: usize,
    },
}

/// Why [`try_acquire`](super::Semaphore::try_acquire) gave none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// There are too few just now, or others wait for them.
    NoPermits,
    /// The semaphore was closed.
    Closed,
    /// It was more than the semaphore's capacity: trying again would not help.
    #[non_exhaustive]
    TooMany {
        /// The permits that were asked for.
        asked: usize,
        /// The semaphore's capacity when that was found.
        capacity: usize,
    },
}

impl From<AcquireError> for TryAcquireError {
    fn from(error: AcquireError) -> TryAcquireError {
        match error {
            AcquireError::Closed => TryAcquireError::Closed,
            AcquireError::TooMany { asked, capacity } => {
                TryAcquireError::TooMany { asked, capacity }
            }
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TryAcquireError::from(*self).fmt(f)
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryAcquireError::NoPermits => f.write_str("there are not enough permits just now"),
            TryAcquireError::Closed => f.write_str("the semaphore is closed"),
            TryAcquireError::TooMany { asked, capacity } => {
                write!(f, "asked for {asked} permits of a semaphore with a capacity of {capacity}")
            }
        }
    }
}

impl Error for AcquireError {}
impl Error for TryAcquireError {}
