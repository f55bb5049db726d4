//! Each program of README and the guide prints what the chapter shows.
//!
//! `BLESS=1 cargo test -p allhome-guide` writes what they print into the chapters.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use chapters::{Output, Program, blocks, programs};

#[allow(dead_code, reason = "build.rs uses the rest")]
mod chapters {
    include!("chapters.rs");
}

/// README.md and the chapters.
fn markdown() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = fs::read_dir(here.join("../src")).expect("the chapters");
    let chapters = chapters.map(|entry| entry.expect("a chapter").path());
    let mut files: Vec<_> = chapters.chain([here.join("../../../README.md")]).collect();
    files.sort();
    files
}

/// Runs a program. Returns what it prints, its errors last, and `true` if it ends with one.
fn run(name: &str) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_allhome-guide"));
    // Colours and backtraces would not be the same everywhere.
    command.arg(name).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    let ran = command.output().expect("the program starts");
    let printed = [ran.stdout, ran.stderr].concat();
    let printed = String::from_utf8(printed).expect("a program prints text");
    // A reader has the program in a file of this name.
    let source = Path::new(env!("OUT_DIR")).join(format!("{name}.rs"));
    (printed.replace(&*source.to_string_lossy(), "src/main.rs"), !ran.status.success())
}

/// How often a program with several threads is run: no schedule changes what it prints.
const RUNS: usize = 20;

/// Returns `true` if the program says that it has several threads.
fn has_threads(program: &Program) -> bool {
    ["worker_threads", "ThreadPool::new"].iter().any(|word| program.code.contains(word))
}

/// A program that does not print what its chapter shows.
struct Wrong {
    complaint: String,
    /// What it prints now, and the lines to put it in.
    blessed: Option<(String, (usize, usize))>,
}

#[test]
fn programs_print_what_their_chapters_show() {
    let bless = env::var_os("BLESS").is_some();
    let mut complaints = Vec::new();
    for file in markdown() {
        let mut text = fs::read_to_string(&file).expect("a chapter is text");
        // From the last to the first, so that line numbers stay true.
        for program in programs(&text).into_iter().rev() {
            let Some(Wrong { complaint, blessed }) = wrong(&program) else { continue };
            if let Some((printed, (from, to))) = blessed.filter(|_| bless) {
                let mut all: Vec<_> = text.lines().map(str::to_string).collect();
                all.splice(from..to, printed.lines().map(str::to_string));
                text = all.join("\n") + "\n";
                fs::write(&file, &text).expect("a chapter is writable");
            } else {
                complaints.push(format!("{}:{}: {complaint}", file.display(), program.line));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn wrong(program: &Program) -> Option<Wrong> {
    let runs = if has_threads(program) { RUNS } else { 1 };
    (0..runs).find_map(|_| wrong_once(program))
}

fn wrong_once(program: &Program) -> Option<Wrong> {
    let name = &program.name;
    let (printed, failed) = run(name);
    let Some(Output { text, lines, fails }) = &program.output else {
        let complaint = format!("`{name}` has no output after it, but prints:\n{printed}");
        return Some(Wrong { complaint, blessed: None });
    };
    if failed != *fails {
        let ended = if failed { "an error" } else { "no error" };
        let complaint = format!("`{name}` ends with {ended}:\n{printed}");
        return Some(Wrong { complaint, blessed: None });
    }
    let complaint = format!("`{name}` prints\n{printed}\nand not\n{text}");
    let blessed = Some((printed.clone(), *lines));
    (printed.trim_end() != text.trim_end()).then_some(Wrong { complaint, blessed })
}

#[test]
fn all_rust_in_the_chapters_is_a_program() {
    let (mut names, mut threaded) = (Vec::new(), 0);
    for file in markdown() {
        let text = fs::read_to_string(&file).expect("a chapter is text");
        let known = programs(&text);
        for block in blocks(&text).iter().filter(|block| block.info.starts_with("rust")) {
            let found = known.iter().any(|program| program.line == block.lines.0);
            assert!(found, "{}:{}: Rust that no test runs", file.display(), block.lines.0);
        }
        threaded += known.iter().filter(|program| has_threads(program)).count();
        names.extend(known.into_iter().map(|program| program.name));
    }
    assert!(names.len() > 20, "only {} programs were found", names.len());
    assert!(threaded >= 3, "only {threaded} programs have several threads");
    let mut once = names.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), names.len(), "each program has a name of its own: {names:?}");
}

#[test]
fn programs_are_formatted() {
    if Command::new("rustfmt").arg("--version").output().is_err() {
        return; // `.ci/run` installs it.
    }
    let chapters = markdown().into_iter();
    let texts = chapters.map(|file| fs::read_to_string(file).expect("a chapter is text"));
    let here = texts.flat_map(|text| programs(&text));
    let sources =
        here.map(|program| Path::new(env!("OUT_DIR")).join(format!("{}.rs", program.name)));
    // As wide as the book's page.
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2024", "--config"]);
    rustfmt.arg("max_width=84,use_small_heuristics=Max").args(sources);
    let ran = rustfmt.output().expect("rustfmt starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}
