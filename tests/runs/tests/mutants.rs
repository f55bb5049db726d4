//! The suite's own test: mutants of an honest executor, each found by the rule that is made for it.

#[path = "mutants/base.rs"]
mod base;
#[path = "mutants/driver.rs"]
mod driver;
#[path = "mutants/fault.rs"]
mod fault;
#[path = "mutants/jobs.rs"]
mod jobs;
#[path = "mutants/local.rs"]
mod local;
#[path = "mutants/task.rs"]
mod task;
#[path = "mutants/time.rs"]
mod time;
#[path = "mutants/unsound.rs"]
mod unsound;

use allhome_conformance::{Candidate, Capabilities, Report, Rule};
use allhome_runs::table::listed;
use driver::Driver;
use fault::{FAULTS, Fault};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::{env, fs};

/// Those that need a process of their own: they end it, or its threads are counted.
const ALONE: &[Fault] = &[
    Fault::ThinStacks,
    Fault::ThreadIsLeft,
    Fault::JobThreadIsLeft,
    Fault::SleepThreadIsLeft,
    Fault::EndedTasksStay,
    Fault::WakeByValueLeaks,
];

/// Rules that the others are not asked about: these count the threads or the memory of the whole
/// process.
const FOR_ALONE: &[&str] = &["R85", "W10", "W19"];

/// Those of which another rule comes first, which is as true.
const AS_TRUE: &[(Fault, &str, &str)] = &[
    (Fault::LastWakerDestroys, "R89", "a kept waker keeps the task, as well"),
    (Fault::PanicEndsDriver, "R51", "it is the end of the driver without a destructor, as well"),
    (Fault::SpawnInDropDeadlocks, "R82", "that rule's destructors spawn, as well"),
    (Fault::TasksAreFewerThan400, "R11", "it needs no task that waits"),
];

fn candidate(fault: Fault) -> Candidate {
    let declared = match fault {
        Fault::LocalIsNotDeclared => Capabilities::new().shutdown(),
        _ => Capabilities::new().local().shutdown(),
    };
    let threads = if fault == Fault::ClaimsTwoThreads { 2 } else { 1 };
    Candidate::new("mutants", move || Box::new(Driver::new(fault)))
        .declares(declared.threads(threads).joins_threads())
}

fn examine(fault: Fault) -> Report {
    candidate(fault).examine_only(|rule| match fault {
        // For other rules it would be undefined behaviour: see `unsound.rs`.
        Fault::TwoPollAtOnce => rule.id() == "R21",
        _ => !FOR_ALONE.contains(&&*rule.id()),
    })
}

