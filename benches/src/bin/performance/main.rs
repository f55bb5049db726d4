//! `performance [--draw] [--quick] [--only PICTURE]`: writes docs/PERFORMANCE.md, its pictures and
//! figures.json. `--draw` takes the figures of the last time, `--only` does so for all pictures but
//! one; `--quick` measures small sizes only, for a trial.
//!
//! A [`Topic`](topics::Topic) is measured to [`Figures`], which a [picture](plot::draw) and a
//! [chapter](page::write) are made of.

mod figures;
mod page;
mod plot;
mod topics;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use allhome_benches::alloc::Counting;
use allhome_benches::cases;
use allhome_benches::measure::{self, Plan};
use allhome_benches::waits::{self, Into};
use clap::{Arg, ArgAction, Command};
use figures::Figures;
use page::More;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Cases that stand on the page as rows.
const ROWS: [&str; 4] = ["lone/", "spread/", "8_threads", "pool_of_8"];

fn main() -> ExitCode {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let options = Command::new("performance")
        .about("Writes docs/PERFORMANCE.md")
        .arg(flag("draw").help("Draw the figures of the last time; measure nothing"))
        .arg(Arg::new("only").long("only").value_name("PICTURE").help("Measure one picture anew"))
        .arg(flag("quick").help("Small sizes only, for a trial"))
        .get_matches();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let (quick, only) = (options.get_flag("quick"), options.get_one::<String>("only"));
    let figures = match only {
        None if !options.get_flag("draw") => Some(measure(quick)),
        _ => read(&docs).map(|(all, more)| (renewed(all, quick, only), more)),
    };
    let Some((all, more)) = figures else {
        eprintln!("docs/performance/figures.json has no figures; run with no options");
        return ExitCode::FAILURE;
    };
    write(&docs, &all, &more);
    ExitCode::SUCCESS
}

fn topics(quick: bool) -> Vec<topics::Topic> {
    topics::all(if quick { 1_000 } else { 1_000_000 })
}

/// Measures one picture anew, or none. It stands where the page has it.
fn renewed(old: Vec<Figures>, quick: bool, only: Option<&String>) -> Vec<Figures> {
    let figures = topics(quick).into_iter().filter_map(|topic| {
        if only.is_some_and(|only| only == topic.file) {
            return Some(topic.measure(|what| eprintln!("{what}")));
        }
        old.iter().find(|figures| figures.file == topic.file).cloned()
    });
    figures.collect()
}

fn measure(quick: bool) -> (Vec<Figures>, More) {
    let progress = |what: &str| eprintln!("{what}");
    let all = topics(quick).into_iter().map(|topic| topic.measure(progress)).collect();
    let cores = thread::available_parallelism().map_or(0, |cores| cores.get() as u64);
    let mut more = More { cores, quick, ..More::default() };
    for case in cases::all() {
        if ROWS.iter().any(|part| case.name.contains(part)) {
            progress(&case.name);
            measure::compare(&case, Plan::of_sweep(&case)).iter().for_each(|row| more.add(row));
        }
    }
    for (name, into) in [("nursery", Into::Nursery), ("TaskTracker", Into::TaskTracker)] {
        let waits = waits::measure(into, Duration::from_secs(1));
        more.add_waits(format!("{name}, the seven threads"), &waits.usual);
        more.add_waits(format!("{name}, the thread of low priority"), &waits.low);
    }
    (all, more)
}

fn figures_of(docs: &Path) -> PathBuf {
    docs.join("performance/figures.json")
}

fn read(docs: &Path) -> Option<(Vec<Figures>, More)> {
    let text = fs::read_to_string(figures_of(docs)).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let all = value["pictures"].as_array()?.iter().map(Figures::from_json);
    Some((all.collect::<Option<_>>()?, More::from_json(&value["more"])?))
}

fn write(docs: &Path, all: &[Figures], more: &More) {
    let put = |file: PathBuf, text: String| {
        fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    };
    fs::create_dir_all(docs.join("performance")).expect("docs/ takes a folder");
    let pictures: Value = all.iter().map(Figures::to_json).collect();
    let figures = json!({"pictures": pictures, "more": more.to_json()});
    put(figures_of(docs), format!("{figures}\n"));
    for figures in all {
        put(docs.join(format!("performance/{}.svg", figures.file)), plot::draw(figures));
    }
    put(docs.join("PERFORMANCE.md"), page::write(all, more));
}
