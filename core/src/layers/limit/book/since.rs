//! An instant in a word: a row's fields are words, which one thread reads while another writes.

use crate::layers::base::sync::GlobalOnce;
use allhome_rt::Instant;
use std::time::Duration;

/// What is counted from: the first instant that is noted. Clocks of tests may be behind it.
static ORIGIN: GlobalOnce<Instant> = GlobalOnce::new();

/// Returns the nanoseconds from the origin, negative before it. They end after 292 years.
pub(super) fn to_word(at: Instant) -> u64 {
    let origin = *ORIGIN.get_or_init(|| at);
    let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    let after = nanos(at.saturating_duration_since(origin));
    u64::from_ne_bytes((after - nanos(origin.saturating_duration_since(at))).to_ne_bytes())
}

pub(super) fn of_word(word: u64) -> Option<Instant> {
    let (origin, nanos) = (*ORIGIN.get()?, i64::from_ne_bytes(word.to_ne_bytes()));
    let span = Duration::from_nanos(nanos.unsigned_abs());
    if nanos < 0 { origin.checked_sub(span) } else { origin.checked_add(span) }
}
