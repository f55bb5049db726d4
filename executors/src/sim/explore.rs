//! Many runs of one program: until one fails, or all were seen; and then the shortest that fails.
//!
//! Exhaustive is a depth-first search over the decisions, and keeps nothing but the path that it is
//! on. It is bounded by how many decisions of a run may differ from the first option: C. Emmi,
//! S. Qadeer, Z. Rakamarić, "Delay-Bounded Scheduling", POPL 2011, with a decision for a delay.
//!
//! Depth first alone varies the last decisions of a run first, and the first ones at the very end:
//! a task that yields until others are done has the search try all ways to yield. So it begins with
//! the schedules that differ in no decision, then in one, then in two, and then takes the rest: a
//! bound that rises, as in M. Musuvathi, S. Qadeer, "Iterative Context Bounding", PLDI 2007. A
//! schedule that a later round runs again on its way is counted once.
//!
//! A failing schedule is run once more as it was: a program that does not do the same then is not
//! deterministic, and is told so. Else it is made shorter by taking away what it decided, first much at a time and then
//! little, as long as what is left fails in the same way: A. Zeller, R. Hildebrandt, "Simplifying
//! and Isolating Failure-Inducing Input", IEEE TSE 2002.

use super::choices::Choices;
use super::chooser::{Chooser, Made, Pct, Strategy};
use super::failure::{Facts, Failure, FailureKind};
use super::quiet::Quiet;
use super::rng::Rng;
use super::simulation::Simulation;
use super::{Plan, Simulator};
use std::fmt;

/// The most runs that are spent on a shorter schedule.
const MOST_SHORTENING: u64 = 500;

/// The result of an exploration.
#[derive(Clone, Debug)]
pub struct Explored {
    schedules: u64,
    complete: bool,
    failure: Option<Box<Found>>,
}

#[derive(Clone, Debug)]
struct Found {
    at: u64,
    original: Failure,
    shortest: Failure,
}

impl Explored {
    /// Returns how many schedules were run, up to the first that failed. Runs that made it shorter
    /// are not counted.
    pub fn schedules(&self) -> u64 {
        self.schedules
    }

    /// Returns `true` if all schedules were run: exhaustively, and no bound cut anything off.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns the failure with the shortest schedule that was found.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref().map(|found| &found.shortest)
    }

    /// Returns the failure that was found first, with the seed of its run.
    pub fn original(&self) -> Option<&Failure> {
        self.failure.as_ref().map(|found| &found.original)
    }

    /// Returns this, if nothing failed.
    ///
    /// # Panics
    ///
    /// Panics if a schedule failed, with the failure and how to replay it.
    #[track_caller]
    pub fn unwrap(self) -> Explored {
        assert!(self.failure.is_none(), "{self}");
        self
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = if self.complete { ", all there are" } else { "" };
        let Some(found) = &self.failure else {
            return write!(f, "no failure in {} schedules{all}", self.schedules);
        };
        writeln!(f, "schedule {} failed", found.at)?;
        if let Some(seed) = found.original.seed() {
            writeln!(f, "seed: {seed}")?;
        }
        let shortest = found.shortest.is_deterministic();
        writeln!(f, "{}", if shortest { "the shortest that fails:" } else { "how it failed:" })?;
        write!(f, "{}", found.shortest)
    }
}

/// One run of the program: drives the simulation and returns how it failed.
pub(super) type Trial<'a> = &'a mut dyn FnMut(&mut Simulation) -> Option<Failure>;

impl Simulator {
    /// As [`explore`](Simulator::explore), for a program that drives the simulation itself. It
    /// calls `trial` with a fresh simulation for each schedule, and `trial` returns the failure, if
    /// there was one. Every call must do the same but for the schedule.
    #[must_use = "it has the failure, if a schedule failed"]
    pub fn explore_with(
        &self,
        mut trial: impl FnMut(&mut Simulation) -> Option<Failure>,
    ) -> Explored {
        match self.plan {
            Plan::Exhaustive => self.exhaust(&mut trial),
            Plan::Fifo | Plan::Replay => self.sample(&mut trial, 1),
            Plan::Random | Plan::Pct { .. } => self.sample(&mut trial, self.most_schedules),
        }
    }

