//! The outcome of a run: a table for people, JSON and JUnit for machines.

use crate::candidate::{Candidate, Capabilities};
use crate::rule::{Need, Requirement};
use std::fmt::Write;
use std::time::Duration;

/// The outcome of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold: what was seen.
    Fail(String),
    /// It did not end in time.
    Hang(String),
    /// The process ended in the middle of it.
    Crash(String),
    /// It was not run: the candidate lacks what it needs.
    Skipped(Need),
    /// It was not run: the rule of this name, on which it rests, does not hold.
    Unasked(&'static str),
    /// It does not hold, and the candidate says so: the reason that it gives.
    Known(String),
    /// It holds although it is listed as a deviation.
    Surprise(String),
}

impl Outcome {
    /// Returns the outcome in one word, as reports have it.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail(_) => "fail",
            Outcome::Hang(_) => "hang",
            Outcome::Crash(_) => "crash",
            Outcome::Skipped(_) => "skipped",
            Outcome::Unasked(_) => "unasked",
            Outcome::Known(_) => "known",
            Outcome::Surprise(_) => "surprise",
        }
    }

    /// Returns the message that goes with the word.
    pub fn message(&self) -> String {
        match self {
            Outcome::Pass => String::new(),
            Outcome::Skipped(need) => need.missing(),
            Outcome::Unasked(rule) => format!("not asked, because {rule} does not hold"),
            Outcome::Surprise(reason) => {
                format!("holds, although it is listed as a deviation ({reason}): take it off")
            }
            Outcome::Fail(text)
            | Outcome::Hang(text)
            | Outcome::Crash(text)
            | Outcome::Known(text) => text.clone(),
        }
    }

    /// Returns `true` if the rule was seen broken.
    pub fn is_broken(&self) -> bool {
        matches!(self, Outcome::Fail(_) | Outcome::Hang(_) | Outcome::Crash(_))
    }
}

/// A rule's outcome.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// The candidate's name.
    pub candidate: String,
    /// The rule's number, such as `R31`.
    pub id: String,
    /// The rule's name, such as `r31_wake_during_own_poll`.
    pub name: &'static str,
    /// The rule's topic.
    pub group: &'static str,
    /// How strictly the rule must hold.
    pub requirement: Requirement,
    /// The outcome.
    pub outcome: Outcome,
    /// The last step that the rule took.
    pub step: String,
    /// The most likely cause of a failure. Empty if the rule has not come to what it is about.
    pub cause: String,
    /// Whether it failed before the step that it is about.
    pub(crate) before: bool,
    /// How long it took.
    pub time: Duration,
}

impl Verdict {
    /// Returns `true` if this fails a run.
    pub fn fails(&self, strict: bool) -> bool {
        match self.outcome {
            Outcome::Surprise(_) => true,
            _ => self.outcome.is_broken() && (strict || self.requirement == Requirement::Must),
        }
    }

    pub(crate) fn explained(&self) -> String {
        let Verdict { candidate, name, requirement, outcome, step, cause, before, .. } = self;
        let mut text = format!(
            "{candidate}::{name} ({requirement}): {}: {}",
            outcome.word().to_uppercase(),
            outcome.message().replace('\n', "\n  "),
        );
        let label = match outcome {
            Outcome::Hang(_) => "waits for",
            _ => "last step",
        };
        if !step.is_empty() {
            let _ = write!(text, "\n  {label}: {step}");
        }
        if outcome.is_broken() && *before {
            text.push_str("\n  this comes before what the rule is about");
        }
        if outcome.is_broken() && !cause.is_empty() {
            let _ = write!(text, "\n  most likely: {cause}");
        }
        text
    }

    /// Returns what libtest shows for it.
    pub(crate) fn said(&self) -> String {
        match self.outcome.is_broken() {
            true => self.explained(),
            false => self.outcome.message(),
        }
    }
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub(crate) candidates: Vec<(String, Capabilities)>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) strict: bool,
}

impl Report {
    pub(crate) fn new(candidates: &[Candidate], strict: bool) -> Report {
        let candidates = candidates.iter();
        let candidates = candidates.map(|one| (one.name.clone(), one.capabilities())).collect();
        Report { candidates, verdicts: Vec::new(), strict }
    }

    /// Returns the verdicts, in the order in which they were reached.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Returns `true` if every MUST rule that was run holds or is a known deviation; with
    /// `--strict`, every SHOULD rule as well.
    pub fn passed(&self) -> bool {
        !self.verdicts.iter().any(|verdict| verdict.fails(self.strict))
    }

    /// Returns the numbers of the rules that were seen broken, known or not.
    pub fn broken(&self) -> Vec<&str> {
        let broken = |verdict: &&Verdict| {
            verdict.outcome.is_broken() || matches!(verdict.outcome, Outcome::Known(_))
        };
        self.verdicts.iter().filter(broken).map(|verdict| &*verdict.id).collect()
    }

