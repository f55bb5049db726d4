//! A dump as text: findings, lots, nurseries.

use super::color::Color;
use super::count::{Count, thousands};
use super::findings::findings;
use super::lots::{Lot, lots, since, uncounted};
use super::{Dump, stacks};
use crate::layers::nursery::tree::info::TaskInfo;
use std::fmt;

/// So many places of a lot are shown, and so many nurseries of a tree.
const MOST: usize = 32;

/// How deep lines of nurseries are indented.
const INDENTED: usize = 16;

/// The text of a dump.
pub(crate) struct Text<'a>(pub(crate) &'a Dump, pub(crate) Color);

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text(self, Color::Never).fmt(f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Text(dump, color) = *self;
        let findings = findings(dump);
        writeln!(f, "{}", Head(dump, findings.len()))?;
        for finding in &findings {
            writeln!(f, "\n{}", color.finding(format_args!("! {}", finding.title)))?;
            match &finding.lines[..] {
                [] => self.show_places(f, &finding.parts, 0)?,
                lines => lines.iter().try_for_each(|line| writeln!(f, "    {line}"))?,
            }
        }
        let lots = lots(dump.all_tasks());
        let width = lots.iter().map(|lot| thousands(lot.tasks.len()).len()).max().unwrap_or(0);
        lots.iter().try_for_each(|lot| self.show_lot(f, lot, width))?;
        self.show_nurseries(f)?;
        let known = dump.nurseries().any(|nursery| nursery.age.is_some());
        if dump.nurseries().next().is_some() && !known {
            writeln!(f, "\n{}", color.dim(NO_AGES))?;
        }
        dump.say_how_to_see(f)?;
        Ok(())
    }
}

/// What to do if no ages are known.
pub(crate) const NO_AGES: &str =
    "no ages are known: keep an `allhome::see::clock()` from the start";

impl Text<'_> {
    fn show_nurseries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tree in &self.0.trees {
            writeln!(f)?;
            let all = tree.nurseries();
            all.iter().take(MOST).try_for_each(|nursery| {
                let indent = 2 * nursery.depth.min(INDENTED);
                let count = Count(nursery.tasks.len(), "task", "tasks");
                writeln!(f, "{:indent$}{nursery}: {}", "", self.1.number(count))?;
                stacks::show_body(f, nursery, indent + 2)
            })?;
            if all.len() > MOST {
                writeln!(f, "  .. and {} more inside", thousands(all.len() - MOST))?;
            }
        }
        Ok(())
    }

    fn show_lot(&self, f: &mut fmt::Formatter<'_>, lot: &Lot<'_>, width: usize) -> fmt::Result {
        let count = format!("{:>width$}", thousands(lot.tasks.len()));
        let count = self.1.number(count);
        writeln!(f, "\n{count} {}{}", lot.doing, self.1.dim(Since(&lot.tasks)))?;
        stacks::show_lot(f, &lot.doing, &lot.stacks)?;
        self.show_places(f, &lot.places, width)
    }

    /// Shows a line for each place: one task by its name, several by their number.
    fn show_places(
        &self,
        f: &mut fmt::Formatter<'_>,
        places: &[Vec<&TaskInfo>],
        width: usize,
    ) -> fmt::Result {
        for tasks in places.iter().take(MOST) {
            match &tasks[..] {
                [one] => {
                    let place = format_args!(", spawned at {}", one.location);
                    writeln!(f, "    {}{}", One(one), self.1.dim(place))?;
                }
                [first, ..] => {
                    let count = thousands(tasks.len());
                    let place = format_args!("spawned at {}, the first:", first.location);
                    writeln!(f, "    {count:>width$} {} {}", self.1.dim(place), Named(first))?;
                }
                [] => {}
            }
        }
        if places.len() > MOST {
            writeln!(f, "    .. and at {} more places", thousands(places.len() - MOST))?;
        }
        Ok(())
    }
}

/// How many tasks, nurseries and findings there are: the number of these is given.
pub(crate) struct Head<'a>(pub(crate) &'a Dump, pub(crate) usize);

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head(dump, findings) = self;
        write!(f, "{}", Count(dump.tasks(), "task", "tasks"))?;
        write!(f, " in {}", Count(dump.nurseries().count(), "nursery", "nurseries"))?;
        write!(f, ", {}", Count(*findings, "finding", "findings"))
    }
}

/// How long ago tasks of a lot were polled, and if their wakers are counted.
pub(crate) struct Since<'a>(pub(crate) &'a [&'a TaskInfo]);

impl fmt::Display for Since<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match since(self.0) {
            None => {}
            Some((one, same)) if one == same => write!(f, ", last polled {one} ago")?,
            Some((from, to)) => write!(f, ", last polled {from} to {to} ago")?,
        }
        match uncounted(self.0) {
            0 => Ok(()),
            _ if self.0.len() == 1 => f.write_str("; its wakers are not counted"),
            all if all == self.0.len() => f.write_str("; their wakers are not counted"),
            some => write!(f, "; the wakers of {} of them are not counted", thousands(some)),
        }
    }
}

/// A task by its id, its name and its note.
pub(crate) struct Named<'a>(pub(crate) &'a TaskInfo);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.label().fmt(f)
    }
}

/// A task and its own wait.
pub(crate) struct One<'a>(pub(crate) &'a TaskInfo);

impl fmt::Display for One<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Named(self.0))?;
        if let Some(wait) = &self.0.waits {
            write!(f, " waiting {wait}")?;
        }
        Ok(())
    }
}
