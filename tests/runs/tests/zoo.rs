//! The suite's own test: a zoo of broken executors, each found by the rule that is made for it.

#[path = "zoo/base.rs"]
mod base;
#[path = "zoo/fault.rs"]
mod fault;
#[path = "zoo/jobs.rs"]
mod jobs;
#[path = "zoo/local.rs"]
mod local;
#[path = "zoo/time.rs"]
mod time;

use allhome_conformance::{Candidate, Capabilities, Level, Report, Rule};
use base::Driver;
use fault::{FAULTS, Fault};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

/// MUST rules that nothing here can break: it takes unsafe code to poll a task twice at a time, or
/// what is not `Send` on another thread.
const SAFE_CODE_KEEPS: &[&str] = &["R21", "W21", "W22", "W31"];

fn examine(fault: Fault) -> Report {
    let declared = match fault {
        Fault::BlockingIsNotDeclared => Capabilities::new().timer().local().shutdown(),
        _ => Capabilities::new().timer().blocking().local().shutdown(),
    };
    let threads = if fault == Fault::ClaimsTwoThreads { 2 } else { 1 };
    Candidate::new("zoo", move || Box::new(Driver::new(fault)))
        .declares(declared.threads(threads))
        .examine()
}

#[test]
fn honest_executor_passes() {
    let report = examine(Fault::Honest);
    assert!(report.passed() && report.broken().is_empty(), "{report}");
}

#[test]
fn each_broken_executor_is_found_by_its_rule() {
    // Most of the time is spent in sleeps, so more threads than cores.
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((fault, rule, what)) = FAULTS.get(next.fetch_add(1, SeqCst)) {
                    let broken = examine(*fault).broken().join(" ");
                    println!("{fault:?} ({what}): {broken}");
                    if !broken.split(' ').any(|id| id == *rule) {
                        let complaint = format!("{fault:?}: {rule} holds; broken are {broken}");
                        complaints.lock().unwrap().push(complaint);
                    }
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn each_must_rule_has_its_broken_executor() {
    let aimed: BTreeSet<_> = FAULTS.iter().map(|(_, rule, _)| rule.to_string()).collect();
    let musts = Rule::all().filter(|rule| rule.level() == Level::Must).map(Rule::id);
    let alone: Vec<_> =
        musts.filter(|id| !aimed.contains(id) && !SAFE_CODE_KEEPS.contains(&id.as_str())).collect();
    assert!(alone.is_empty(), "nobody breaks {alone:?}");
    assert!(FAULTS.len() >= 80);
}
