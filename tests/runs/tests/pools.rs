//! The suite on a pool with faults that only threads can have (`src/bin/zoo.rs`), as its author runs
//! it: each is found, and the report begins with its rule, at the third run at the latest. A fault
//! of threads shows if two of them meet, and where they do not the rule holds.

use allhome_runs::table::listed;
use std::fmt::Write;
use std::process::Command;

/// Each fault, and the rules of which one comes first.
const FAULTS: &[(&str, &[&str])] = &[
    ("spawn unparks none", &["R18", "R13", "R19"]),
    ("wake unparks none", &["R33"]),
    ("unparks when it was empty", &["W44", "R94"]),
    ("looks and then sleeps", &["R33", "R18", "R13"]),
    ("clears after the poll", &["R31"]),
    ("the last woken is first", &["R91"]),
    ("its own come first", &["R91", "R97"]),
    ("a thread has room for 256", &["R10"]),
    ("a batch is kept", &["W44", "R94"]),
    ("a panic ends its thread", &["R51"]),
    ("the end joins none", &["R85", "R86"]),
    ("the end forgets queues", &["R88"]),
];

/// Runs the whole suite on the pool, and returns the report.
fn report(way: &str) -> String {
    let mut zoo = Command::new(env!("CARGO_BIN_EXE_zoo"));
    let output = zoo.env("ZOO", way).args(["--report", "text"]).output().expect("it runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Returns the id of the rule that the report begins with, and the whole of what it says of it.
fn first(report: &str) -> Option<(String, String)> {
    let (_, rest) = report.strip_prefix("zoo: begin with ")?.split_once('\n')?;
    let (name, _) = rest.strip_prefix("zoo::")?.split_once(' ')?;
    let lines: Vec<_> = rest
        .lines()
        .enumerate()
        .take_while(|(at, line)| *at == 0 || line.starts_with(' '))
        .map(|(_, line)| line)
        .collect();
    Some((name.split('_').next()?.to_uppercase(), lines.join("\n")))
}

/// Runs it until the report begins with one of these rules, three times at most. Returns whether it
/// did, the rule, what the report says of it, and the report.
fn runs(way: &str, rules: &[&str]) -> (bool, String, String, String) {
    let mut left = 3;
    loop {
        left -= 1;
        let report = report(way);
        let (id, words) = first(&report).unwrap_or_default();
        let found = rules.contains(&&*id);
        if found || left == 0 {
            return (found, id, words, report);
        }
    }
}

#[test]
fn honest_pool_passes() {
    let report = report("");
    assert!(report.contains(" 0 MUST and 0 SHOULD do not"), "{report}");
}

#[test]
fn report_on_a_broken_pool_begins_with_its_fault() {
    if ["TSAN_OPTIONS", "ALLHOME_SKIP_BROKEN"].iter().any(|name| std::env::var_os(name).is_some()) {
        // A quarter of an hour of waiting for what is broken on purpose, and nothing to find in it.
        return;
    }
    let (mut wrong, mut rows) = (Vec::new(), String::new());
    for (way, rules) in FAULTS {
        let begun = std::time::Instant::now();
        let (found, id, words, report) = runs(way, rules);
        println!("{way}: {:.0?}\n{words}", begun.elapsed());
        let said = |before: &str| {
            let line = words.lines().find_map(|line| line.trim().strip_prefix(before));
            line.unwrap_or_default().to_string()
        };
        let step = said("waits for: ") + &said("last step: ");
        let _ = write!(rows, "\n| {way} | {id} | {step} | {} |", said("most likely: "));
        if !found {
            wrong.push(format!("{way} begins with {id}\n{report}"));
        }
    }
    if std::env::var_os("RENEW").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/MUTANTS.md");
        let document = std::fs::read_to_string(file).expect("docs/MUTANTS.md is there");
        let head =
            "| what is wrong | rule | what is seen | most likely, it says |\n|---|---|---|---|";
        let document = listed(&document, "pools", &format!("{head}{rows}"));
        std::fs::write(file, document).expect("it is written");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
