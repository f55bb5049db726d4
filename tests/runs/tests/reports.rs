//! The suite's reports, on candidates that are not what they say (`src/bin/impostor.rs`).

use serde_json::Value;
use std::process::{Command, Output};

fn impostor(way: &str, arguments: &[&str]) -> Command {
    let mut impostor = Command::new(env!("CARGO_BIN_EXE_impostor"));
    impostor.env("IMPOSTOR", way).env_remove(STRICT).args(arguments);
    impostor
}

const STRICT: &str = "ALLHOME_CONFORMANCE_STRICT";

/// Runs the suite on an impostor.
fn run(way: &str, arguments: &[&str]) -> Output {
    impostor(way, arguments).output().expect("it runs")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Runs one rule; gives what the report says of it, and whether the run passed.
fn rule(way: &str, name: &str, more: &[&str]) -> (Value, bool) {
    let name = format!("impostor::{name}");
    let mut arguments = vec!["--report", "json", "--exact", &*name];
    arguments.extend(more);
    let output = run(way, &arguments);
    let report: Value = serde_json::from_str(&text(&output)).expect("the report is JSON");
    let rules = report["candidates"][0]["rules"].as_array().expect("rules").clone();
    assert_eq!(rules.len(), 1, "{report}");
    assert_eq!(report["passed"], output.status.success(), "{report}");
    (rules[0].clone(), output.status.success())
}

#[track_caller]
fn assert_says(rule: &Value, outcome: &str, field: &str, words: &str) {
    assert_eq!(rule["outcome"], outcome, "{rule}");
    assert!(rule[field].as_str().is_some_and(|text| text.contains(words)), "{rule}");
}

#[test]
fn candidate_that_cannot_be_started() {
    let (rule, passed) = rule("panics", "w41_is_started", &[]);
    assert_says(&rule, "fail", "message", "no threads today");
    assert_says(&rule, "fail", "step", "the candidate is started");
    assert!(!passed);
}

#[test]
fn candidate_that_never_starts() {
    // It declares nothing, so that it is looked at first: that hangs as well.
    let (rule, passed) = rule("never starts", "w41_is_started", &[]);
    assert_says(&rule, "hang", "step", "the candidate is started");
    assert!(!passed);
}

#[test]
fn candidate_that_never_drives() {
    let (rule, passed) = rule("never drives", "w42_drives_its_root", &[]);
    assert_says(&rule, "hang", "step", "a root is driven that is ready at once");
    assert!(!passed);
}

#[test]
fn candidate_that_drives_for_ever() {
    let (rule, passed) = rule("drives for ever", "w42_drives_its_root", &[]);
    assert_says(&rule, "hang", "step", "the root is polled, and is ready");
    assert!(!passed);
}

#[test]
fn executor_in_the_making_is_told_the_one_thing_that_is_next() {
    let table = text(&run("drops every task", &["--report=text"]));
    let failed: Vec<_> = table.lines().filter(|line| line.starts_with("impostor::")).collect();
    assert_eq!(failed.len(), 1, "{table}");
    assert!(
        failed[0].starts_with("impostor::r19_first_poll_needs_no_wake (MUST): HANG"),
        "{table}"
    );
    assert!(table.contains("not asked, because r19_first_poll_needs_no_wake does not"), "{table}");
}

#[test]
#[cfg(target_os = "linux")]
fn candidate_that_leaks_threads() {
    let (rule, passed) = rule_without_threads(&[]);
    assert_says(&rule, "hang", "step", "no more threads than before");
    assert!(passed, "it is a SHOULD");
    assert!(!rule_without_threads(&["--strict"]).1);
}

#[cfg(target_os = "linux")]
fn rule_without_threads(more: &[&str]) -> (Value, bool) {
    rule("leaks threads", "r85_threads_are_gone", more)
}

#[test]
#[cfg(target_os = "linux")]
fn nextest_is_strict_by_a_variable() {
    let one = ["--exact", "impostor::r85_threads_are_gone", "--nocapture"];
    for (value, passes) in [("", true), ("0", true), ("1", false)] {
        let output = impostor("leaks threads", &one).env(STRICT, value).output().expect("it runs");
        assert_eq!(output.status.success(), passes, "{value:?}");
    }
}

#[test]
fn candidate_that_lies_about_its_capabilities() {
    let (rule, passed) = rule("lies", "w43_has_what_it_declares", &[]);
    assert_says(&rule, "fail", "message", "the candidate declares local, but its host has none");
    assert!(!passed);
}

#[test]
fn candidate_whose_clock_or_jobs_are_not_what_it_says() {
    for (way, words) in [
        ("says that its clock is virtual", "its clock does not stand still"),
        ("stopped clock", "its clock stands still"),
        ("says that its driver calls jobs", "its jobs run on another thread"),
        ("driver calls jobs", "its driver calls jobs"),
    ] {
        let (rule, passed) = rule(way, "w43_has_what_it_declares", &[]);
        assert_says(&rule, "fail", "message", words);
        assert!(!passed);
    }
}

#[test]
fn candidate_that_takes_the_process_along() {
    let (rule, passed) = rule("crashes", "w42_drives_its_root", &[]);
    assert_says(&rule, "crash", "step", "a root is driven that is ready at once");
    assert_says(&rule, "crash", "message", "the process ended with");
    assert!(!passed);
}

#[test]
fn nothing_else_is_asked_of_a_candidate_that_does_not_drive() {
    // A second of waiting for the one rule, and not for each of all.
    let table = text(&run("drives for ever", &["--report=text"]));
    let failed: Vec<_> = table.lines().filter(|line| line.starts_with("impostor::")).collect();
    assert_eq!(failed.len(), 1, "{table}");
    assert!(failed[0].starts_with("impostor::w42_drives_its_root (MUST): HANG"), "{table}");
    assert!(table.contains("  waits for: the root is polled, and is ready"), "{table}");
    assert!(table.contains("not asked, because w42_drives_its_root does not hold"), "{table}");
    assert!(!run("drives for ever", &[]).status.success());
}

#[test]
fn known_deviation_is_told_and_passes() {
    let (rule, passed) = rule("lies and says so", "w43_has_what_it_declares", &[]);
    assert_says(&rule, "known", "message", "as ever");
    assert!(passed);
}

#[test]
fn deviation_that_is_none_fails() {
    let (surprise, passed) = rule("is better than it says", "w42_drives_its_root", &[]);
    assert_says(&surprise, "surprise", "message", "take it off");
    assert!(!passed);
    let (race, passed) = rule("is worse at times", "w42_drives_its_root", &[]);
    assert_eq!(race["outcome"], "pass");
    assert!(passed);
}

#[test]
fn what_is_not_declared_is_shown_as_skipped() {
    let (rule, passed) = rule("", "w28_none_is_lost", &[]);
    assert_says(&rule, "skipped", "message", "not declared: local");
    assert!(passed);
}

#[test]
fn what_cannot_be_tested_is_shown_as_skipped() {
    let clause = "x05_blocked_child_holds_up_nobody_in_the_queue";
    let virtual_clock = "says that its clock is virtual";
    for (way, name, why) in [
        ("", clause, "not testable: it takes two threads"),
        (virtual_clock, "r96_busy_tasks_do_not_stop_the_timer", "not testable: the clock is"),
        ("says that its driver calls jobs", "r73_three_at_once", "not testable: jobs are called"),
    ] {
        // A name on the command line does not run it, and it is reported once.
        for more in [&[][..], &["--include-ignored"]] {
            let (skipped, passed) = rule(way, name, more);
            assert_says(&skipped, "skipped", "message", why);
            assert!(passed);
        }
    }
}

#[test]
fn reports_for_people_and_for_ci() {
    let table = text(&run("lies", &["--report=text", "impostor::w4"]));
    assert!(table.contains("impostor: 5 of 6 hold; 1 MUST and 0 SHOULD do not"), "{table}");
    assert!(table.contains("most likely: the capabilities"), "{table}");
    let xml = text(&run("lies", &["--report", "junit", "impostor::w4"]));
    assert!(xml.starts_with("<?xml"), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 6, "{xml}");
    assert_eq!(xml.matches("<failure ").count(), 1, "{xml}");
    assert!(xml.contains("tests=\"6\" failures=\"1\" skipped=\"0\""), "{xml}");
    assert!(xml.trim_end().ends_with("</testsuites>"), "{xml}");
}

/// Each outcome once, in a report that is as documented: programs that read it rely on that.
#[test]
fn json_has_the_shape_that_is_documented() {
    let shapes = [
        ("lies", "w43_has_what_it_declares"),
        ("never drives", "w42_drives_its_root"),
        ("never drives", "r31_wake_during_own_poll"),
        ("crashes", "w42_drives_its_root"),
        ("lies and says so", "w43_has_what_it_declares"),
        ("is better than it says", "w42_drives_its_root"),
        ("", "w28_none_is_lost"),
        ("", "r12_spawn_does_not_poll_inline"),
        ("", "o01_home_means_destroyed"),
    ];
    let shapes = shapes.map(|(way, name)| {
        let output = run(way, &["--report", "json", &format!("impostor::{name}")]);
        let mut report: Value = serde_json::from_str(&text(&output)).expect("the report is JSON");
        for rule in report["candidates"][0]["rules"].as_array_mut().expect("rules") {
            assert!(rule["millis"].is_u64(), "{rule}");
            rule["millis"] = 0.into();
            let message = rule["message"].as_str().expect("a message");
            // Without the place, which changes with every edit, and the system's name of a signal.
            let message = message.split_once(":\n").map_or(message, |(_, message)| message);
            let message = message.split(" signal:").next().expect("text").to_string();
            rule["message"] = message.into();
        }
        report
    });
    let shapes = serde_json::to_string_pretty(&shapes).expect("JSON") + "\n";
    if std::env::var_os("RENEW").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reports/shape.json");
        std::fs::write(file, &shapes).expect("the file is written");
    }
    let known = include_str!("reports/shape.json");
    assert!(shapes == known, "if this is meant, renew it with RENEW=1, and document it: {shapes}");
}

#[test]
fn unknown_report_is_refused() {
    let output = run("", &["--report", "yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not \"yaml\""));
}

#[test]
fn lists_as_nextest_asks() {
    let list = text(&run("", &["--list", "--format", "terse"]));
    assert!(list.lines().all(|line| line.ends_with(": test")), "{list}");
    assert!(list.lines().any(|line| line == "impostor::r11_spawned_is_polled_or_dropped: test"));
    let ignored = text(&run("", &["--list", "--format", "terse", "--ignored"]));
    assert!(ignored.lines().any(|line| line == "impostor::w28_none_is_lost: test"), "{ignored}");
    assert!(!ignored.contains("r11_"), "{ignored}");
}
