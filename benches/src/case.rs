//! A scenario and its sides.

use std::fmt;
use std::rc::Rc;

use crate::host::Host;
use crate::watch::Sample;

/// A scenario: allhome's side first, then its peers.
pub struct Case {
    /// A path, `scenario/runtime/size`.
    pub name: String,
    /// Operations (children) in one pass.
    pub ops: u64,
    /// What the sides are compared by.
    pub measure: Measure,
    /// Left out of a quick run that does not name it.
    pub heavy: bool,
    /// Makes the sides; late, since it starts runtimes.
    pub sides: Box<dyn Fn() -> Vec<Side>>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// What the sides of a case are compared by. Time is reported for every case anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Nanoseconds an operation.
    Nanoseconds,
    /// Bytes a task.
    Bytes,
    /// Allocations an operation.
    Allocations,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Measure::Nanoseconds => "ns",
            Measure::Bytes => "bytes",
            Measure::Allocations => "allocs",
        })
    }
}

/// What allhome means to reach against a peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At most this share of the peer's figure.
    Ratio(f64),
    /// At most this much more than the peer's figure.
    Extra(f64),
    /// Live bytes at the last mark as at the first.
    Flat,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::Ratio(ratio) => write!(f, "{ratio:.2}"),
            Goal::Extra(extra) => write!(f, "+{extra}"),
            Goal::Flat => f.write_str("flat"),
        }
    }
}

/// One contestant.
pub struct Side {
    /// The library's type, or "ours".
    pub name: &'static str,
    /// What allhome means to reach against it.
    pub goal: Option<Goal>,
    /// Whether it runs in a process of its own, where its allocations are not counted.
    pub elsewhere: bool,
    /// Runs the scenario so many times and adds up what was measured.
    pub run: Box<dyn FnMut(u64) -> Sample>,
}

impl Side {
    /// Makes a side of a function that runs the scenario so many times.
    pub fn new(name: &'static str, run: impl FnMut(u64) -> Sample + 'static) -> Self {
        Self { name, goal: None, elsewhere: false, run: Box::new(run) }
    }

    /// Makes a side of one pass over the scenario, to be repeated on the host.
    pub fn on<F, Fut>(host: &Rc<Host>, name: &'static str, pass: F) -> Self
    where
        F: Fn() -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Sample> + Send + 'static,
    {
        let host = Rc::clone(host);
        Self::new(name, move |times| {
            host.run(async move {
                let mut total = Sample::default();
                for _ in 0..times {
                    total += pass().await;
                }
                total
            })
        })
    }

    /// Sets the goal against this side.
    pub fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Side").field(&self.name).finish()
    }
}
