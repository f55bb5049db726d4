//! What a run has learned of a candidate. It spares the author of an executor the wait for a
//! hundred hangs that have one cause.

use crate::candidate::Candidate;
use crate::report::Outcome;
use crate::rule::Rule;
use crate::runner::{self, RuleResult};
use crate::subject::Subject;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the limit is divided by when the candidate has hung: the run has failed then, and 3 s are
/// still more than any rule needs.
const IMPATIENCE: u32 = 10;

/// The run of one candidate.
pub(crate) struct Run {
    candidate: Candidate,
    /// Whether there is one trial only, as under nextest: then there is nothing to spare.
    alone: bool,
    broken: OnceLock<Option<(&'static str, RuleResult)>>,
    hangs: AtomicBool,
}

impl Run {
    pub(crate) fn new(candidate: Candidate, alone: bool) -> Run {
        Run { candidate, alone, broken: OnceLock::new(), hangs: AtomicBool::new(false) }
    }

    /// Runs the subject, unless a rule that it rests on is broken.
    pub(crate) fn run(&self, subject: Subject) -> RuleResult {
        let rests_on = subject.rests_on();
        if !self.alone && (subject.is_ground() || !rests_on.is_empty()) {
            match self.broken.get_or_init(|| self.broken_ground()) {
                Some((broken, result)) if *broken == subject.name() => return result.clone(),
                Some((broken, _)) if rests_on.contains(broken) => {
                    return RuleResult { outcome: Outcome::Unasked(broken), step: String::new() };
                }
                _ => {}
            }
        }
        self.ask(subject)
    }

    fn ask(&self, subject: Subject) -> RuleResult {
        let full_name = format!("{}::{}", self.candidate.name, subject.name());
        let limit = subject.limit(&self.candidate);
        let limit = if self.hangs.load(Ordering::SeqCst) { limit / IMPATIENCE } else { limit };
        let result = runner::in_child(&full_name, limit);
        let known = self.candidate.known(&subject.id()).is_some();
        if !known && matches!(result.outcome, Outcome::Hang(_)) {
            self.hangs.store(true, Ordering::SeqCst);
        }
        result
    }

    /// Returns the first rule that others rest on and that does not hold, unless the candidate
    /// says so.
    fn broken_ground(&self) -> Option<(&'static str, RuleResult)> {
        let rules = Rule::all().map(Subject::Rule).filter(|rule| rule.is_ground());
        let mut unknown = rules.filter(|rule| self.candidate.known(&rule.id()).is_none());
        unknown.find_map(|rule| {
            let result = self.ask(rule);
            result.outcome.is_broken().then_some((rule.name(), result))
        })
    }
}
