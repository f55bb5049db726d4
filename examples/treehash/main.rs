//! `treehash DIR` prints the SHA-256 of every file under DIR, sorted by path.
//!
//! Byte for byte, it prints what this pipeline does:
//!
//! ```sh
//! find DIR -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
//! ```
//!
//! Every file is a child of one nursery, named by its path, and every question that a program with
//! many tasks has to answer is answered by that nursery:
//!
//! | question                                 | answer                                            |
//! |------------------------------------------|---------------------------------------------------|
//! | What if a file cannot be read?           | the [`Policy`]: go on, or cancel the others       |
//! | What failed?                             | [`GroupError`](allhome::GroupError)               |
//! | How is it stopped, and why?              | `cancel_with`, and the [`Reason`](allhome::Reason)|
//! | What was going on when it was stopped?   | `tree()`                                          |
//! | Does anything still run at the end?      | no: `run` is ready when every child is home       |
//!
//! Read this file first; the others in the order of the `mod` list. The program wants a Unix: it
//! treats paths as bytes, and knows its signals.

#![forbid(unsafe_code)]

mod options;

mod error;
mod hash;
mod walk;

mod ahead;
mod output;
mod tally;

mod report;
mod stop;

use ahead::ReadAhead;
use allhome::runtime::{AsyncStd, IntoRuntime, Smol, ThreadPool};
use allhome::{Child, Nursery, Policy, Tokio, block_on};
use error::Error;
use hash::Line;
use indicatif::ProgressBar;
use options::{Options, RuntimeName};
use output::Output;
use std::collections::VecDeque;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use stop::Stops;
use tally::Tally;
use walk::Found;

/// How many files the window holds, finished or not, for each one that is hashed at a time: a large
/// file holds up the printing of those after it, and their hashing only when the window is full.
const WINDOW_PER_JOB: usize = 16;

/// How many errors are listed; the rest is counted.
const ERRORS_LISTED: usize = 10_000;

/// The children whose lines are not printed yet, in the order of their paths.
///
/// A child that was cut off because of a cancel has no line.
type Window = VecDeque<Child<Option<Line>, Error>>;

fn main() -> ExitCode {
    let options = Options::from_args();
    on_runtime(&options).unwrap_or_else(|error| {
        eprintln!("treehash: cannot start: {error}");
        ExitCode::FAILURE
    })
}

/// Starts the runtime. One thread for tasks is enough: they are the timeout and little else.
fn on_runtime(options: &Options) -> io::Result<ExitCode> {
    match options.runtime {
        RuntimeName::Pool => {
            let pool = ThreadPool::builder().threads(1).build()?;
            Ok(block_on(treehash(&pool, options)))
        }
        RuntimeName::Tokio => {
            let tokio = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_time()
                .build()?;
            Ok(tokio.block_on(treehash(Tokio, options)))
        }
        // These two start themselves.
        RuntimeName::Smol => Ok(block_on(treehash(Smol, options))),
        RuntimeName::AsyncStd => Ok(block_on(treehash(AsyncStd, options))),
    }
}

/// Hashes the tree in a nursery, then prints what is left to print and says how it went.
async fn treehash(runtime: impl IntoRuntime, options: &Options) -> ExitCode {
    let stops = Arc::new(Stops::new(options.timeout));
    let mut output = Output::new();
    let mut tally = Tally::default();
    let mut window = Window::new();
    let mut nursery = None;

    let result = allhome::nursery()
        .on(runtime)
        .name("treehash")
        .policy(if options.fail_fast { Policy::FailFast } else { Policy::WaitAll })
        .keep_failures(ERRORS_LISTED)
        .blocking_limit(options.jobs)
        .run(async |n| {
            let n = &*nursery.insert(n);
            stops.at_signals(n)?;
            stops.at_timeout(n);
            let done = hash_tree(n, options, &mut window, &mut output, &mut tally).await;
            // Either all files are done or the output is broken, so the others must stop; in the
            // first case the timeout is the only other.
            n.cancel();
            done
        })
        .await;

    // Every child is home. If the body was cut off, the window still has what was finished, out of
    // turn, and what was not.
    let mut written = Ok(());
    for mut child in window {
        let ended = child.try_join().expect("after `run` no child is out");
        written = written.and(tally.settle(ended, &mut output));
    }
    let written = written.and(output.finish());

    let reason = nursery.and_then(|n| n.reason());
    report::report(result, written, reason, &stops, &tally)
}

/// Hashes all files, each in a child of its own, and prints their lines in the order of the paths.
///
/// The window is the caller's, so that what is in it survives when this is cut off by a cancel.
async fn hash_tree(
    n: &Nursery<Error>,
    options: &Options,
    window: &mut Window,
    output: &mut Output,
    tally: &mut Tally,
) -> Result<(), Error> {
    let mut files = ReadAhead::new(n, &options.dir);
    while let Some(found) = files.next().await {
        window.push_back(hash_one(n, found, output.progress()));
        if window.len() == options.jobs * WINDOW_PER_JOB {
            print_first(window, output, tally).await?;
        }
    }
    while !window.is_empty() {
        print_first(window, output, tally).await?;
    }
    Ok(())
}

/// Starts a child that hashes one file. A folder that could not be read becomes a child as well,
/// which fails at once: what that means for the others is up to the nursery's policy.
fn hash_one(
    n: &Nursery<Error>,
    found: Found,
    progress: &ProgressBar,
) -> Child<Option<Line>, Error> {
    match found {
        Ok(path) => {
            let progress = progress.clone();
            n.task(path.to_string_lossy()).blocking(move |_| hash::hash_file(path, &progress))
        }
        Err(error) => n.task(error.to_string()).fork(async { Err(error) }),
    }
}

/// Waits for the first child of the window and prints its line.
async fn print_first(
    window: &mut Window,
    output: &mut Output,
    tally: &mut Tally,
) -> Result<(), Error> {
    let Some(first) = window.front_mut() else { return Ok(()) };
    // By reference: a cancel may end this function here, and then the child stays in the window.
    let ended = first.await;
    window.pop_front();
    tally.settle(ended, output).map_err(Error::Write)
}
