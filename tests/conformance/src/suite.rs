//! The harness: one trial a rule or clause, each on a fresh runtime, under a watchdog.

use crate::candidate::{Candidate, Capabilities, Deviation, Host, Root, Start};
use crate::cases::CASES;
use crate::judge::{self, Judgement};
use crate::report::{Outcome, Report, Verdict};
use crate::rule::{Level, Rule, id};
use allhome_rt::Runtime;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A clause of the core that can be tested on any runtime.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) run: fn(Runtime) -> Root<'static>,
    /// How many tasks the runtime must be able to poll at once.
    pub(crate) threads: usize,
}

/// How long a case may take before it counts as hanging: far more than any needs.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the suite on one runtime that declares what its host visibly has: the short form of
/// [`Candidate::main`].
pub fn main(runtime: &str, start: fn() -> Box<dyn Host>) -> ExitCode {
    Candidate::new(runtime, start).main()
}

/// Runs the suite on these, with the command line's filters, as `cargo test` and nextest pass them,
/// and with its own `--report` and `--strict`.
pub fn run(candidates: impl IntoIterator<Item = Candidate>) -> ExitCode {
    let candidates: Vec<_> = candidates.into_iter().collect();
    judge::SILENT.fetch_add(1, Ordering::SeqCst);
    judge::quietly();
    if let Ok(rule) = std::env::var(judge::RULE) {
        return judge::child(&rule, &candidates);
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
            // One alone has been told of already.
            None if report.verdicts.len() > 1 => println!("{report}"),
            None => {}
        }
    }
    conclusion.exit_code()
}

/// Where a verdict stands in a report: trials run side by side.
fn place(candidate: &str, name: &str, candidates: &[Candidate]) -> (usize, usize) {
    let names = Rule::all().map(|rule| rule.name).chain(CASES.iter().map(|case| case.name));
    let of_candidate = candidates.iter().position(|other| other.name == candidate);
    (of_candidate.unwrap_or(0), { names }.position(|other| other == name).unwrap_or(0))
}

impl Candidate {
    /// Runs all rules of a runtime in this process, one after the other, in small numbers: for
    /// tests of the suite itself. The candidate must not hang; its driver can see by
    /// [`Progress`](crate::Progress) that nothing will ever happen, and panic.
    #[must_use]
    pub fn examine(&self) -> Report {
        self.examine_only(|_| true)
    }

    /// The same with these rules only.
    #[must_use]
    pub fn examine_only(&self, rules: impl Fn(&Rule) -> bool) -> Report {
        let mut report = Report::new(std::slice::from_ref(self), false);
        judge::SILENT.fetch_add(1, Ordering::SeqCst);
        let declared = self.capabilities();
        for rule in Rule::all().filter(|rule| rules(rule)) {
            let judge = || judge::in_process(rule, self, declared, true);
            report.verdicts.push(verdict(self, rule, declared, judge));
        }
        judge::SILENT.fetch_sub(1, Ordering::SeqCst);
        report
    }
}

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
    Junit,
}

/// The arguments that libtest does not know.
#[derive(Default)]
struct Own {
    format: Option<Format>,
    strict: bool,
}

impl Own {
    fn parse(all: impl Iterator<Item = String>) -> Result<(Own, Arguments), String> {
        let (mut own, mut rest, mut all) = (Own::default(), Vec::new(), all);
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

/// Whether the command line asks for this trial, as libtest reads it.
fn asked_for(arguments: &Arguments, name: &str) -> bool {
    let matches = |filter: &str| match arguments.exact {
        true => name == filter,
        false => name.contains(filter),
    };
    arguments.filter.as_deref().is_none_or(matches)
        && !arguments.skip.iter().any(|filter| matches(filter))
}

fn trials(candidate: &Candidate, report: &Arc<Mutex<Report>>, arguments: &Arguments) -> Vec<Trial> {
    let declared = candidate.capabilities();
    let strict = report.lock().unwrap_or_else(PoisonError::into_inner).strict;
    let rules = Rule::all().filter(|_| candidate.rules).map(|rule| {
        let full_name = format!("{}::{}", candidate.name, rule.name);
        let lacks = declared.lacks(rule).is_some();
        if lacks && asked_for(arguments, &full_name) && !arguments.list {
            let verdict = verdict(candidate, rule, declared, || unreachable!("it is skipped"));
            report.lock().unwrap_or_else(PoisonError::into_inner).verdicts.push(verdict);
        }
        let (candidate, report) = (candidate.clone(), report.clone());
        let trial = Trial::ignorable_test(full_name.clone(), move || {
            let judge = || judge::in_child(&full_name, candidate.limit_of(rule));
            let verdict = verdict(&candidate, rule, declared, judge);
            let (fails, passes) = (verdict.fails(strict), verdict.outcome == Outcome::Pass);
            let said = verdict.said();
            if !lacks {
                report.lock().unwrap_or_else(PoisonError::into_inner).verdicts.push(verdict);
            }
            match (fails, passes) {
                (true, _) => Err(Failed::from(said)),
                (_, true) => Ok(Completion::Completed),
                _ => Ok(Completion::ignored_with(said)),
            }
        });
        trial.with_ignored_flag(lacks)
    });
    let cases = CASES.iter().map(|case| {
        let name = format!("{}::{}", candidate.name, case.name);
        let (candidate, report) = (candidate.clone(), report.clone());
        let trial = Trial::test(name, move || {
            let start = Instant::now();
            let result = judge::caught(|| watched(case, &candidate.start));
            let outcome = result.clone().map_or_else(Outcome::Fail, |()| Outcome::Pass);
            let verdict = Verdict {
                candidate: candidate.name,
                id: id(case.name),
                name: case.name,
                group: case.group,
                level: Level::Must,
                outcome,
                step: String::new(),
                cause: "",
                time: start.elapsed(),
            };
            report.lock().unwrap_or_else(PoisonError::into_inner).verdicts.push(verdict);
            result.map_err(Failed::from)
        });
        trial.with_ignored_flag(case.threads > declared.threads)
    });
    rules.chain(cases).collect()
}

/// Runs a rule, if it is declared, and looks whether the candidate has said that it breaks it.
fn verdict(
    candidate: &Candidate,
    rule: &Rule,
    declared: Capabilities,
    judge: impl FnOnce() -> Judgement,
) -> Verdict {
    let start = Instant::now();
    let Judgement { outcome, step } = match declared.lacks(rule) {
        Some(need) => Judgement { outcome: Outcome::Skipped(need), step: String::new() },
        None => judge(),
    };
    let outcome = match (candidate.known(&rule.id()), outcome) {
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
        id: rule.id(),
        name: rule.name,
        group: rule.group,
        level: rule.level,
        outcome,
        step,
        cause: rule.cause,
        time: start.elapsed(),
    }
}

/// Runs a case; a case that hangs ends the process with its name, because nothing less would end
/// the case.
fn watched(case: &'static Case, start: &Start) {
    let (done, watch) = channel::<()>();
    let dog = std::thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{} hangs: not done after {LIMIT:?}", case.name);
            std::process::exit(101);
        }
    });
    let mut host = start();
    let root = (case.run)(host.runtime());
    host.block_on(root);
    drop(host);
    drop(done);
    let _ = dog.join();
}
