//! What a run has learned of a candidate. It spares the author of an executor the wait for a
//! hundred hangs that have one cause, and blames each failure on the rule that it is about.
//!
//! # Invariants
//!
//! 1. A rule that is [`Unasked`](Outcome::Unasked) names one that this run has seen broken, and that
//!    the candidate does not list.
//! 2. A rule is asked once.

use crate::candidate::Candidate;
use crate::report::Outcome;
use crate::rule::Requirement;
use crate::runner::RuleResult;
use crate::subject::Subject;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// What the limit is divided by when the candidate has hung: the run has failed then, and a second
/// is still more than a rule needs. After several hangs it is a quarter of that.
const IMPATIENCE: u32 = 10;
const SEVERAL: usize = 6;

/// Asks one rule or clause, within this limit.
pub(crate) type Ask = Box<dyn Fn(Subject, Duration) -> RuleResult + Send + Sync>;

/// The run of one candidate.
pub(crate) struct Run {
    candidate: Candidate,
    ask: Ask,
    /// Whether there is one trial only, as under nextest: then there is nothing to spare.
    alone: bool,
    ground: OnceLock<Option<&'static str>>,
    results: Mutex<BTreeMap<&'static str, RuleResult>>,
    hangs: AtomicUsize,
}

impl Run {
    pub(crate) fn new(candidate: Candidate, alone: bool, ask: Ask) -> Run {
        let (ground, results) = (OnceLock::new(), Mutex::default());
        Run { candidate, ask, alone, ground, results, hangs: AtomicUsize::new(0) }
    }

    /// Runs the subject, unless a rule that it rests on is broken.
    pub(crate) fn run(&self, subject: Subject) -> RuleResult {
        if self.alone {
            return self.asked(subject);
        }
        let ground =
            *self.ground.get_or_init(|| Subject::ground().find_map(|rule| self.broken(rule)));
        if let Some(result) = self.known(subject) {
            return result;
        }
        let missing =
            ground.or_else(|| subject.is_clause().then(|| self.a_broken_must()).flatten());
        match missing {
            Some(base) => RuleResult::unasked(base),
            None => self.settled(subject),
        }
    }

    /// Returns the rule that is broken, if this one is, or one that it comes to before it is asked.
    fn broken(&self, rule: Subject) -> Option<&'static str> {
        let lacks = rule.lacks(self.candidate.capabilities()).is_some();
        if lacks || self.candidate.known(&rule.id()).is_some() {
            return None;
        }
        match self.known(rule).unwrap_or_else(|| self.settled(rule)).outcome {
            Outcome::Unasked(base) => Some(base),
            outcome => outcome.is_broken().then_some(rule.name()),
        }
    }

    /// Asks it. If it fails before it has come to what it is about, and one of the rules that see to
    /// that is broken, it is not asked.
    fn settled(&self, subject: Subject) -> RuleResult {
        let result = self.asked(subject);
        let before = if result.outcome.is_broken() { result.step.before.clone() } else { None };
        // Noted first, so that two rules that blame each other come to an end.
        self.note(subject, &result);
        let named = |id: &String| Subject::all().find(|rule| rule.id() == *id);
        let mut bases = before.iter().flatten().filter_map(named);
        let blamed =
            bases.find_map(|base| self.broken(base).filter(|base| *base != subject.name()));
        let Some(base) = blamed else { return result };
        let result = RuleResult::unasked(base);
        self.note(subject, &result);
        result
    }

    fn asked(&self, subject: Subject) -> RuleResult {
        let limit = subject.limit(&self.candidate);
        let limit = match self.hangs.load(Ordering::SeqCst) {
            // A clause is asked when each MUST rule holds, and then it may well hold itself.
            _ if subject.is_clause() => limit,
            hangs if hangs > 0 && subject.is_long() => limit / 2,
            0 => limit,
            hangs if hangs < SEVERAL => limit / IMPATIENCE,
            _ => limit / IMPATIENCE / 4,
        };
        let result = (self.ask)(subject, limit);
        let known = self.candidate.known(&subject.id()).is_some();
        if !known && matches!(result.outcome, Outcome::Hang(_)) {
            self.hangs.fetch_add(1, Ordering::SeqCst);
        }
        result
    }

    fn known(&self, subject: Subject) -> Option<RuleResult> {
        self.results().get(subject.name()).cloned()
    }

    fn note(&self, subject: Subject, result: &RuleResult) {
        self.results().insert(subject.name(), result.clone());
    }

    fn results(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, RuleResult>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a MUST rule that was seen broken. The core is not made for such a runtime, so its
    /// clauses show nothing there.
    fn a_broken_must(&self) -> Option<&'static str> {
        let results = self.results();
        let mut rules = Subject::all().filter(|rule| {
            !rule.is_clause()
                && rule.requirement() == Requirement::Must
                && self.candidate.known(&rule.id()).is_none()
        });
        let broken = |name| results.get(name).is_some_and(|result| result.outcome.is_broken());
        rules.find(|rule| broken(rule.name())).map(Subject::name)
    }
}