    /// Returns the report as JSON, in the shape that the crate's documentation describes.
    pub fn json(&self) -> String {
        let candidates = self.candidates.iter().map(|(name, capabilities)| {
            let verdicts: Vec<_> = self.of(name).map(json_of).collect();
            let declared: Vec<_> = capabilities.names().into_iter().map(quoted).collect();
            format!(
                "{{\"name\":{},\"threads\":{},\"declares\":[{}],\"summary\":{},\"rules\":[\n{}\n]}}",
                quoted(name),
                capabilities.threads,
                declared.join(","),
                Tally::of(self.of(name)).json(),
                verdicts.join(",\n")
            )
        });
        let candidates: Vec<_> = candidates.collect();
        format!(
            "{{\"suite\":{},\"strict\":{},\"passed\":{},\"candidates\":[{}]}}\n",
            quoted(env!("CARGO_PKG_VERSION")),
            self.strict,
            self.passed(),
            candidates.join(",")
        )
    }

    /// Returns the report as JUnit XML: one `testsuite` a candidate.
    pub fn junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        for (name, _) in &self.candidates {
            let tally = Tally::of(self.of(name));
            let failures = self.of(name).filter(|verdict| verdict.fails(self.strict)).count();
            let _ = writeln!(
                xml,
                "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" skipped=\"{}\">",
                escaped(name),
                self.of(name).count(),
                tally.skipped
            );
            for verdict in self.of(name) {
                xml.push_str(&junit_of(verdict, self.strict));
            }
            xml.push_str("</testsuite>\n");
        }
        xml + "</testsuites>\n"
    }

    pub(crate) fn of<'a>(
        &'a self,
        candidate: &'a str,
    ) -> impl Iterator<Item = &'a Verdict> + Clone {
        self.verdicts.iter().filter(move |verdict| verdict.candidate == candidate)
    }
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) pass: usize,
    pub(crate) must: usize,
    pub(crate) should: usize,
    pub(crate) known: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    pub(crate) fn of<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Tally {
        let mut tally = Tally::default();
        for verdict in verdicts {
            *match (&verdict.outcome, verdict.requirement) {
                (Outcome::Pass, _) => &mut tally.pass,
                (Outcome::Known(_), _) => &mut tally.known,
                (Outcome::Skipped(_) | Outcome::Unasked(_), _) => &mut tally.skipped,
                // A list that is not true is the candidate's own failure, whatever the rule.
                (Outcome::Surprise(_), _) | (_, Requirement::Must) => &mut tally.must,
                (_, Requirement::Should) => &mut tally.should,
            } += 1;
        }
        tally
    }

    pub(crate) fn run(&self) -> usize {
        self.pass + self.must + self.should + self.known
    }

    fn json(&self) -> String {
        let Tally { pass, must, should, known, skipped } = self;
        format!(
            "{{\"pass\":{pass},\"must\":{must},\"should\":{should},\"known\":{known},\
             \"skipped\":{skipped}}}"
        )
    }
}

fn json_of(verdict: &Verdict) -> String {
    format!(
        "{{\"id\":{},\"name\":{},\"group\":{},\"requirement\":{},\"outcome\":{},\"message\":{},\
         \"step\":{},\"cause\":{},\"millis\":{}}}",
        quoted(&verdict.id),
        quoted(verdict.name),
        quoted(verdict.group),
        quoted(&verdict.requirement.to_string()),
        quoted(verdict.outcome.word()),
        quoted(&verdict.outcome.message()),
        quoted(&verdict.step),
        quoted(&verdict.cause),
        verdict.time.as_millis()
    )
}

fn junit_of(verdict: &Verdict, strict: bool) -> String {
    let open = format!(
        "<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">",
        escaped(&verdict.candidate),
        escaped(verdict.name),
        verdict.time.as_secs_f64()
    );
    let inside = match &verdict.outcome {
        Outcome::Pass => String::new(),
        _ if verdict.fails(strict) => format!(
            "<failure type=\"{}\" message=\"{}\">{}</failure>",
            verdict.outcome.word(),
            escaped(&verdict.outcome.message()),
            escaped(&verdict.explained())
        ),
        outcome => format!("<skipped message=\"{}\"/>", escaped(&outcome.message())),
    };
    format!("{open}{inside}</testcase>\n")
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json + "\""
}

/// XML text, or an attribute's value. What XML has no name for is left out.
fn escaped(text: &str) -> String {
    let mut xml = String::new();
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\n' => xml.push_str("&#10;"),
            c if c.is_control() => {}
            c => xml.push(c),
        }
    }
    xml
}
