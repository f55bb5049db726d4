//! The harness: one trial a rule or clause, each on a fresh runtime, in a process of its own.

use crate::candidate::{Candidate, Capabilities, Deviation, Host};
use crate::progress::Step;
use crate::report::{Outcome, Report, Verdict};
use crate::rule::Rule;
use crate::run::Run;
use crate::runner::{self, RuleResult};
use crate::shown::Lines;
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
    let lines = Arc::new(Lines::new(&arguments, own.format.is_none()));
    if own.format.is_some() || lines.are_own() {
        // The report, or what the suite prints itself, is all that is printed.
        arguments.logfile = Some(if cfg!(windows) { "NUL" } else { "/dev/null" }.into());
    }
    // Looked at once: a candidate may not start.
    let declared = |candidate: Candidate| {
        let declared = candidate.capabilities();
        candidate.declares(declared)
    };
    let candidates: Vec<_> = candidates.into_iter().map(declared).collect();
    let report = Arc::new(Mutex::new(Report::new(&candidates, own.strict)));
    let about = About { report: report.clone(), lines: lines.clone(), strict: own.strict };
    let trials = candidates.iter().flat_map(|candidate| trials(candidate, &about, &arguments));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner).clone();
    report.verdicts.sort_by_key(|verdict| place(&verdict.candidate, verdict.name, &candidates));
    if !arguments.list {
        match own.format {
            Some(Format::Text) => print!("{report}"),
            Some(Format::Json) => print!("{}", report.json()),
            Some(Format::Junit) => print!("{}", report.junit()),
            None if report.verdicts.is_empty() => {}
            // A single one needs no table.
            None if report.verdicts.len() == 1 => println!("{}", report.verdicts[0].said()),
            None => println!("\n{report}"),
        }
        let should = report.verdicts.iter().filter(|one| one.outcome.is_broken());
        let should = should.filter(|one| !one.fails(own.strict)).count();
        lines.close(&conclusion, should);
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
        let rules: Vec<_> = Rule::all().filter(|rule| rules(rule)).collect();
        let candidate = self.clone();
        let ask = move |subject, _| match subject {
            Subject::Rule(rule) => runner::in_process(rule, &candidate, declared, true),
            Subject::Clause(_) | Subject::Local(_) => unreachable!("rules are asked"),
        };
        let run = Run::new(self.clone().declares(declared), rules.len() == 1, Box::new(ask));
        for subject in rules.into_iter().map(Subject::Rule) {
            report.verdicts.push(verdict(self, subject, declared, || run.run(subject)));
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

/// What all trials of a run have in common: the report that they write into, as they are done.
#[derive(Clone)]
struct About {
    report: Arc<Mutex<Report>>,
    lines: Arc<Lines>,
    strict: bool,
}

impl About {
    fn note(&self, verdict: Verdict) {
        self.lines.print(&verdict, self.strict);
        self.report.lock().unwrap_or_else(PoisonError::into_inner).verdicts.push(verdict);
    }
}

fn trials(candidate: &Candidate, about: &About, arguments: &Arguments) -> Vec<Trial> {
    let declared = candidate.capabilities();
    let name = candidate.name.clone();
    let in_child = move |subject: Subject, limit| {
        runner::in_child(&format!("{name}::{}", subject.name()), limit)
    };
    let run = Arc::new(Run::new(candidate.clone(), arguments.exact, Box::new(in_child)));
    let (list, arguments) = (arguments.list, Arc::new(arguments.clone()));
    let trials = Subject::all().map(|subject| {
        let full_name = format!("{}::{}", candidate.name, subject.name());
        let lacks = subject.lacks(declared).is_some();
        if lacks && asked_for(&arguments, &full_name) && !list {
            let run_it = || unreachable!("it is skipped");
            about.note(verdict(candidate, subject, declared, run_it));
        }
        let (candidate, about, run) = (candidate.clone(), about.clone(), run.clone());
        let arguments = arguments.clone();
        let trial = Trial::ignorable_test(full_name, move || {
            let verdict = verdict(&candidate, subject, declared, || run.run(subject));
            let (outcome, said) = (verdict.outcome.clone(), verdict.said());
            // Of a run in which the rule that is broken has no trial, this is the failure.
            let hidden = matches!(outcome, Outcome::Unasked(base)
                if !asked_for(&arguments, &format!("{}::{base}", candidate.name)));
            let fails = verdict.fails(about.strict) || hidden;
            if !lacks {
                about.note(verdict);
            }
            match (fails, outcome == Outcome::Pass) {
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
        Some(need) => RuleResult { outcome: Outcome::Skipped(need), step: Step::default() },
        None => run_it(),
    };
    // A step that this rule itself sees to is its own.
    let before = step.before.is_some_and(|rules| !rules.contains(&subject.id()));
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
        before,
        cause: match step.cause {
            _ if before => String::new(),
            Some(cause) => cause,
            None => subject.cause().to_string(),
        },
        step: step.text,
        time: start.elapsed(),
    }
}
