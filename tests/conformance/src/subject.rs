//! The subject of a trial: a rule of a runtime, or a clause of the core.

use crate::candidate::{Candidate, Capabilities, Root};
use crate::cases::{self, CASES};
use crate::fixture::{Fixture, step};
use crate::rule::{Need, Requirement, Rule};
use allhome_rt::{LocalRuntime, Runtime};
use std::time::Duration;

/// A clause of the core that can be tested on any runtime.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) run: fn(Runtime) -> Root<'static>,
}

/// A rule or a clause.
#[derive(Clone, Copy)]
pub(crate) enum Subject {
    Rule(&'static Rule),
    Clause(&'static Case),
    /// A clause in a local nursery.
    Local(&'static Case),
}

/// What the name of a clause in a local nursery begins with.
const LOCAL: &str = "local_";

/// Rules that others rest on: that it is started, drives its root, and polls a task.
const GROUND: &[&str] = &["w41_is_started", "w42_drives_its_root", "r19_first_poll_needs_no_wake"];

impl Subject {
    /// Returns all subjects, in order.
    pub(crate) fn all() -> impl Iterator<Item = Subject> {
        let local = cases::local::CASES.iter().map(Subject::Local);
        Rule::all().map(Subject::Rule).chain(CASES.iter().map(Subject::Clause)).chain(local)
    }

    /// Returns the candidate and the subject of a trial's name.
    pub(crate) fn of<'a>(
        full_name: &str,
        candidates: &'a [Candidate],
    ) -> Option<(&'a Candidate, Subject)> {
        candidates.iter().find_map(|candidate| {
            let name = full_name.strip_prefix(&candidate.name)?.strip_prefix("::")?;
            Some((candidate, Subject::all().find(|subject| subject.name() == name)?))
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Rule(rule) => rule.name,
            Subject::Clause(case) | Subject::Local(case) => case.name,
        }
    }

    pub(crate) fn id(self) -> String {
        let name = self.name();
        crate::rule::id(name.strip_prefix(LOCAL).unwrap_or(name))
    }

    pub(crate) fn group(self) -> &'static str {
        match self {
            Subject::Rule(rule) => rule.group,
            Subject::Clause(case) | Subject::Local(case) => case.group,
        }
    }

    pub(crate) fn requirement(self) -> Requirement {
        match self {
            Subject::Rule(rule) => rule.requirement,
            Subject::Clause(_) | Subject::Local(_) => Requirement::Must,
        }
    }

    /// Returns the most likely cause of a failure, if it is known.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Subject::Rule(rule) => rule.cause,
            Subject::Clause(_) | Subject::Local(_) => "",
        }
    }

    /// Returns the rules without which it shows nothing. Some are about the root alone, or hold of
    /// tasks that are dropped.
    pub(crate) fn rests_on(self) -> &'static [&'static str] {
        match &*self.id() {
            "W41" | "W42" => &[],
            "W32" | "W34" | "W37" | "W38" | "W43" | "R11" | "R16" | "R19" => &GROUND[..2],
            _ => GROUND,
        }
    }

    pub(crate) fn is_ground(self) -> bool {
        GROUND.contains(&self.name())
    }

    /// Returns the first capability that it needs and that is not declared.
    pub(crate) fn lacks(self, declared: Capabilities) -> Option<Need> {
        match self {
            Subject::Rule(rule) => declared.lacks(rule.needs),
            Subject::Clause(case) => declared.lacks(case.needs),
            // Its children are on one thread, however many the runtime has.
            Subject::Local(case) => declared.threads(1).lacks(case.needs),
        }
    }

    /// Returns how long it may take. A clause may have many children, and so four times as long as
    /// a rule.
    pub(crate) fn limit(self, candidate: &Candidate) -> Duration {
        match self {
            Subject::Rule(rule) => candidate.limit_of(rule),
            Subject::Clause(_) | Subject::Local(_) => candidate.limit * 4,
        }
    }

    pub(crate) fn run(self, candidate: &Candidate, declared: Capabilities) {
        match self {
            Subject::Rule(rule) => (rule.run)(&mut Fixture::new(candidate, declared)),
            Subject::Clause(case) | Subject::Local(case) => {
                let mut fixture = Fixture::new(candidate, declared);
                if let Subject::Local(_) = self {
                    let runtime = fixture.host().runtime();
                    cases::local::run_on(LocalRuntime::new(runtime, fixture.local()));
                }
                let root = (case.run)(fixture.host().runtime());
                step("the clause is driven");
                fixture.host().block_on(root);
                fixture.shut_down();
            }
        }
    }
}
