//! docs/CONFORMANCE.md has a row for each rule and a column for each candidate.

use allhome_conformance::Rule;
use allhome_runs::table;
use serde_json::json;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).expect(path)
}

const RENEW: &str = "renew it with `cargo run -p allhome-runs --bin table`";

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn document_has_every_rule_and_every_candidate() {
    let document = read("docs/CONFORMANCE.md");
    let lines: Vec<_> = table::pasted(&document).lines().collect();
    let head = lines.iter().position(|line| line.starts_with("| rule |")).expect(RENEW);
    let rows = lines[head + 2..].iter().take_while(|line| !line.is_empty());
    let shown: Vec<_> = rows.map(|line| cells(line)[0].to_string()).collect();
    let all = Rule::all().map(|rule| format!("{} {}", rule.id(), rule.requirement()));
    assert_eq!(shown, all.collect::<Vec<_>>(), "{RENEW}");

    // Each program has a candidate in the table, and each candidate has a program that names it.
    let sources = table::programs(&read("tests/runs/Cargo.toml")).into_iter();
    let sources: Vec<_> = sources.map(|one| read(&format!("tests/runs/tests/{one}.rs"))).collect();
    let columns = &cells(lines[head])[1..];
    let names = |source: &str, column: &str| source.contains(&format!("\"{column}\""));
    for column in columns {
        assert!(sources.iter().any(|source| names(source, column)), "{column} is gone: {RENEW}");
    }
    for source in &sources {
        let shown = columns.iter().any(|column| names(source, column));
        assert!(shown, "a program has no candidate here: {RENEW}\n{source}");
        let named =
            source.split("Candidate::new(\"").skip(1).filter_map(|rest| rest.split('"').next());
        let missing: Vec<_> = named.filter(|name| !columns.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?} are not here: {RENEW}");
    }
    assert!(!table::pasted(&document).contains("broken"), "it was written when a rule was broken");
}

#[test]
fn table_tells_what_the_reports_say() {
    let rule = |id: &str, outcome: &str| {
        let name = format!("{}_it_does", id.to_lowercase());
        json!({"id": id, "name": name, "group": id[..1].to_string(), "requirement": "MUST",
            "outcome": outcome, "message": "as | ever"})
    };
    let report = |name: &str, rules: &[serde_json::Value]| json!({"candidates": [{"name": name, "rules": rules}]});
    let reports = [
        report("one", &[rule("R11", "pass"), rule("R12", "known"), rule("O01", "pass")]),
        report("other", &[rule("R11", "hang"), rule("R12", "skipped"), rule("O01", "skipped")]),
    ];
    let tables = table::render(&reports);
    let expected = "\
| topic | one | other |
|---|---|---|
| R | 1, 1 known | 0, 1 **broken** |
| O | 1 | – |

| rule | one | other |
|---|---|---|
| R11 MUST | + | **broken** |
| R12 MUST | known | – |

| candidate | rule | why it is known not to hold |
|---|---|---|
| one | R12 | as \\| ever |";
    assert_eq!(tables, expected);
}

#[test]
fn table_is_pasted_where_the_marks_are() {
    let document = "a\n<!-- table: begin (cargo run -p allhome-runs --bin table) -->\nold\n<!-- \
                    table: end -->\nb\n";
    let once = table::paste(document, "new");
    assert_eq!(table::pasted(&once), "new");
    assert!(once.starts_with("a\n") && once.ends_with("\nb\n") && !once.contains("old"), "{once}");
    assert_eq!(table::paste(&once, "new"), once);
}

#[test]
fn programs_are_those_without_a_harness() {
    let manifest = "[package]\nname = \"x\"\n\n[[test]]\nname = \"one\"\nharness = false\n\n[[test]]\nname = \"two\"\n\n[dependencies]\n";
    assert_eq!(table::programs(manifest), ["one"]);
}
