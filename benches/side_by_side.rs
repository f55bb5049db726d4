//! `cargo bench -p allhome-benches -- [FILTER] [--json FILE] [--quick] [--list]`

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use allhome_benches::alloc::Counting;
use allhome_benches::case::Case;
use allhome_benches::measure::{self, Plan};
use allhome_benches::{cases, report};
use clap::{Arg, ArgAction, Command, value_parser};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let options = command().get_matches();
    let filter = options.get_one::<String>("filter");
    let quick = options.get_flag("quick");
    let chosen: Vec<_> =
        cases::all().into_iter().filter(|case| is_chosen(case, filter, quick)).collect();
    if chosen.is_empty() {
        eprintln!("no case has `{}` in its name; --list names them", filter.map_or("", |f| f));
        return ExitCode::from(2);
    }
    if options.get_flag("list") {
        chosen.iter().for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    }
    let mut rows = Vec::new();
    report::print_head();
    for case in &chosen {
        for row in measure::compare(case, Plan::of(case, quick)) {
            report::print_row(&row);
            rows.push(row);
        }
    }
    report::print_summary(&rows);
    let Some(file) = options.get_one::<PathBuf>("json") else { return ExitCode::SUCCESS };
    match fs::write(file, format!("{:#}\n", report::to_json(&rows))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let file =
        Arg::new("json").long("json").value_name("FILE").value_parser(value_parser!(PathBuf));
    Command::new("side_by_side")
        .about("Runs allhome and its peers by turns and compares them")
        .arg(Arg::new("filter").value_name("FILTER").help("Only cases with this in their name"))
        .arg(file.help("Write the figures to FILE as JSON"))
        .arg(flag("quick").help("Fewer and shorter samples; leaves out churn unless it is named"))
        .arg(flag("list").help("Name the cases and run none"))
        // cargo passes it
        .arg(flag("bench").hide(true))
}

fn is_chosen(case: &Case, filter: Option<&String>, quick: bool) -> bool {
    match filter {
        Some(filter) => case.name.contains(filter.as_str()),
        None => !(quick && case.heavy),
    }
}
