//! The text of docs/PERFORMANCE.md.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::figures::{Figures, Panel};
use crate::plot;
use allhome_benches::case::Goal;
use allhome_benches::measure::Comparison;
use allhome_benches::waits::Times;

/// The command that writes the page.
pub(crate) const COMMAND: &str = "cargo run --release -p allhome-benches --bin performance";

const FIRST: &str = "# Performance

`{command}` writes this page and its pictures; change nothing here by hand. {short}The exact \
figures are in [figures.json](performance/figures.json); with `-- --draw` the command draws them \
again and measures nothing.

Each picture shows allhome (**ours**, the thick line) and what its users would otherwise write, over \
the number of children. Both axes are logarithmic, and lower is better. All panels of a picture have \
the same vertical axis.

How to read the figures:

- Nanoseconds are medians of rounds in which all sides take turns. They were measured on a virtual \
machine of {cores} cores that shares its processor with others, so they move from run to run: **only \
ratios of figures that stand side by side mean something**. A line that is not smooth shows the other \
machines.
- In the tables, a peer's cell has its nanoseconds and, after the stroke, ours by it (the median of \
the rounds' ratios): below 1.00 ours is faster.
- One or ten children say what a nursery costs, more say what a child costs.
- Goroutines take part where a Go compiler is installed.

";

/// What stands on the page beside the pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct More {
    /// How many cores the machine has.
    pub(crate) cores: u64,
    /// Whether the figures are those of a short trial.
    pub(crate) quick: bool,
    /// Cases of one size: name, ours, peer, the peer's figure, ratio, goal.
    pub(crate) rows: Vec<(String, f64, String, f64, f64, Option<f64>)>,
    /// The longest waits: what, calls, and five figures in nanoseconds.
    pub(crate) waits: Vec<(String, Vec<u64>)>,
}

impl More {
    /// Adds a row.
    pub(crate) fn add(&mut self, row: &Comparison) {
        let goal = match row.goal {
            Some(Goal::Ratio(most)) => Some(most),
            _ => None,
        };
        let peer = row.peer.to_string();
        self.rows.push((row.case.clone(), row.ours.ns, peer, row.theirs.ns, row.ratio, goal));
    }

    /// Adds a line of waits.
    pub(crate) fn add_waits(&mut self, what: String, times: &Times) {
        let [half, most, nearly, all] = [0.5, 0.99, 0.999, 0.9999].map(|share| times.within(share));
        self.waits.push((what, vec![times.count(), half, most, nearly, all, times.longest()]));
    }

    /// Returns it as JSON.
    pub(crate) fn to_json(&self) -> Value {
        json!({"cores": self.cores, "quick": self.quick, "rows": self.rows, "waits": self.waits})
    }

    /// Reads what [`to_json`](More::to_json) made.
    pub(crate) fn from_json(value: &Value) -> Option<More> {
        let read = |value: &Value| {
            let text = |index: usize| value[index].as_str().map(str::to_string);
            let figure = |index: usize| value[index].as_f64();
            Some((text(0)?, figure(1)?, text(2)?, figure(3)?, figure(4)?, figure(5)))
        };
        let waits = |value: &Value| {
            let figures = value[1].as_array()?.iter().map(Value::as_u64);
            Some((value[0].as_str()?.to_string(), figures.collect::<Option<_>>()?))
        };
        Some(More {
            cores: value["cores"].as_u64()?,
            quick: value["quick"].as_bool()?,
            rows: value["rows"].as_array()?.iter().map(read).collect::<Option<_>>()?,
            waits: value["waits"].as_array()?.iter().map(waits).collect::<Option<_>>()?,
        })
    }
}

/// Writes the page.
pub(crate) fn write(all: &[Figures], more: &More) -> String {
    let short = "**These figures are of a short trial: `--quick`.** ";
    let mut page = FIRST
        .replace("{command}", COMMAND)
        .replace("{cores}", &more.cores.to_string())
        .replace("{short}", if more.quick { short } else { "" });
    for figures in all {
        let Figures { heading, sentence, file, .. } = figures;
        put(&mut page, format_args!("## {heading}\n\n{sentence} {}\n\n", result(figures)));
        put(&mut page, format_args!("![{heading}: {sentence}](performance/{file}.svg)\n\n"));
        put(&mut page, format_args!("<details><summary>The same as tables</summary>\n\n"));
        for panel in &figures.panels {
            write_table(&mut page, panel, &figures.n_is);
        }
        page.push_str("</details>\n\n");
    }
    write_rows(&mut page, more);
    write_waits(&mut page, more);
    write_losses(&mut page, all);
    while page.ends_with("\n\n") {
        page.pop();
    }
    page
}

/// What the picture says, in figures: ours by each peer at the greatest size.
fn result(figures: &Figures) -> String {
    let panels = figures.panels.iter().map(|panel| {
        let last = |line: &crate::figures::Line| line.points.last().map(|p| (p.n, p.ratio));
        let peers: Vec<_> = panel
            .lines
            .iter()
            .skip(1)
            .filter_map(|line| Some(format!("{:.2} of `{}`", last(line)?.1, line.name)))
            .collect();
        let n = panel.lines.first().and_then(last).map_or(0, |(n, _)| n);
        format!(
            "- {}, {} {}: ours takes {}.",
            panel.title,
            plot::count(n),
            figures.n_is,
            listed(&peers)
        )
    });
    format!("\n\n{}", panels.collect::<Vec<_>>().join("\n"))
}

fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn write_table(page: &mut String, panel: &Panel, n_is: &str) {
    let names: Vec<_> = panel.lines.iter().map(|line| cell(&line.name)).collect();
    put(page, format_args!("{}; nanoseconds\n\n| {n_is} | {} |\n", panel.title, names.join(" | ")));
    put(page, format_args!("|--:|{}\n", "--:|".repeat(names.len())));
    let sizes = panel.lines.first().map_or(&[][..], |line| &line.points);
    for (row, size) in sizes.iter().enumerate() {
        let cells: Vec<_> = panel
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| match line.points.get(row) {
                None => String::new(),
                Some(point) if index == 0 => format!("**{}**", nanos(point.ns)),
                Some(point) => format!("{} / {:.2}", nanos(point.ns), point.ratio),
            })
            .collect();
        put(page, format_args!("| {} | {} |\n", plot::count(size.n), cells.join(" | ")));
    }
    page.push('\n');
}

fn write_rows(page: &mut String, more: &More) {
    page.push_str(
        "## Of one size\n\nA child that is woken alone (`lone`, a yield or wake), children with \
         so many microseconds of work at each poll on two threads (`spread`, a child), and eight \
         threads on this machine's few cores (`8_threads`, `pool_of_8`, a child).\n\n\
         | case | ours, ns | peer | its ns | ours by it | goal |\n|---|--:|---|--:|--:|--:|\n",
    );
    for (case, ours, peer, theirs, ratio, goal) in &more.rows {
        let goal = goal.map_or(String::new(), |goal| {
            format!("{goal:.2}{}", if *ratio > goal { ", **missed**" } else { "" })
        });
        let (ours, theirs, peer) = (nanos(*ours), nanos(*theirs), cell(peer));
        put(page, format_args!("| {case} | {ours} | {peer} | {theirs} | {ratio:.2} | {goal} |\n"));
    }
    page.push('\n');
}

fn write_waits(page: &mut String, more: &More) {
    page.push_str(
        "## The longest wait\n\nHow long one call of `spawn` takes when eight threads spawn into \
         one nursery, or one `TaskTracker`, and one of the eight has a low priority; microseconds. \
         The slowest calls are those of a thread that is interrupted, with the lock or without.\n\n\
         | of | calls | 50 % | 99 % | 99.9 % | 99.99 % | longest |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for (what, figures) in &more.waits {
        let micros = figures.iter().skip(1).map(|ns| format!("{:.1}", *ns as f64 / 1_000.0));
        let cells: Vec<_> = micros.collect();
        let calls = figures.first().copied().unwrap_or_default();
        put(page, format_args!("| {what} | {calls} | {} |\n", cells.join(" | ")));
    }
    page.push('\n');
}

fn write_losses(page: &mut String, all: &[Figures]) {
    page.push_str(
        "## Where a peer is faster\n\nEach point of the pictures at which ours takes more:\n\n",
    );
    let mut any = false;
    for figures in all {
        for panel in &figures.panels {
            for line in panel.lines.iter().skip(1) {
                let lost = line.points.iter().filter(|point| point.ratio > 1.0);
                let points: Vec<_> =
                    lost.map(|p| format!("{:.2} at {}", p.ratio, plot::count(p.n))).collect();
                if !points.is_empty() {
                    any = true;
                    put(
                        page,
                        format_args!(
                            "- {}, {}, of `{}`: {}\n",
                            figures.heading,
                            panel.title,
                            line.name,
                            points.join(", ")
                        ),
                    );
                }
            }
        }
    }
    if !any {
        page.push_str("None.\n");
    }
}

/// As code: a name may have angle brackets.
fn cell(name: &str) -> String {
    if name == "ours" { name.to_string() } else { format!("`{name}`") }
}

/// Three digits are more than these figures are worth.
fn nanos(ns: f64) -> String {
    if ns < 10.0 { format!("{ns:.1}") } else { format!("{ns:.0}") }
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_back() {
        let more = More {
            cores: 2,
            quick: false,
            rows: vec![("a".into(), 1.0, "b".into(), 2.0, 0.5, None)],
            waits: vec![("c".into(), vec![1, 2, 3, 4, 5, 6])],
        };
        assert_eq!(More::from_json(&more.to_json()), Some(more));
    }

    #[test]
    fn the_page_names_its_command_and_each_picture() {
        let figures = Figures {
            file: "f".into(),
            heading: "H".into(),
            sentence: "S.".into(),
            n_is: "children".into(),
            panels: Vec::new(),
        };
        let page = write(&[figures], &More::default());
        assert!(page.contains(&format!("`{COMMAND}` writes this page")), "{page}");
        assert!(page.contains("(performance/f.svg)") && page.ends_with("None.\n"), "{page}");
    }
}
