//! How long ago something was, as far as that is known.

use super::tick;
use std::fmt;
use std::time::Duration;

/// How long ago something was: exactly, or at least so long.
///
/// # Examples
///
/// ```
/// use allhome::{Nursery, Simulator, sleep};
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// let age = Simulator::new().run(async |n: Nursery<Infallible>| {
///     n.go(sleep(Duration::from_secs(60)));
///     sleep(Duration::from_secs(3)).await;
///     Ok(n.tree().root().tasks[0].since_poll)
/// });
/// let age = age?.expect("a simulator has a clock");
/// assert!(age.is_exact());
/// assert_eq!((age.time(), age.to_string()), (Duration::from_secs(3), "3.0 s".to_string()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    time: Duration,
    exact: bool,
}

impl Age {
    /// Of something that was in this tick, which is 0 if it is not known. `since` is a tick from
    /// which on it would be.
    pub(crate) fn of(at: u32, since: Option<u32>, now: u32) -> Option<Age> {
        let exact = at != 0;
        let at = if exact { at } else { since? };
        Some(Age { time: tick::between(at, now), exact })
    }

    /// Returns how long ago it was, or a time that it was longer ago than.
    pub fn time(self) -> Duration {
        self.time
    }

    /// Returns `true` if the time is that, to about 50 milliseconds, and not a lower bound.
    pub fn is_exact(self) -> bool {
        self.exact
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.exact {
            f.write_str("at least ")?;
        }
        write!(f, "{}", Shown(self.time))
    }
}

/// A time in as many digits as a reader needs.
pub(crate) struct Shown(pub(crate) Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..100 => write!(f, "{seconds:.1} s"),
            100..6_000 => write!(f, "{:.0} min", seconds / 60.0),
            6_000..360_000 => write!(f, "{:.1} h", seconds / 3_600.0),
            _ => write!(f, "{:.1} d", seconds / 86_400.0),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Age, Shown};
    use std::time::Duration;

    #[test]
    fn times_are_short() {
        let shown = |seconds| Shown(Duration::from_secs_f64(seconds)).to_string();
        let all = [0.0, 0.25, 1.0, 30.0, 600.0, 9_000.0, 864_000.0].map(shown);
        assert_eq!(all, ["0 ms", "250 ms", "1.0 s", "30.0 s", "10 min", "2.5 h", "10.0 d"]);
    }

    #[test]
    fn what_was_not_noted_is_at_least_so_old() {
        let show = |age: Option<Age>| age.map(|age| age.to_string());
        assert_eq!(show(Age::of(100, None, 400)), Some("3.0 s".into()));
        assert_eq!(show(Age::of(0, Some(200), 400)), Some("at least 2.0 s".into()));
        assert_eq!(show(Age::of(0, None, 400)), None);
    }
}