/// Returns `true` if the rule finds it, in a process of its own, which is this test once more.
fn is_broken_alone(fault: Fault, rule: &str) -> bool {
    let test = env::current_exe().expect("a running program has a path");
    let only_that = ["--exact", "alone", "--include-ignored", "--nocapture", "--test-threads=1"];
    let mut run = Command::new(test);
    run.args(only_that).env(ALONE_WITH, format!("{fault:?} {rule}"));
    let output = run.output().expect("this test runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("is asked"), "{fault:?} was not examined: {said}");
    !said.contains("holds") && (said.contains("is broken") || died(output.status))
}

/// Returns `true` if the rule needs to know the process's memory, and a sanitizer keeps that.
fn is_skipped(rule: &str) -> bool {
    ["W10", "W19"].contains(&rule) && allhome_conformance::resident().is_none()
}

fn died(status: ExitStatus) -> bool {
    status.code() != Some(0)
}

/// Rules that it takes threads to break: see `pools.rs`.
const IN_POOLS: &[&str] = &["R94"];

/// How often a rule may miss its animal, and one time less. Faults of a clock or of several threads
/// show when two things happen in one order, and the machine may choose the other.
const ATTEMPTS: usize = 3;
const MISSED: &str = " - its own rule has MISSED it";

const ALONE_WITH: &str = "ZOO_ALONE";

#[test]
#[ignore = "the other tests run it, with one mutant in a variable"]
fn alone() {
    let Ok(with) = env::var(ALONE_WITH) else { return };
    let (name, id) = with.split_once(' ').expect("a fault and a rule");
    let all = FAULTS.iter().map(|(fault, ..)| *fault).chain([Fault::Honest]);
    let fault = { all }.find(|fault| format!("{fault:?}") == name).expect("a fault");
    println!("{id} is asked");
    let report = candidate(fault).examine_only(|rule| rule.id() == id);
    println!("{id} {}", if report.broken().is_empty() { "holds" } else { "is broken" });
}

#[test]
fn honest_executor_passes() {
    let report = examine(Fault::Honest);
    assert!(report.passed() && report.broken().is_empty(), "{report}");
    for rule in ["R15", "R85", "W10", "W19"] {
        assert!(!is_broken_alone(Fault::Honest, rule), "{rule}");
    }
}

/// What the reports begin with: the mutant, the rule and the words of it.
static FIRSTS: Mutex<BTreeMap<&str, (String, bool, String)>> = Mutex::new(BTreeMap::new());

fn note_first(report: &Report, fault: Fault, rule: &str, what: &'static str) {
    let Some(first) = report.begin_with("mutants") else { return };
    let as_true = AS_TRUE.iter().any(|(other, id, _)| *other == fault && *id == first.id);
    let (id, cause) = (&first.id, &first.cause);
    let words = format!("{what} | {id} | {}: {} | {cause}", first.outcome.word(), first.step);
    let right = first.id == rule || as_true;
    FIRSTS.lock().unwrap().insert(what, (format!("{fault:?}: {id}"), right, words));
}

/// Complains if a report begins with another rule than that of its mutant. Writes the table of
/// docs/MUTANTS.md if it is asked to.
fn check_firsts() {
    let firsts = FIRSTS.lock().unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/MUTANTS.md");
    let document = fs::read_to_string(file).expect("docs/MUTANTS.md is there");
    if env::var_os("RENEW").is_some() {
        let rows =
            FAULTS.iter().filter_map(|(_, _, what)| Some(format!("| {} |", firsts.get(what)?.2)));
        let head =
            "| what is wrong | rule | what is seen | most likely, it says |\n|---|---|---|---|";
        let table = [head.to_string()].into_iter().chain(rows).collect::<Vec<_>>().join("\n");
        fs::write(file, listed(&document, "mutants", &table)).expect("it is written");
    }
    let wrong: Vec<_> =
        firsts.values().filter(|(_, right, _)| !right).map(|(first, ..)| first).collect();
    // A machine that is busy may turn one round: a clock, or a race.
    assert!(wrong.len() <= 3, "these reports begin with another rule: {wrong:?}");
}

#[test]
fn each_broken_executor_is_found_by_its_rule_and_each_rule_finds_one() {
    // Most of the time is spent in sleeps, so more threads than cores.
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let proved = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((fault, rule, what)) = FAULTS.get(next.fetch_add(1, SeqCst)) {
                    if is_skipped(rule) {
                        continue;
                    }
                    let found = (1..=ATTEMPTS).any(|attempt| {
                        let broken = match ALONE.contains(fault) {
                            true if is_broken_alone(*fault, rule) => rule.to_string(),
                            true => String::new(),
                            false => {
                                let report = examine(*fault);
                                note_first(&report, *fault, rule, what);
                                report.broken().join(" ")
                            }
                        };
                        let found = broken.split(' ').any(|id| id == *rule);
                        let missed = if found { "" } else { MISSED };
                        println!("{fault:?} ({what}), attempt {attempt}: {broken}{missed}");
                        found
                    });
                    if found {
                        proved.lock().unwrap().insert(rule.to_string());
                    } else {
                        let complaint = format!("{fault:?}: {rule} holds {ATTEMPTS} times");
                        complaints.lock().unwrap().push(complaint);
                    }
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    // SHOULD as well as MUST: a rule that no mutant breaks is not known to be able to fail.
    let proved = proved.into_inner().unwrap();
    let alone = Rule::all().map(Rule::id).filter(|id| !proved.contains(id));
    let alone = alone.filter(|id| !IN_POOLS.contains(&&**id) && !is_skipped(id));
    let alone: Vec<_> = alone.collect();
    assert!(alone.is_empty(), "no mutant breaks {alone:?}");
    check_firsts();
    assert!(FAULTS.len() >= 80);
}
