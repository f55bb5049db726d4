//! The command line.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

const AFTER_HELP: &str = "\
A timeout, Ctrl-C (SIGINT) or SIGTERM stops it: what was finished is printed, and on standard error
what was going on. Another signal, half a second later, ends it on the spot.

Exit codes:
    0  every file was hashed
    1  something could not be read, or the output could not be written
    2  the command line is wrong
  124  stopped by --timeout
  130  stopped by SIGINT
  143  stopped by SIGTERM";

/// What the command line says.
pub(crate) struct Options {
    pub(crate) dir: PathBuf,
    pub(crate) jobs: usize,
    pub(crate) runtime: RuntimeName,
    pub(crate) fail_fast: bool,
    pub(crate) timeout: Option<Duration>,
}

#[derive(Clone, Copy)]
pub(crate) enum RuntimeName {
    AsyncStd,
    Pool,
    Smol,
    Tokio,
}

impl Options {
    /// Reads the command line. If it is wrong, or asks for help, the process ends here.
    pub(crate) fn from_args() -> Options {
        let mut matches = command().get_matches();
        let jobs = matches.remove_one("jobs").map(|jobs: u16| usize::from(jobs));
        Options {
            dir: required(&mut matches, "dir"),
            jobs: jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
            runtime: match required::<String>(&mut matches, "runtime").as_str() {
                "async-std" => RuntimeName::AsyncStd,
                "smol" => RuntimeName::Smol,
                "tokio" => RuntimeName::Tokio,
                _ => RuntimeName::Pool,
            },
            fail_fast: matches.get_flag("fail-fast"),
            timeout: matches.remove_one("timeout"),
        }
    }
}

fn required<T: Clone + Send + Sync + 'static>(matches: &mut ArgMatches, id: &str) -> T {
    matches.remove_one(id).expect("clap sees that it is there")
}

fn command() -> Command {
    Command::new("treehash")
        .about("Prints the SHA-256 of every file under DIR, sorted by path, as sha256sum would.")
        .after_help(AFTER_HELP)
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .help("The folder; symbolic links in it are not followed")
                .required(true)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("N")
                .help("Files hashed at once [default: as many as the system runs in parallel]")
                .value_parser(value_parser!(u16).range(1..=1024)),
        )
        .arg(
            Arg::new("runtime")
                .long("runtime")
                .value_name("NAME")
                .help("What runs the tasks")
                .value_parser(["pool", "tokio", "smol", "async-std"])
                .default_value("pool"),
        )
        .arg(
            Arg::new("fail-fast")
                .long("fail-fast")
                .help("Stop at the first error instead of listing all of them at the end")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("TIME")
                .help("Stop after that time: 500ms, 2s, 0.5s, 1m, 1h")
                .value_parser(duration),
        )
}

/// Parses a number with its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_per_unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("a time is a number with its unit: ms, s, m or h".into()),
    };
    // `f64` would take signs and exponents, too.
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("`{digits}` is not a number"));
    }
    let number: f64 = digits.parse().map_err(|_| format!("`{digits}` is not a number"))?;
    match Duration::try_from_secs_f64(number * seconds_per_unit) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing".into()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("that is too long".into()),
    }
}