    /// Makes the simulation of the `index`-th run, which will take about that many steps.
    pub(super) fn simulation(&self, index: u64, steps: u64) -> Simulation {
        let seed = self.seed.wrapping_add(index);
        let (strategy, seed) = match self.plan {
            Plan::Fifo | Plan::Exhaustive => (Strategy::Fifo, None),
            Plan::Replay => (Strategy::Listed(self.replay.clone()), None),
            Plan::Random => (Strategy::Random(Rng::new(seed)), Some(seed)),
            Plan::Pct { changes } => (Strategy::Pct(Pct::new(seed, changes, steps)), Some(seed)),
        };
        Simulation::new(self, Chooser::new(strategy), seed)
    }

    fn sample(&self, trial: Trial<'_>, most: u64) -> Explored {
        let mut steps = self.expected_steps;
        for index in 0..most {
            let mut simulation = self.simulation(index, steps);
            if let Some(failure) = trial(&mut simulation) {
                return self.found(index, failure, trial);
            }
            // The later priorities change somewhere in the length of the runs so far.
            steps = if index == 0 { simulation.steps() } else { steps.max(simulation.steps()) };
        }
        Explored { schedules: most, complete: false, failure: None }
    }

    fn exhaust(&self, trial: Trial<'_>) -> Explored {
        let mut schedules = 0;
        for (least, most) in rounds(self.deviations) {
            let (mut path, mut cut) = (Vec::new(), false);
            loop {
                if schedules == self.most_schedules {
                    return Explored { schedules, complete: false, failure: None };
                }
                let is_new = deviations(&path) >= least;
                let chooser = Chooser::new(Strategy::Listed(listed(&path))).keeping(self.depth);
                let mut simulation = Simulation::new(self, chooser, None);
                if let Some(failure) = trial(&mut simulation) {
                    return self.found(schedules, failure, trial);
                }
                schedules += u64::from(is_new);
                let (made, decisions) = simulation.chooser().made();
                cut |= decisions > made.len() as u64;
                path = made.to_vec();
                if !next_path(&mut path, most, &mut cut) {
                    break;
                }
            }
            if !cut {
                return Explored { schedules, complete: true, failure: None };
            }
        }
        Explored { schedules, complete: false, failure: None }
    }

    fn found(&self, at: u64, original: Failure, trial: Trial<'_>) -> Explored {
        // The hook has printed the panic once, and the report is going to.
        let quiet = Quiet::begin();
        let mut shortest = match self.differs(&original, trial) {
            None => self.shorten(original.clone(), trial),
            // A shorter schedule would be a matter of luck.
            Some(how) => Failure(Box::new(Facts { differs: Some(how), ..*original.0.clone() })),
        };
        drop(quiet);
        // No seed gives it.
        shortest.0.seed = None;
        let failure = Some(Box::new(Found { at: at + 1, original, shortest }));
        Explored { schedules: at + 1, complete: false, failure }
    }

    /// Runs it once more, with the same decisions. Returns how the two runs differ, if they do.
    fn differs(&self, first: &Failure, trial: Trial<'_>) -> Option<String> {
        let chooser = Chooser::new(Strategy::Listed(first.0.choices.clone()));
        let Some(second) = trial(&mut Simulation::new(self, chooser, None)) else {
            return Some("a second run with the same decisions did not fail".to_string());
        };
        let (first, second) = (&*first.0, &*second.0);
        if first.kind != second.kind {
            let kind = second.kind;
            return Some(format!("a second run with the same decisions ended in a {kind}"));
        }
        let ends = |facts: &Facts| (facts.steps, facts.at);
        (ends(first) != ends(second)).then(|| {
            let (steps, at) = ends(second);
            format!("a second run with the same decisions failed after {steps} steps, at {at:?}")
        })
    }

