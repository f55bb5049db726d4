//! The harness: one trial a rule or clause, each on a fresh runtime, in a process of its own.

use crate::candidate::{Candidate, Capabilities, Deviation, Host};
use crate::report::{Outcome, Report, Verdict};
use crate::rule::Rule;
use crate::run::Run;
use crate::runner::{self, RuleResult};
use crate::subject::Subject;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Runs the suite on one runtime that declares what its host visibly has: the short form of
/// [`Candidate::main`].
pub fn main(runtime: &str, start: fn() -> Box<dyn Host>) -> ExitCode {
    Candidate::new(runtime, start).main()
}

/// Runs the suite on these, with the command line's filters, as `cargo test` and nextest pass them,
/// and with its own `--report` and `--strict`.
pub fn run(candidates: impl IntoIterator<Item = Candidate>) -> ExitCode {
    let candidates: Vec<_> = candidates.into_iter().collect();
    runner::SILENT.fetch_add(1, Ordering::SeqCst);
    runner::quietly();
    if let Ok(rule) = std::env::var(runner::RULE) {
        return runner::child(&rule, &candidates);
    }
    let (own, mut arguments) = match Own::parse(std::env::args()) {
        Ok(parsed) => parsed,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    if own.format.is_some() {
        // The report is all that is printed.
        arguments.logfile = Some(if cfg!(windows) { "NUL" } else { "/dev/null" }.into());
    }
    // Looked at once: a candidate may not start.
    let declared = |candidate: Candidate| {
        let declared = candidate.capabilities();
        candidate.declares(declared)
    };
    let candidates: Vec<_> = candidates.into_iter().map(declared).collect();
    let report = Arc::new(Mutex::new(Report::new(&candidates, own.strict)));
    let trials = candidates.iter().flat_map(|candidate| trials(candidate, &report, &arguments));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner).clone();
    report.verdicts.sort_by_key(|verdict| place(&verdict.candidate, verdict.name, &candidates));
    if !arguments.list {
        match own.format {
            Some(Format::Text) => print!("{report}"),
            Some(Format::Json) => print!("{}", report.json()),
            Some(Format::Junit) => print!("{}", report.junit()),
            // A single one was reported already.
            None if report.verdicts.len() > 1 => println!("{report}"),
            None => {}
        }
    }
    conclusion.exit_code()
}

/// Where a verdict stands in a report: trials run side by side.
fn place(candidate: &str, name: &str, candidates: &[Candidate]) -> (usize, usize) {
    let place = candidates.iter().position(|other| other.name == candidate).unwrap_or(0);
    let mut subjects = Subject::all();
    (place, subjects.position(|subject| subject.name() == name).unwrap_or(0))
}

impl Candidate {
    /// Runs all rules of a runtime in this process, one after the other, in small numbers: for
    /// tests of the suite itself. The candidate must not hang; its driver can see by
    /// [`Progress`](crate::Progress) that nothing will ever happen, and panic.
    #[must_use]
    pub fn examine(&self) -> Report {
        self.examine_only(|_| true)
    }

    /// As [`examine`](Candidate::examine), with these rules only.
    #[must_use]
    pub fn examine_only(&self, rules: impl Fn(&Rule) -> bool) -> Report {
        let mut report = Report::new(std::slice::from_ref(self), false);
        runner::SILENT.fetch_add(1, Ordering::SeqCst);
        let declared = self.capabilities();
        for rule in Rule::all().filter(|rule| rules(rule)) {
            let run_it = || runner::in_process(rule, self, declared, true);
            report.verdicts.push(verdict(self, Subject::Rule(rule), declared, run_it));
        }
        runner::SILENT.fetch_sub(1, Ordering::SeqCst);
        report
    }
}

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
    Junit,
}

/// The variable that does what `--strict` does, for runners that pass on no arguments.
const STRICT: &str = "ALLHOME_CONFORMANCE_STRICT";

/// The arguments that libtest does not know.
struct Own {
    format: Option<Format>,
    strict: bool,
}

