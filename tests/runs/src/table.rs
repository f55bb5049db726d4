//! The conformance suite's JSON reports as a table in a document, between two marks.

use serde_json::Value;
use std::fmt::Write;

const BEGIN: &str = "<!-- table: begin (cargo run -p allhome-runs --bin table) -->\n";
const END: &str = "<!-- table: end -->\n";

/// Returns the names of the test programs that are suites: those without a harness.
pub fn programs(manifest: &str) -> Vec<String> {
    let suites = manifest.split("[[test]]\n").filter(|part| part.contains("\nharness = false"));
    let names = suites.filter_map(|part| part.split_once("name = \"")?.1.split_once('"'));
    names.map(|(name, _)| name.to_string()).collect()
}

/// Puts the table where the document has its marks.
///
/// # Panics
///
/// Panics if the document has no marks.
pub fn paste(document: &str, table: &str) -> String {
    let (before, rest) = document.split_once(BEGIN).expect("a mark where the table begins");
    let (_, after) = rest.split_once(END).expect("a mark where the table ends");
    format!("{before}{BEGIN}\n{table}\n{END}{after}")
}

/// Returns what stands between the marks.
///
/// # Panics
///
/// Panics if the document has no marks.
pub fn pasted(document: &str) -> &str {
    let (_, rest) = document.split_once(BEGIN).expect("a mark where the table begins");
    rest.split_once(END).expect("a mark where the table ends").0.trim()
}

/// One candidate's report.
struct Column<'a> {
    name: &'a str,
    rules: &'a [Value],
}

impl Column<'_> {
    fn outcome(&self, name: &str) -> &str {
        let rule = self.rules.iter().find(|rule| rule["name"] == name);
        rule.map_or("", |rule| rule["outcome"].as_str().unwrap_or_default())
    }

    /// Returns how many of a topic hold, and the other outcomes.
    fn count(&self, group: &str) -> String {
        let of_group = || self.rules.iter().filter(|rule| rule["group"] == group);
        let with = |words: &[&str]| {
            of_group().filter(|rule| words.iter().any(|word| rule["outcome"] == *word)).count()
        };
        let (pass, known) = (with(&["pass"]), with(&["known"]));
        let (skipped, all) = (with(&["skipped", "unasked"]), of_group().count());
        let broken = all - pass - known - skipped;
        let mut count = match pass {
            0 if known + broken == 0 => "–".to_string(),
            pass => pass.to_string(),
        };
        for (number, what) in [(known, "known"), (broken, "**broken**")] {
            if number > 0 {
                let _ = write!(count, ", {number} {what}");
            }
        }
        count
    }
}

/// Makes the tables of the reports, in this order: how many of each topic hold, which rules hold,
/// and the reasons of the known deviations.
pub fn render(reports: &[Value]) -> String {
    let candidates = reports.iter().filter_map(|report| report["candidates"].as_array()).flatten();
    let columns: Vec<_> = candidates
        .map(|candidate| Column {
            name: candidate["name"].as_str().unwrap_or_default(),
            rules: candidate["rules"].as_array().map_or(&[], Vec::as_slice),
        })
        .collect();
    let head = |first: &str| {
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        let line = "|---".repeat(columns.len());
        format!("| {first} | {} |\n|---{line}|\n", names.join(" | "))
    };
    let row = |first: &str, cell: &dyn Fn(&Column) -> String| {
        let cells: Vec<_> = columns.iter().map(cell).collect();
        format!("| {first} | {} |\n", cells.join(" | "))
    };
    let all = || columns.iter().flat_map(|column| column.rules);
    let (groups, rules) = (in_order(all().map(|rule| &rule["group"])), {
        let rules = all().filter(|rule| is_of_a_runtime(&rule["id"]));
        in_order(rules.map(|rule| &rule["name"]))
    });

    let mut tables = head("topic");
    for group in groups {
        tables += &row(group, &|column| column.count(group));
    }
    let _ = write!(tables, "\n{}", head("rule"));
    for name in rules {
        let rule = all().find(|rule| rule["name"] == name).expect("it came from there");
        let title = format!("{} {}", text(&rule["id"]), text(&rule["requirement"]));
        tables += &row(&title, &|column| mark(column.outcome(name)).to_string());
    }
    tables += "\n| candidate | rule | why it is known not to hold |\n|---|---|---|\n";
    for column in &columns {
        for rule in column.rules.iter().filter(|rule| rule["outcome"] == "known") {
            let (id, why) = (text(&rule["id"]), text(&rule["message"]).replace('|', "\\|"));
            let _ = writeln!(tables, "| {} | {id} | {why} |", column.name);
        }
    }
    tables.trim_end().to_string()
}

fn mark(outcome: &str) -> &str {
    match outcome {
        "pass" => "+",
        "known" => "known",
        "" | "skipped" | "unasked" => "–",
        _ => "**broken**",
    }
}

fn is_of_a_runtime(id: &Value) -> bool {
    text(id).starts_with(['R', 'W'])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Each once, in the order in which they come first.
fn in_order<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for value in values.map(text) {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// Returns the document with this list between the marks of this name.
///
/// # Panics
///
/// Panics if the document has no such marks.
pub fn listed(document: &str, name: &str, list: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->\n"));
    let (before, rest) = document.split_once(&begin).expect("a mark where the list begins");
    let (_, after) = rest.split_once(&end).expect("a mark where the list ends");
    format!("{before}{begin}\n{list}\n{end}{after}")
}
