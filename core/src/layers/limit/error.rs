//! Why an acquire got no permits.

use crate::layers::base::reason::Reason;
use std::error::Error;
use std::fmt;

/// Why [`acquire`](super::Semaphore::acquire) returned no permit.
///
/// Two errors are equal if they say the same; two cancels are equal if they are the same event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AcquireError {
    /// The limit was closed.
    Closed,
    /// The caller asked for more than the capacity, or a rate limiter's burst: the wait would never
    /// end.
    #[non_exhaustive]
    TooMany {
        /// The permits that the caller asked for.
        asked: usize,
        /// The capacity, or burst, at that moment.
        capacity: usize,
    },
    /// The task that waited was cancelled for this reason. Where only a cancel scope in it has
    /// ended, the wait is dropped instead, and the scope says so.
    Cancelled(Reason),
}

/// Why [`try_acquire`](super::Semaphore::try_acquire) returned no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// Too few permits are free just now, or other tasks wait for them.
    NoPermits,
    /// The limit was closed.
    Closed,
    /// The caller asked for more than the capacity, or a rate limiter's burst: trying again would
    /// not help.
    #[non_exhaustive]
    TooMany {
        /// The permits that the caller asked for.
        asked: usize,
        /// The capacity, or burst, at that moment.
        capacity: usize,
    },
}

/// Why a limit refuses a request, whether its caller would wait or not.
#[derive(Clone, Copy)]
pub(super) enum Refused {
    Closed,
    TooMany { asked: usize, capacity: usize },
}

impl From<Refused> for AcquireError {
    fn from(refused: Refused) -> AcquireError {
        match refused {
            Refused::Closed => AcquireError::Closed,
            Refused::TooMany { asked, capacity } => AcquireError::TooMany { asked, capacity },
        }
    }
}

impl From<Refused> for TryAcquireError {
    fn from(refused: Refused) -> TryAcquireError {
        match refused {
            Refused::Closed => TryAcquireError::Closed,
            Refused::TooMany { asked, capacity } => TryAcquireError::TooMany { asked, capacity },
        }
    }
}

impl AcquireError {
    /// Returns the reason of the cancel, if the wait was cancelled.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            AcquireError::Cancelled(reason) => Some(reason),
            AcquireError::Closed | AcquireError::TooMany { .. } => None,
        }
    }
}

impl PartialEq for AcquireError {
    fn eq(&self, other: &AcquireError) -> bool {
        match (self, other) {
            (AcquireError::Closed, AcquireError::Closed) => true,
            (
                AcquireError::TooMany { asked, capacity },
                AcquireError::TooMany { asked: others, capacity: of },
            ) => (asked, capacity) == (others, of),
            (AcquireError::Cancelled(reason), AcquireError::Cancelled(other)) => reason.same(other),
            _ => false,
        }
    }
}

impl Eq for AcquireError {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Closed => f.write_str("the limit is closed"),
            Refused::TooMany { asked, capacity } => {
                write!(
                    f,
                    "asked for {asked} permits, which is more than the capacity of {capacity}"
                )
            }
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            AcquireError::Closed => Refused::Closed.fmt(f),
            AcquireError::TooMany { asked, capacity } => {
                Refused::TooMany { asked, capacity }.fmt(f)
            }
            AcquireError::Cancelled(ref reason) => write!(f, "the wait was cancelled: {reason}"),
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            TryAcquireError::NoPermits => f.write_str("there are not enough permits just now"),
            TryAcquireError::Closed => Refused::Closed.fmt(f),
            TryAcquireError::TooMany { asked, capacity } => {
                Refused::TooMany { asked, capacity }.fmt(f)
            }
        }
    }
}

impl Error for AcquireError {
    /// Returns what caused the cancel; its reason is part of the text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason()?.source()
    }
}

impl Error for TryAcquireError {}