impl Own {
    fn parse(all: impl Iterator<Item = String>) -> Result<(Own, Arguments), String> {
        let strict =
            std::env::var_os(STRICT).is_some_and(|value| !value.is_empty() && value != "0");
        let (mut own, mut rest, mut all) = (Own { format: None, strict }, Vec::new(), all);
        while let Some(argument) = all.next() {
            let format = match argument.strip_prefix("--report") {
                Some("") => all.next().unwrap_or_default(),
                Some(value) if value.starts_with('=') => value[1..].to_string(),
                _ if argument == "--strict" => {
                    own.strict = true;
                    continue;
                }
                _ => {
                    rest.push(argument);
                    continue;
                }
            };
            own.format = Some(match &*format {
                "text" => Format::Text,
                "json" => Format::Json,
                "junit" => Format::Junit,
                other => return Err(format!("--report is text, json or junit, not {other:?}")),
            });
        }
        Ok((own, Arguments::from_iter(rest)))
    }
}

/// Returns `true` if the command line selects this trial, as libtest reads it.
fn asked_for(arguments: &Arguments, name: &str) -> bool {
    let matches = |filter: &str| match arguments.exact {
        true => name == filter,
        false => name.contains(filter),
    };
    arguments.filter.as_deref().is_none_or(matches)
        && !arguments.skip.iter().any(|filter| matches(filter))
}

/// A report that the trials write into, as they are done.
type Shared = Arc<Mutex<Report>>;

fn note(report: &Shared, verdict: Verdict) {
    report.lock().unwrap_or_else(PoisonError::into_inner).verdicts.push(verdict);
}

fn trials(candidate: &Candidate, report: &Shared, arguments: &Arguments) -> Vec<Trial> {
    let declared = candidate.capabilities();
    let strict = report.lock().unwrap_or_else(PoisonError::into_inner).strict;
    let run = Arc::new(Run::new(candidate.clone(), arguments.exact));
    let trials = Subject::all().map(|subject| {
        let full_name = format!("{}::{}", candidate.name, subject.name());
        let lacks = subject.lacks(declared).is_some();
        if lacks && asked_for(arguments, &full_name) && !arguments.list {
            let run_it = || unreachable!("it is skipped");
            note(report, verdict(candidate, subject, declared, run_it));
        }
        let (candidate, report, run) = (candidate.clone(), report.clone(), run.clone());
        let trial = Trial::ignorable_test(full_name, move || {
            let verdict = verdict(&candidate, subject, declared, || run.run(subject));
            let (fails, passes) = (verdict.fails(strict), verdict.outcome == Outcome::Pass);
            let said = verdict.said();
            if !lacks {
                note(&report, verdict);
            }
            match (fails, passes) {
                (true, _) => Err(Failed::from(said)),
                (_, true) => Ok(Completion::Completed),
                _ => Ok(Completion::ignored_with(said)),
            }
        });
        trial.with_ignored_flag(lacks)
    });
    trials.collect()
}

/// Returns the verdict: runs the subject if everything that it needs is declared, and checks
/// whether the candidate lists it as a deviation.
fn verdict(
    candidate: &Candidate,
    subject: Subject,
    declared: Capabilities,
    run_it: impl FnOnce() -> RuleResult,
) -> Verdict {
    let start = Instant::now();
    let RuleResult { outcome, step } = match subject.lacks(declared) {
        Some(need) => RuleResult { outcome: Outcome::Skipped(need), step: String::new() },
        None => run_it(),
    };
    let id = subject.id();
    let outcome = match (candidate.known(&id), outcome) {
        (Some(Deviation { reason, sometimes: false, .. }), Outcome::Pass) => {
            Outcome::Surprise(reason.clone())
        }
        (Some(Deviation { reason, .. }), outcome) if outcome.is_broken() => {
            Outcome::Known(reason.clone())
        }
        (_, outcome) => outcome,
    };
    Verdict {
        candidate: candidate.name.clone(),
        id,
        name: subject.name(),
        group: subject.group(),
        requirement: subject.requirement(),
        outcome,
        step,
        cause: subject.cause(),
        time: start.elapsed(),
    }
}
