//! The table on standard output, and the same as JSON.

use serde_json::{Map, Value, json};

use crate::case::{Goal, Measure};
use crate::measure::{Comparison, Figures};

/// Prints the table's head.
pub fn print_head() {
    println!(
        "{:<40} {:>24}  {:<16} {:>24}  {:>6} {:<6} {:>6} {:<7}  {:>13}  bytes/task",
        "case", "ours, ns/op", "peer", "peer, ns/op", "ratio", "of", "goal", "", "allocs/op"
    );
}

/// Prints a row.
pub fn print_row(row: &Comparison) {
    let goal = row.goal.map_or("-".into(), |goal| match goal {
        // The allowance of a goal's small change is of no interest here.
        Goal::Extra(extra) => format!("+{:.0}", extra.floor()),
        goal => goal.to_string(),
    });
    let met = row.met().map_or("", |met| if met { "met" } else { "NOT MET" });
    let theirs = match row.theirs.allocations {
        count if count.is_nan() => "-".to_string(),
        count => format!("{count:.2}"),
    };
    let allocations = format!("{:.2} / {theirs}", row.ours.allocations);
    let bytes = match row.measure {
        Measure::Bytes => format!("{:.0} / {:.0}", row.ours.bytes, row.theirs.bytes),
        _ => "-".into(),
    };
    println!(
        "{:<40} {:>24}  {:<16} {:>24}  {:>6.2} {:<6} {:>6} {:<7}  {:>13}  {}",
        row.case,
        span(&row.ours),
        row.peer,
        span(&row.theirs),
        row.ratio,
        row.measure.to_string(),
        goal,
        met,
        allocations,
        bytes
    );
    for (side, figures) in [("ours", &row.ours), (row.peer, &row.theirs)] {
        for (ops, bytes) in &figures.marks {
            println!("    {side}: {bytes} bytes live after {ops} children");
        }
    }
}

/// Prints how many goals were met.
pub fn print_summary(rows: &[Comparison]) {
    let met = rows.iter().filter(|row| row.met() == Some(true)).count();
    let missed = rows.iter().filter(|row| row.met() == Some(false)).count();
    println!("goals: {met} met, {missed} not met");
}

fn span(figures: &Figures) -> String {
    format!("{:.0} [{:.0}..{:.0}]", figures.ns, figures.min_ns, figures.max_ns)
}

/// Returns the rows as JSON: an array of objects.
pub fn to_json(rows: &[Comparison]) -> Value {
    rows.iter().map(row_to_json).collect()
}

fn row_to_json(row: &Comparison) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.into(), value);
    put("case", json!(row.case));
    put("measure", json!(row.measure.to_string()));
    put("ours_ns", json!(row.ours.ns));
    put("ours_min_ns", json!(row.ours.min_ns));
    put("ours_max_ns", json!(row.ours.max_ns));
    put("peer", json!(row.peer));
    put("peer_ns", json!(row.theirs.ns));
    put("peer_min_ns", json!(row.theirs.min_ns));
    put("peer_max_ns", json!(row.theirs.max_ns));
    put("ratio", json!(row.ratio));
    put(
        "goal",
        match row.goal {
            Some(Goal::Ratio(most)) => json!(most),
            Some(goal) => json!(goal.to_string()),
            None => Value::Null,
        },
    );
    put("goal_met", json!(row.met()));
    put("allocs_per_op", json!(row.ours.allocations));
    put("peer_allocs_per_op", json!(row.theirs.allocations));
    if row.measure == Measure::Bytes {
        put("bytes_per_task", json!(row.ours.bytes));
        put("peer_bytes_per_task", json!(row.theirs.bytes));
    }
    if !row.ours.marks.is_empty() {
        put("live_bytes", json!(row.ours.marks));
        put("peer_live_bytes", json!(row.theirs.marks));
    }
    Value::Object(object)
}
