//! A token bucket that keeps the exact remainder: numbers, and no clock of its own.
//!
//! In the form of J. Turner ("New directions in communications", IEEE Communications Magazine,
//! 1986), counted in integers. With n permits for D nanoseconds each nanosecond brings n *parts*,
//! and a permit is D parts. The bucket holds `tokens` permits and `parts` parts. Nothing is ever
//! rounded, so a bucket that was refilled a million times holds what it would hold after one
//! refill. The resolution is that of the clock, a nanosecond.
//!
//! # Invariants
//!
//! 1. `tokens <= burst <= MAX` and `parts < D`. What a full bucket cannot hold is lost, except for
//!    less than a nanosecond brings: the bucket became full within this nanosecond, and the clock
//!    cannot tell that from a permit taken at the same moment.
//! 2. `since` is the latest instant that was seen. A clock that stands still or goes back brings
//!    nothing.
//! 3. D is below 2^64 and n below 2^61. So elapsed nanoseconds times n overflow only where the
//!    bucket has been full for long, and MAX times D does not.

use super::permits::MAX;
use allhome_rt::Instant;
use std::time::Duration;

/// How many permits come in how long a time, such as five a second.
///
/// # Examples
///
/// ```
/// use allhome::limit::Rate;
/// use std::time::Duration;
///
/// assert_eq!(Rate::per_second(5), Rate::new(5, Duration::from_secs(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    permits: usize,
    per: Duration,
}

impl Rate {
    /// Creates a rate of `permits` in each period of length `per`, spread evenly: 60 in a minute is
    /// one a second.
    ///
    /// With no permits, or with a period above 584 years (2^64 - 1 ns) such as [`Duration::MAX`],
    /// no permit ever comes. With a period of [`Duration::ZERO`], a permit that is taken is there
    /// again at once. A number above [`Semaphore::MAX_PERMITS`](crate::Semaphore::MAX_PERMITS)
    /// counts as that.
    pub const fn new(permits: usize, per: Duration) -> Rate {
        Rate { permits, per }
    }

    /// Creates a rate of `permits` a second.
    pub const fn per_second(permits: usize) -> Rate {
        Rate::new(permits, Duration::from_secs(1))
    }

    /// Returns how many permits come in the time [`per`](Rate::per).
    pub const fn permits(&self) -> usize {
        self.permits
    }

    /// Returns the period in which [`permits`](Rate::permits) come.
    pub const fn per(&self) -> Duration {
        self.per
    }
}

/// A rate, prepared for counting.
#[derive(Clone, Copy)]
enum Flow {
    Never,
    AtOnce,
    /// The number of parts that a nanosecond brings, and of parts that a permit is.
    Steady {
        parts: u128,
        permit: u128,
    },
}

impl From<Rate> for Flow {
    fn from(rate: Rate) -> Flow {
        let permit = rate.per.as_nanos();
        match rate.permits {
            0 => Flow::Never,
            _ if permit > u128::from(u64::MAX) => Flow::Never,
            _ if permit == 0 => Flow::AtOnce,
            permits => Flow::Steady { parts: permits.min(MAX) as u128, permit },
        }
    }
}

pub(super) struct Bucket {
    rate: Rate,
    flow: Flow,
    burst: usize,
    tokens: usize,
    parts: u128,
    since: Instant,
}

impl Bucket {
    /// Creates a full bucket.
    pub(super) fn new(rate: Rate, burst: usize, now: Instant) -> Bucket {
        let burst = burst.min(MAX);
        Bucket { rate, flow: rate.into(), burst, tokens: burst, parts: 0, since: now }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    pub(super) fn burst(&self) -> usize {
        self.burst
    }

    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Adds what has come until `now`.
    pub(super) fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.since).as_nanos();
        self.since = self.since.max(now);
        match self.flow {
            Flow::Never => (),
            Flow::AtOnce => self.put_back(self.burst),
            Flow::Steady { parts, permit } => {
                let parts = elapsed.saturating_mul(parts).saturating_add(self.parts);
                self.parts = parts % permit;
                self.put_back(usize::try_from(parts / permit).unwrap_or(MAX));
            }
        }
    }

    /// Takes permits, if there are enough. Returns `false`, and takes none, if there are not.
    pub(super) fn take(&mut self, count: usize) -> bool {
        let left = self.tokens.checked_sub(count);
        self.tokens = left.unwrap_or(self.tokens);
        left.is_some()
    }

    /// Puts permits in, or back, as many as the bucket can hold.
    pub(super) fn put_back(&mut self, count: usize) {
        self.tokens = self.tokens.saturating_add(count);
        self.spill();
    }

    /// Removes what the bucket cannot hold.
    fn spill(&mut self) {
        let nanosecond = match self.flow {
            Flow::Steady { parts, .. } => parts,
            Flow::Never | Flow::AtOnce => 0,
        };
        if self.tokens > self.burst || self.tokens == self.burst && self.parts >= nanosecond {
            (self.tokens, self.parts) = (self.burst, 0);
        }
    }

    /// Returns how long it takes until `count` permits are there, rounded up to the nanosecond.
    /// `None` if that never happens, or is too far away to be expressed.
    pub(super) fn time_to(&self, count: usize) -> Option<Duration> {
        let missing = count.saturating_sub(self.tokens) as u128;
        if missing == 0 {
            return Some(Duration::ZERO);
        }
        match self.flow {
            _ if count > self.burst => None,
            Flow::Never => None,
            Flow::AtOnce => Some(Duration::ZERO),
            Flow::Steady { parts, permit } => {
                let nanos = (missing * permit - self.parts).div_ceil(parts);
                let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
                Some(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
            }
        }
    }

    /// Returns the instant to which the bucket has been filled.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Changes the rate from now on. The part of a permit that has come stays that part, rounded
    /// down. The caller has just refilled the bucket.
    pub(super) fn set_rate(&mut self, rate: Rate) {
        let flow = Flow::from(rate);
        self.parts = match (self.flow, flow) {
            (Flow::Steady { permit: old, .. }, Flow::Steady { permit: new, .. }) => {
                self.parts * new / old
            }
            _ => 0,
        };
        (self.rate, self.flow) = (rate, flow);
    }

    /// Changes how much the bucket holds. The caller has just refilled it.
    pub(super) fn set_burst(&mut self, burst: usize) {
        self.burst = burst.min(MAX);
        self.spill();
    }
}
