//! `resident ours|joinset|tracker|bare [N]`: resident bytes per parked child (the process's own
//! figure, so with the allocator's rounding) for children that hold 0, 64, 256 and 1024 bytes, on
//! tokio's current-thread runtime. Linux only.
//!
//! A process measures once: memory that was freed stays resident. So each size runs in a process
//! of its own.

use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use allhome_benches::host::{Flavor, Host};
use allhome_benches::watch::Sample;
use allhome_benches::work::{Parked, Work};
use allhome_benches::{ours, peers};

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    let Some(side) = args.first() else { return usage() };
    let Ok(n) = args.get(1).map_or(Ok(100_000), |n| n.parse()) else { return usage() };
    let peak = match args.get(2).map(String::as_str) {
        None => return each_size(side, n),
        Some("0") => peak(side, n, Parked::<0>),
        Some("64") => peak(side, n, Parked::<64>),
        Some("256") => peak(side, n, Parked::<256>),
        Some("1024") => peak(side, n, Parked::<1024>),
        Some(_) => return usage(),
    };
    let Some(bytes) = peak else { return usage() };
    println!("{bytes}");
    ExitCode::SUCCESS
}

fn each_size(side: &str, n: usize) -> ExitCode {
    let program = env::current_exe().expect("this program has a path");
    for size in ["0", "64", "256", "1024"] {
        let run = Command::new(&program).args([side, &n.to_string(), size]).output();
        let run = run.expect("this program runs");
        if !run.status.success() {
            return usage();
        }
        print!("{side}, children of {size} bytes: resident bytes a child ");
        print!("{}", String::from_utf8_lossy(&run.stdout));
    }
    ExitCode::SUCCESS
}

/// Bytes per child between nothing and the peak, or `None` for a side that is not known.
fn peak(side: &str, n: usize, work: impl Work) -> Option<usize> {
    let host = Host::new(Flavor::CurrentThread);
    // Warms up: what the runtime itself needs.
    pass(&host, side, 1, work)?;
    let before = peak_resident();
    pass(&host, side, n, work)?;
    Some((peak_resident() - before) / n)
}

fn pass(host: &Host, side: &str, n: usize, work: impl Work) -> Option<Sample> {
    Some(match side {
        "ours" => host.run(ours::park(n, work)),
        "joinset" => host.run(peers::park_join_set(n, work)),
        "tracker" => host.run(peers::park_task_tracker(n, work)),
        "bare" => host.run(peers::park_bare(n, work)),
        _ => return None,
    })
}

fn peak_resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux's /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kilobytes = line.trim().trim_end_matches("kB").trim();
    kilobytes.parse::<usize>().expect("a number of kB") * 1024
}

fn usage() -> ExitCode {
    eprintln!("usage: resident ours|joinset|tracker|bare [N]");
    ExitCode::from(2)
}
