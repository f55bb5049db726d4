//! Runs the sides of a case by turns.
//!
//! 1. A pass of each side to warm up, and to find how many passes make a sample of some
//!    milliseconds.
//! 2. Rounds: each side takes one sample a round; the order rotates, so that no side is always
//!    the one after a certain other.
//! 3. A pass of each side with the allocator counting, not timed.

use std::time::Duration;

use crate::alloc;
use crate::case::{Case, Goal, Measure, Side};
use crate::watch::Sample;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    rounds: usize,
    sample: Duration,
}

impl Plan {
    /// Returns the plan for a case.
    pub fn of(case: &Case, quick: bool) -> Self {
        let rounds = match (case.measure, case.ops) {
            (Measure::Nanoseconds, 10_000_000..) => 1,
            (Measure::Nanoseconds, 1_000_000..) => 9,
            (Measure::Nanoseconds, _) => 21,
            // Bytes and allocations hardly vary.
            _ => 5,
        };
        match quick {
            true => Self { rounds: rounds.min(5), sample: Duration::from_millis(5) },
            false => Self { rounds, sample: Duration::from_millis(30) },
        }
    }

    /// Returns the plan for one of many sizes.
    pub fn of_sweep(case: &Case) -> Self {
        let rounds = if case.ops < 100_000 { 9 } else { 3 };
        Self { rounds, sample: Duration::from_millis(8) }
    }
}

/// The figures of one side.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Median of the rounds, nanoseconds an operation.
    pub ns: f64,
    /// The fastest round.
    pub min_ns: f64,
    /// The slowest round.
    pub max_ns: f64,
    /// Allocations an operation; not a number if they could not be counted.
    pub allocations: f64,
    /// Bytes alive an operation, at the end of a pass.
    pub bytes: f64,
    /// Live bytes on the way, each with the number of operations done by then.
    pub marks: Vec<(u64, i64)>,
    rounds: Vec<f64>,
}

impl Figures {
    fn by(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Nanoseconds => self.ns,
            Measure::Bytes => self.bytes,
            Measure::Allocations => self.allocations,
        }
    }
}

/// allhome against one peer.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The case's name.
    pub case: String,
    /// What the ratio compares.
    pub measure: Measure,
    /// allhome's figures.
    pub ours: Figures,
    /// The peer's name.
    pub peer: &'static str,
    /// The peer's figures.
    pub theirs: Figures,
    /// allhome's figure by the peer's; for time, the median of the ratios of the rounds.
    pub ratio: f64,
    /// What allhome means to reach.
    pub goal: Option<Goal>,
}

impl Comparison {
    /// Returns whether the goal was met, if there is one.
    pub fn met(&self) -> Option<bool> {
        Some(match self.goal? {
            Goal::Ratio(most) => self.ratio <= most,
            Goal::Extra(most) => self.ours.by(self.measure) - self.theirs.by(self.measure) <= most,
            Goal::Flat => match self.ours.marks[..] {
                // Room for one table that doubles late, and none for a byte a child.
                [(_, first), .., (_, last)] => last - first <= 64 * 1024,
                _ => false,
            },
        })
    }
}

/// Measures a case: one comparison a peer.
pub fn compare(case: &Case, plan: Plan) -> Vec<Comparison> {
    let mut sides = (case.sides)();
    let passes: Vec<u64> = sides.iter_mut().map(|side| calibrate(side, plan.sample)).collect();
    let mut rounds = vec![Vec::with_capacity(plan.rounds); sides.len()];
    for round in 0..plan.rounds {
        for turn in 0..sides.len() {
            let at = (round + turn) % sides.len();
            let sample = (sides[at].run)(passes[at]);
            let ops = (passes[at] * case.ops) as f64;
            rounds[at].push(sample.elapsed.as_nanos() as f64 / ops);
        }
    }
    let mut figures = sides.iter_mut().zip(rounds).map(|(side, rounds)| {
        let counting = alloc::count();
        let sample = (side.run)(1);
        drop(counting);
        let figures = summarize(rounds, sample, case.ops);
        let allocations = if side.elsewhere { f64::NAN } else { figures.allocations };
        Figures { allocations, ..figures }
    });
    let ours = figures.next().expect("a case has a side of ours");
    let theirs: Vec<_> = figures.collect();
    let peers = sides[1..].iter().zip(theirs);
    peers.map(|(side, theirs)| compare_with(case, &ours, side, theirs)).collect()
}

fn calibrate(side: &mut Side, sample: Duration) -> u64 {
    // The first pass warms up; the second counts.
    (side.run)(1);
    let once = (side.run)(1).elapsed.as_nanos().max(1);
    sample.as_nanos().div_ceil(once).clamp(1, 100_000) as u64
}

fn summarize(rounds: Vec<f64>, counted: Sample, ops: u64) -> Figures {
    Figures {
        ns: median(rounds.clone()),
        min_ns: rounds.iter().copied().fold(f64::INFINITY, f64::min),
        max_ns: rounds.iter().copied().fold(0.0, f64::max),
        allocations: counted.allocations as f64 / ops as f64,
        bytes: counted.live_bytes as f64 / ops as f64,
        marks: counted.marks,
        rounds,
    }
}

fn compare_with(case: &Case, ours: &Figures, side: &Side, theirs: Figures) -> Comparison {
    let ratio = match case.measure {
        Measure::Nanoseconds => {
            median(ours.rounds.iter().zip(&theirs.rounds).map(|(our, their)| our / their).collect())
        }
        measure => ours.by(measure) / theirs.by(measure),
    };
    Comparison {
        case: case.name.clone(),
        measure: case.measure,
        ours: ours.clone(),
        peer: side.name,
        theirs,
        ratio,
        goal: side.goal,
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let half = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => figures[half],
        _ => (figures[half - 1] + figures[half]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    fn side(name: &'static str, ns: u64, log: &Rc<RefCell<Vec<&'static str>>>) -> Side {
        let log = Rc::clone(log);
        Side::new(name, move |times| {
            log.borrow_mut().push(name);
            Sample { elapsed: Duration::from_nanos(ns * times), ..Sample::default() }
        })
    }

    #[test]
    fn sides_take_turns_and_the_order_rotates() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let sides = Rc::clone(&log);
        let case = Case {
            name: "x".into(),
            ops: 10,
            measure: Measure::Nanoseconds,
            heavy: false,
            sides: Box::new(move || {
                let theirs = side("b", 400, &sides).goal(Goal::Ratio(0.6));
                vec![side("a", 200, &sides), theirs]
            }),
        };
        let rows = compare(&case, Plan { rounds: 3, sample: Duration::from_nanos(800) });
        // two passes each to calibrate, three rounds, one counted pass each
        assert_eq!(log.borrow().concat(), ["aabb", "ab", "ba", "ab", "ab"].concat());
        assert_eq!((rows[0].ours.ns, rows[0].theirs.ns, rows[0].ratio), (20.0, 40.0, 0.5));
        assert_eq!(rows[0].met(), Some(true));
    }

    #[test]
    fn median_of_odd_even_and_none() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
