//! Every decision of a run is made here, so that every run can be replayed.
//!
//! # Invariants
//!
//! 1. A decision between fewer than two options is none: it has no position and is not recorded.
//! 2. Option 0 is what would happen without a chooser: the task that has waited longest, no fault.
//! 3. A list of choices that is replayed in the same program with the same settings meets the same
//!    options; where it does not (the program was changed, or the list shortened), an option that
//!    is not there counts as 0.

use super::choices::Choices;
use super::rng::Rng;
use std::collections::BTreeMap;

/// One fault in so many decisions about one, where the seed decides.
const FAULT_RARITY: usize = 16;

pub(super) enum Strategy {
    /// Option 0 everywhere.
    Fifo,
    Random(Rng),
    Pct(Pct),
    /// These, and 0 everywhere else.
    Listed(Choices),
}

pub(super) struct Chooser {
    strategy: Strategy,
    /// How many decisions there were.
    position: u64,
    choices: Choices,
    /// The next of a list to be taken.
    next_listed: usize,
    /// The options that each of the first decisions had, and what was taken; up to `keep`.
    made: Vec<Made>,
    keep: usize,
}

/// A decision.
#[derive(Clone, Copy)]
pub(super) struct Made {
    pub(super) option: u32,
    pub(super) options: u32,
}

impl Chooser {
    pub(super) fn new(strategy: Strategy) -> Chooser {
        Chooser {
            strategy,
            position: 0,
            choices: Choices::default(),
            next_listed: 0,
            made: Vec::new(),
            keep: 0,
        }
    }

    /// Keeps what the first `keep` decisions were between.
    pub(super) fn keeping(self, keep: usize) -> Chooser {
        Chooser { keep, ..self }
    }

    /// Returns what was decided so far.
    pub(super) fn choices(&self) -> &Choices {
        &self.choices
    }

    /// Returns the decisions that were kept, and how many there were in all.
    pub(super) fn made(&self) -> (&[Made], u64) {
        (&self.made, self.position)
    }

    /// Decides which of so many tasks runs next; `ids` names them, longest waiting first.
    pub(super) fn next_task(&mut self, options: usize, ids: impl Iterator<Item = u64>) -> usize {
        if let Strategy::Pct(pct) = &mut self.strategy {
            // It counts steps, those without a choice as well.
            let option = pct.pick(ids);
            return self.decide(options, |_| option);
        }
        self.decide(options, |rng| rng.below(options))
    }

    /// A task was woken in its own poll: it gives others a turn, or is one of those that ask again
    /// and again whether something has happened.
    pub(super) fn yields(&mut self, id: u64) {
        if let Strategy::Pct(pct) = &mut self.strategy {
            pct.yields(id);
        }
    }

    /// Decides whether a fault happens.
    pub(super) fn fault(&mut self) -> bool {
        self.decide(2, |rng| usize::from(rng.below(FAULT_RARITY) == 0)) == 1
    }

    /// Decides which of so many suffers from a fault.
    pub(super) fn victim(&mut self, options: usize) -> usize {
        self.decide(options, |rng| rng.below(options))
    }

    fn decide(&mut self, options: usize, draw: impl FnOnce(&mut Rng) -> usize) -> usize {
        if options < 2 {
            return 0;
        }
        let option = match &mut self.strategy {
            Strategy::Fifo => 0,
            Strategy::Random(rng) => draw(rng),
            Strategy::Pct(pct) => draw(&mut pct.rng),
            Strategy::Listed(listed) => match listed.taken.get(self.next_listed) {
                Some(&(at, option)) if at == self.position => {
                    self.next_listed += 1;
                    if (option as usize) < options { option as usize } else { 0 }
                }
                _ => 0,
            },
        };
        self.choices.push(self.position, option as u32);
        if self.made.len() < self.keep {
            self.made.push(Made { option: option as u32, options: options as u32 });
        }
        self.position += 1;
        option
    }
}

/// Priorities with a few random changes: S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte,
/// "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.
///
/// The task with the highest priority runs. A bug that needs `d` orderings, in a program of `n`
/// tasks and `k` steps, is found in a run with a chance of at least 1 in `n * k^(d-1)`, with `d-1`
/// changes.
///
/// Beyond the paper, a task that wakes itself gets a new priority: one that spins until another has
/// done something would spin for ever if it kept the highest. Most of the time it is a random one.
/// But that is above the priorities that tasks have fallen to at a change, and if only those tasks
/// can end the spinning, it would go on for ever as well. So now and then it is the lowest of all.
pub(super) struct Pct {
    rng: Rng,
    standings: BTreeMap<u64, Standing>,
    /// The steps after which the task that has run falls to this priority, in no order of the two.
    /// The priorities that tasks start with are above all these.
    changes: BTreeMap<u64, u64>,
    /// Below all priorities that were given.
    lowest: u64,
    step: u64,
}

