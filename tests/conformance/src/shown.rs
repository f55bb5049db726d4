//! What a run prints for people, a line a trial: libtest has no word for a SHOULD that does not hold,
//! and would call it ignored.

use crate::report::{Outcome, Verdict};
use crate::rule::Requirement;
use libtest_mimic::{Arguments, Conclusion, FormatSetting};
use std::time::Instant;

/// Prints the lines, unless a program asked for another form.
pub(crate) struct Lines {
    on: bool,
    begun: Instant,
}

impl Lines {
    pub(crate) fn new(arguments: &Arguments, no_report: bool) -> Lines {
        let pretty = matches!(arguments.format, None | Some(FormatSetting::Pretty));
        let quiet = arguments.quiet || arguments.list || arguments.logfile.is_some();
        Lines { on: no_report && pretty && !quiet, begun: Instant::now() }
    }

    /// Returns `true` if libtest must print nothing itself.
    pub(crate) fn are_own(&self) -> bool {
        self.on
    }

    pub(crate) fn print(&self, verdict: &Verdict, strict: bool) {
        if self.on {
            let Verdict { candidate, name, .. } = verdict;
            println!("test {candidate}::{name} ... {}", said(verdict, strict));
        }
    }

    /// Prints the closing line, by which programs know how a test ended.
    pub(crate) fn close(&self, conclusion: &Conclusion, should: usize) {
        if !self.on {
            return;
        }
        let Conclusion { num_filtered_out, num_passed, num_failed, num_ignored, .. } = conclusion;
        let result = if conclusion.has_failed() { "FAILED" } else { "ok" };
        println!(
            "test result: {result}. {num_passed} passed; {num_failed} failed; {} ignored; 0 \
             measured; {num_filtered_out} filtered out; {should} SHOULD do not hold; finished in \
             {:.2}s\n",
            num_ignored.saturating_sub(should as u64),
            self.begun.elapsed().as_secs_f64()
        );
    }
}

fn said(verdict: &Verdict, strict: bool) -> String {
    let message = verdict.outcome.message();
    let first = message.lines().next_back().unwrap_or_default();
    match (&verdict.outcome, verdict.requirement) {
        (Outcome::Pass, _) => "ok".into(),
        (Outcome::Skipped(_) | Outcome::Unasked(_), _) => first.into(),
        (Outcome::Known(reason), _) => format!("known not to hold: {reason}"),
        (_, Requirement::Should) if !verdict.fails(strict) => {
            format!("SHOULD hold and does not: {first}")
        }
        _ => format!("FAILED: {first}"),
    }
}
