//! Why there is no slot.

use crate::layers::base::leave::LIMITER_CLOSED;
use crate::layers::base::reason::Reason;
use crate::layers::limit::{AcquireError, TryAcquireError};
use std::error::Error;
use std::fmt;

/// Why [`Nursery::reserve`](crate::Nursery::reserve) gave no slot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReserveError {
    /// The nursery takes no more children: it was cancelled, or closed, or has ended.
    Refused(Reason),
    /// The task that waited was cancelled.
    Cancelled(Reason),
    /// The limiter was closed.
    LimiterClosed,
}

/// Why [`Nursery::try_reserve`](crate::Nursery::try_reserve) gave no slot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TryReserveError {
    /// All slots are taken just now, or others wait for them, or the limit is 0.
    Full,
    /// The nursery takes no more children: it was cancelled, or closed, or has ended.
    Refused(Reason),
    /// The limiter was closed.
    LimiterClosed,
}

impl ReserveError {
    /// Returns why the nursery admits no child, or why the caller was cancelled.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            ReserveError::Refused(reason) | ReserveError::Cancelled(reason) => Some(reason),
            ReserveError::LimiterClosed => None,
        }
    }
}

impl TryReserveError {
    /// Returns why the nursery admits no child.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            TryReserveError::Refused(reason) => Some(reason),
            _ => None,
        }
    }
}

impl From<AcquireError> for ReserveError {
    fn from(error: AcquireError) -> ReserveError {
        match error {
            // A wait for a slot is never refused for a capacity: see `Semaphore::acquire_at`.
            AcquireError::Closed | AcquireError::TooMany { .. } => ReserveError::LimiterClosed,
            AcquireError::Cancelled(reason) => ReserveError::Cancelled(reason),
        }
    }
}

impl From<TryAcquireError> for TryReserveError {
    fn from(error: TryAcquireError) -> TryReserveError {
        match error {
            TryAcquireError::NoPermits | TryAcquireError::TooMany { .. } => TryReserveError::Full,
            TryAcquireError::Closed => TryReserveError::LimiterClosed,
        }
    }
}

fn refused(f: &mut fmt::Formatter<'_>, reason: &Reason) -> fmt::Result {
    write!(f, "the nursery takes no more children: {reason}")
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReserveError::Refused(reason) => refused(f, reason),
            ReserveError::Cancelled(reason) => {
                write!(f, "the wait for a slot was cancelled: {reason}")
            }
            ReserveError::LimiterClosed => f.write_str(LIMITER_CLOSED),
        }
    }
}

impl fmt::Display for TryReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryReserveError::Full => f.write_str("no slot of the nursery is free just now"),
            TryReserveError::Refused(reason) => refused(f, reason),
            TryReserveError::LimiterClosed => f.write_str(LIMITER_CLOSED),
        }
    }
}

impl Error for ReserveError {
    /// Returns what caused the reason, which itself is part of the text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason()?.source()
    }
}

impl Error for TryReserveError {
    /// Returns what caused the reason, which itself is part of the text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason()?.source()
    }
}