#[derive(Default)]
struct Standing {
    /// `None` until it is drawn.
    priority: Option<u64>,
    yields: u64,
}

/// The priorities that are drawn begin here.
const FIRST_HIGH: u64 = 1 << 32;

/// Those of the changes begin here, and those of tasks that spin are below.
const FIRST_LOW: u64 = 1 << 31;

/// After so many yields a task is the last of all, until it is its turn.
const YIELDS: u64 = 16;

impl Pct {
    /// Makes a schedule of so many changes for a program of about so many steps.
    pub(super) fn new(seed: u64, changes: usize, steps: u64) -> Pct {
        let mut rng = Rng::new(seed);
        let steps = steps.max(1) as usize;
        let changes = 0..changes as u64;
        let changes = changes.map(|low| (rng.below(steps) as u64 + 1, FIRST_LOW + low));
        let changes = changes.collect();
        Pct { rng, standings: BTreeMap::new(), changes, lowest: FIRST_LOW, step: 0 }
    }

    fn yields(&mut self, id: u64) {
        let standing = self.standings.entry(id).or_default();
        standing.yields += 1;
        standing.priority = None;
        if standing.yields % YIELDS == 0 {
            self.lowest = self.lowest.saturating_sub(1);
            standing.priority = Some(self.lowest);
        }
    }

    fn pick(&mut self, ids: impl Iterator<Item = u64>) -> usize {
        self.step += 1;
        let mut best = (0, 0, 0);
        for (index, id) in ids.enumerate() {
            let rng = &mut self.rng;
            let standing = self.standings.entry(id).or_default();
            let priority = *standing.priority.get_or_insert_with(|| FIRST_HIGH + (rng.next() >> 1));
            if index == 0 || priority > best.0 {
                best = (priority, index, id);
            }
        }
        if let Some(low) = self.changes.get(&self.step) {
            self.standings.entry(best.2).or_default().priority = Some(*low);
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn random_then_listed_decides_the_same() {
        let mut first = Chooser::new(Strategy::Random(Rng::new(7))).keeping(100);
        let decide = |chooser: &mut Chooser| {
            (1..30)
                .map(|options| chooser.next_task(options, vec![0; options].into_iter()))
                .collect::<Vec<_>>()
        };
        let seen = decide(&mut first);
        let mut second = Chooser::new(Strategy::Listed(first.choices().clone()));
        assert_eq!(decide(&mut second), seen);
        assert_eq!(second.choices(), first.choices());
        assert_eq!(first.made().1, 28, "one option is no decision");
    }

    #[test]
    fn listed_option_that_is_not_there_is_the_first() {
        let mut chooser = Chooser::new(Strategy::Listed("sim1/0=5/1=1".parse().unwrap()));
        assert_eq!(chooser.victim(3), 0);
        assert_eq!(chooser.victim(3), 1);
        assert_eq!(chooser.choices().to_string(), "sim1/1=1");
    }

    #[test]
    fn pct_without_changes_stays_with_one_task() {
        let mut chooser = Chooser::new(Strategy::Pct(Pct::new(3, 0, 10)));
        let first = chooser.next_task(3, [1, 2, 3].into_iter());
        assert!((0..20).all(|_| chooser.next_task(3, [1, 2, 3].into_iter()) == first));
    }

    #[test]
    fn pct_task_that_spins_gets_out_of_the_way() {
        let mut chooser = Chooser::new(Strategy::Pct(Pct::new(3, 0, 10)));
        let picked: BTreeSet<_> = (0..50)
            .map(|_| {
                let picked = chooser.next_task(3, [1, 2, 3].into_iter());
                chooser.yields(picked as u64 + 1);
                picked
            })
            .collect();
        assert_eq!(picked.len(), 3);
    }

    #[test]
    fn pct_tasks_that_spin_do_not_stop_one_that_has_fallen() {
        for seed in 0..50 {
            // The one that is picked first falls with that, and the others spin.
            let mut chooser = Chooser::new(Strategy::Pct(Pct::new(seed, 1, 1)));
            let fallen = chooser.next_task(3, [1, 2, 3].into_iter());
            let picked = (0..200).find(|_| {
                let picked = chooser.next_task(3, [1, 2, 3].into_iter());
                chooser.yields(picked as u64 + 1);
                picked == fallen
            });
            assert!(picked.is_some(), "with seed {seed}, it is never picked again");
        }
    }

    #[test]
    fn pct_with_a_change_goes_on_to_another() {
        let mut chooser = Chooser::new(Strategy::Pct(Pct::new(3, 1, 10)));
        let picked: BTreeSet<_> =
            (0..20).map(|_| chooser.next_task(3, [1, 2, 3].into_iter())).collect();
        assert_eq!(picked.len(), 2);
    }
}
