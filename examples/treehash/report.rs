//! The end: what is said on standard error, and the exit code.

use crate::error::Error;
use crate::stop::Stops;
use crate::tally::Tally;
use allhome::cancel::ReasonKind;
use allhome::error::{Cause, Failure};
use allhome::{GroupError, Reason};
use std::io;
use std::process::ExitCode;

/// How many of the tasks that were running are listed.
const RUNNING_LISTED: usize = 10;

/// Says on standard error how the nursery ended, and returns the exit code.
pub(crate) fn report(
    result: Result<(), GroupError<Error>>,
    written: io::Result<()>,
    reason: Option<Reason>,
    stops: &Stops,
    tally: &Tally,
) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    if let Err(error) = &result {
        code = ExitCode::FAILURE;
        list_failures(error);
    }
    if let Err(error) = written.map_err(Error::Write) {
        code = ExitCode::FAILURE;
        if !error.is_closed_pipe() {
            eprintln!("treehash: {error}");
        }
    }
    let Some(reason) = reason else { return code };
    if let Some(stopped) = stops.exit_code(&reason) {
        eprintln!("treehash: {}: {tally}", reason.message());
        list_running(stops.running());
        return ExitCode::from(stopped);
    }
    if reason.kind() == ReasonKind::ChildFailed {
        eprintln!("treehash: stopped at the first error: {tally}");
    }
    code
}

/// Lists everything that failed, sorted by path: that is what the children are named by.
fn list_failures(error: &GroupError<Error>) {
    let mut failures: Vec<_> = error.failures().filter(|failure| is_news(failure)).collect();
    failures.sort_by_key(|failure| failure.name());
    for failure in &failures {
        match failure.error() {
            Some(error) => eprintln!("treehash: {error}"),
            None => eprintln!("treehash: {failure}"),
        }
    }
    match failures.len() + error.omitted_count() {
        0 => {}
        1 => eprintln!("treehash: 1 error"),
        count if error.omitted_count() == 0 => eprintln!("treehash: {count} errors"),
        count => {
            eprintln!("treehash: {count} errors, {} of them not listed", error.omitted_count())
        }
    }
}

/// Returns `true` if a failure belongs in the list. A body that was cut off is reported as the stop
/// that did it; and a reader that has gone needs no report.
fn is_news(failure: &Failure<Error>) -> bool {
    match failure.cause() {
        Cause::Cancelled(_) => false,
        Cause::Error(error) => !error.is_closed_pipe(),
        _ => true,
    }
}

fn list_running(names: &[String]) {
    if names.is_empty() {
        return;
    }
    eprintln!("treehash: running then:");
    for name in names.iter().take(RUNNING_LISTED) {
        eprintln!("  {name}");
    }
    if let Some(more @ 1..) = names.len().checked_sub(RUNNING_LISTED) {
        eprintln!("  and {more} more");
    }
}