    fn shorten(&self, mut best: Failure, trial: Trial<'_>) -> Failure {
        let mut left = MOST_SHORTENING;
        let mut chunk = best.0.choices.len().div_ceil(2);
        while chunk > 0 && left > 0 {
            let mut at = 0;
            while at < best.0.choices.len() && left > 0 {
                left -= 1;
                let mut fewer = best.0.choices.taken.clone();
                fewer.drain(at..fewer.len().min(at + chunk));
                match self.fails_alike(fewer, &best, trial) {
                    Some(shorter) => best = shorter,
                    None => at += chunk,
                }
            }
            chunk = if chunk > 1 { chunk.div_ceil(2) } else { 0 };
        }
        // The same decisions, but for an earlier option.
        for at in 0..best.0.choices.len() {
            while left > 0 && best.0.choices.taken.get(at).is_some_and(|(_, option)| *option > 1) {
                left -= 1;
                let mut lower = best.0.choices.taken.clone();
                lower[at].1 -= 1;
                match self.fails_alike(lower, &best, trial) {
                    Some(simpler) => best = simpler,
                    None => break,
                }
            }
        }
        best
    }

    /// Replays, and gives the failure if it is of the same kind and no longer than the best.
    fn fails_alike(
        &self,
        taken: Vec<(u64, u32)>,
        best: &Failure,
        trial: Trial<'_>,
    ) -> Option<Failure> {
        let chooser = Chooser::new(Strategy::Listed(Choices { taken }));
        let failure = trial(&mut Simulation::new(self, chooser, None))?;
        let alike = failure.0.kind == best.0.kind
            && (failure.0.kind != FailureKind::Panic || failure.0.message == best.0.message);
        (alike && failure.0.choices.len() <= best.0.choices.len()).then_some(failure)
    }
}

fn listed(path: &[Made]) -> Choices {
    let mut choices = Choices::default();
    for (position, made) in path.iter().enumerate() {
        choices.push(position as u64, made.option);
    }
    choices
}

/// Returns the least and the most deviations of the schedules of each round, the most of all given.
fn rounds(most: usize) -> impl Iterator<Item = (usize, usize)> {
    [(0, 0), (1, 1), (2, 2), (3, usize::MAX)]
        .into_iter()
        .take_while(move |&(least, _)| least <= most)
        .map(move |(least, bound)| (least, bound.min(most)))
}

fn deviations(path: &[Made]) -> usize {
    path.iter().filter(|made| made.option > 0).count()
}

/// Goes on to the next path in the order of a depth-first search. Returns false after the last.
fn next_path(path: &mut Vec<Made>, most: usize, cut: &mut bool) -> bool {
    let mut used = deviations(path);
    while let Some(last) = path.last_mut() {
        let fresh = usize::from(last.option == 0);
        if last.option + 1 < last.options {
            if used + fresh <= most {
                last.option += 1;
                return true;
            }
            *cut = true;
        }
        used -= 1 - fresh;
        path.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the paths of a tree in which each of `depth` decisions has `options`.
    fn count(depth: usize, options: u32, deviations: usize) -> (u64, bool) {
        let mut path = vec![Made { option: 0, options }; depth];
        let (mut count, mut cut) = (1, false);
        while next_path(&mut path, deviations, &mut cut) {
            count += 1;
            path.resize(depth, Made { option: 0, options });
        }
        (count, cut)
    }

    #[test]
    fn all_paths_are_taken_once() {
        assert_eq!(count(4, 3, usize::MAX), (81, false));
        assert_eq!(count(1, 1, 9), (1, false));
    }

    #[test]
    fn rounds_rise_to_the_bound() {
        let all = usize::MAX;
        assert!(rounds(all).eq([(0, 0), (1, 1), (2, 2), (3, all)]));
        assert!(rounds(7).eq([(0, 0), (1, 1), (2, 2), (3, 7)]));
        assert!(rounds(1).eq([(0, 0), (1, 1)]));
    }

    #[test]
    fn deviations_are_bounded() {
        assert_eq!(count(4, 3, 0), (1, true));
        assert_eq!(count(4, 3, 1), (1 + 4 * 2, true));
        assert_eq!(count(4, 3, 2), (1 + 4 * 2 + 6 * 4, true));
    }
}
