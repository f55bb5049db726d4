//! A program that takes signals and gives them back as its standard input says, a line a
//! command, and answers each with a line: for `tests/signals.rs`.

#![forbid(unsafe_code)]

use allhome::shutdown::{Signals, signals};
use std::io::{self, BufRead};
use std::{fs, thread};

fn main() -> io::Result<()> {
    let mut taken = Vec::new();
    for line in io::stdin().lock().lines() {
        match line?.as_str() {
            "take" => {
                taken.push(signals()?);
                println!("taken");
            }
            "give back" => {
                drop(taken.remove(0));
                println!("given back");
            }
            "look" => {
                let levels = taken.iter().map(|signals: &Signals| signals.token().level());
                println!("{:?}", levels.collect::<Vec<_>>());
            }
            "threads" => println!("{}", threads()?),
            other => println!("no command `{other}`"),
        }
    }
    // A signal ends it, or the test does.
    loop {
        thread::park();
    }
}

/// Counts the threads that wait for signals.
fn threads() -> io::Result<usize> {
    let mut count = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let name = fs::read_to_string(thread?.path().join("comm"));
        count += usize::from(name.is_ok_and(|name| name.trim() == "allhome-signals"));
    }
    Ok(count)
}
