//! The report as text: where to begin, each rule that does not hold, and a table a candidate.

use crate::report::{Outcome, Report, Tally, Verdict};
use crate::rests::rests_on;
use crate::rule::Rule;
use crate::subject::Subject;
use std::cmp::Reverse;
use std::fmt;

/// The rules of one candidate that do not hold: first those that rest on no other of them.
struct Blame<'a>(Vec<&'a Verdict>);

impl<'a> Blame<'a> {
    fn of(verdicts: impl Iterator<Item = &'a Verdict>) -> Blame<'a> {
        Blame(verdicts.filter(|verdict| verdict.outcome.is_broken()).collect())
    }

    /// Returns what the rule rests on, as far as that does not hold.
    fn bases(&self, rule: &Verdict) -> Vec<&'a Verdict> {
        self.0.iter().copied().filter(|other| rests_on(&rule.id, &other.id)).collect()
    }

    fn rests(&self, rule: &Verdict, on: &Verdict) -> bool {
        let bases = self.bases(rule);
        bases.iter().any(|base| base.id == on.id || self.rests(base, on))
    }

    /// Returns how many others rest on it, asked or not.
    fn weight(&self, rule: &Verdict, all: &[&Verdict]) -> usize {
        // A clause is not asked for any MUST that is broken: that says little of which.
        let ground = Subject::ground().any(|base| base.name() == rule.name);
        let counts = |other: &Verdict| ground || Rule::all().any(|one| one.name == other.name);
        let unasked = |other: &Verdict| {
            counts(other) && matches!(other.outcome, Outcome::Unasked(base) if base == rule.name)
        };
        let broken = |other: &Verdict| other.outcome.is_broken() && self.rests(other, rule);
        all.iter().filter(|other| unasked(other) || broken(other)).count()
    }

    /// Returns them with how many rest on each, in the order in which to mend them.
    fn in_order(&self, all: &[&Verdict]) -> Vec<(&'a Verdict, usize)> {
        let weighed = self.0.iter().map(|rule| (*rule, self.weight(rule, all)));
        let mut weighed: Vec<_> = weighed.collect();
        weighed.sort_by_key(|(rule, weight)| {
            let follows = !self.bases(rule).is_empty();
            (follows, Reverse(*weight), rule.before, rule.requirement == crate::Requirement::Should)
        });
        weighed
    }
}

impl Report {
    /// Returns the rule to begin with: one that does not hold and rests on no other such rule, and
    /// on which most of the others rest. `None` if all hold.
    pub fn begin_with<'a>(&'a self, candidate: &'a str) -> Option<&'a Verdict> {
        let all: Vec<_> = self.of(candidate).collect();
        let blame = Blame::of(self.of(candidate));
        blame.in_order(&all).first().map(|(rule, _)| *rule)
    }

    fn fmt_broken(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.of(name).collect();
        let blame = Blame::of(self.of(name));
        for (at, (rule, weight)) in blame.in_order(&all).into_iter().enumerate() {
            match weight {
                _ if at > 0 => {}
                0 => writeln!(f, "{name}: begin with {}", rule.name)?,
                1 => writeln!(f, "{name}: begin with {}; 1 other rests on it", rule.name)?,
                _ => writeln!(f, "{name}: begin with {}; {weight} others rest on it", rule.name)?,
            }
            writeln!(f, "{}", rule.explained())?;
            let bases: Vec<_> = blame.bases(rule).iter().map(|base| &*base.id).collect();
            if !bases.is_empty() {
                writeln!(f, "  rests on {}", bases.join(", "))?;
            }
        }
        Ok(())
    }

    fn fmt_table(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Tally::of(self.of(name));
        let run = all.run();
        writeln!(
            f,
            "{name}: {} of {run} hold; {} MUST and {} SHOULD do not, {} known deviations, {} \
             skipped",
            all.pass, all.must, all.should, all.known, all.skipped
        )?;
        writeln!(f, "  {:<12} pass  MUST  SHOULD  known  skipped", "topic")?;
        let mut groups: Vec<&str> = Vec::new();
        for verdict in self.of(name) {
            if !groups.contains(&verdict.group) {
                groups.push(verdict.group);
            }
        }
        for group in groups {
            let Tally { pass, must, should, known, skipped } =
                Tally::of(self.of(name).filter(|verdict| verdict.group == group));
            writeln!(
                f,
                "  {group:<12} {pass:>4}  {must:>4}  {should:>6}  {known:>5}  {skipped:>7}"
            )?;
        }
        Ok(())
    }

    fn fmt_unasked(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bases: Vec<&str> = Vec::new();
        for verdict in self.of(name) {
            match verdict.outcome {
                Outcome::Unasked(base) if !bases.contains(&base) => bases.push(base),
                _ => {}
            }
        }
        for base in bases {
            let unasked = |verdict: &&Verdict| verdict.outcome == Outcome::Unasked(base);
            let number = self.of(name).filter(unasked).count();
            writeln!(f, "{name}: {number} {}", Outcome::Unasked(base).message())?;
        }
        Ok(())
    }
}

/// The report as text, for each candidate: the rule to begin with and the others that do not hold,
/// then a table by topic.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, _) in &self.candidates {
            self.fmt_broken(name, f)?;
        }
        for (name, _) in &self.candidates {
            self.fmt_table(name, f)?;
        }
        for verdict in &self.verdicts {
            let Verdict { candidate, name, requirement, .. } = verdict;
            match verdict.outcome {
                Outcome::Known(ref reason) => {
                    writeln!(f, "{candidate}::{name} ({requirement}): known: {reason}")?;
                }
                Outcome::Surprise(_) => writeln!(f, "{}", verdict.explained())?,
                _ => {}
            }
        }
        for (name, _) in &self.candidates {
            self.fmt_unasked(name, f)?;
        }
        Ok(())
    }
}
