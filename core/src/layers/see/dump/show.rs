//! A dump as text: findings, lots, nurseries.

use super::lots::{Lot, by_place, lots, since, uncounted};
use super::{Dump, stacks};
use crate::layers::base::escaped::Escaped;
use crate::layers::nursery::tree::info::{NurseryInfo, TaskInfo};
use std::fmt;

/// So many places of a lot are shown, and so many nurseries of a tree.
const MOST: usize = 32;

/// How deep lines of nurseries are indented.
const INDENTED: usize = 16;

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost: Vec<_> = self.unreachable().collect();
        let findings = usize::from(!lost.is_empty()) + self.rings().count();
        let (tasks, nurseries) = (self.tasks(), self.nurseries().count());
        write!(f, "{}", Count(tasks, "task", "tasks"))?;
        write!(f, " in {}", Count(nurseries, "nursery", "nurseries"))?;
        writeln!(f, ", {}", Count(findings, "finding", "findings"))?;
        self.show_findings(f, &lost)?;
        self.show_lots(f)?;
        self.show_nurseries(f)?;
        let known = self.nurseries().any(|nursery| nursery.age.is_some());
        if nurseries > 0 && !known {
            f.write_str("\nno ages are known: keep an `allhome::see::clock()` from the start\n")?;
        }
        self.say_how_to_see(f)?;
        Ok(())
    }
}

impl Dump {
    fn show_findings(&self, f: &mut fmt::Formatter<'_>, lost: &[&TaskInfo]) -> fmt::Result {
        if !lost.is_empty() {
            let (wait, them) = if lost.len() == 1 { ("waits", "it") } else { ("wait", "them") };
            let count = Count(lost.len(), "task", "tasks");
            writeln!(f, "\n! {count} {wait}, with no waker left: only a cancel ends {them}")?;
            show_places(f, &by_place(lost), 0)?;
        }
        self.rings().try_for_each(|ring| {
            writeln!(f, "\n! {ring}")?;
            let all = || self.all_tasks().filter(|task| ring.tasks.contains(&task.id));
            all().try_for_each(|task| writeln!(f, "    {}", One(task)))
        })
    }

    fn show_lots(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lots = lots(self.all_tasks());
        let width = lots.iter().map(|lot| thousands(lot.tasks.len()).len()).max().unwrap_or(0);
        lots.iter().try_for_each(|lot| show_lot(f, lot, width))
    }

    fn show_nurseries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tree in &self.trees {
            writeln!(f)?;
            let all = tree.nurseries();
            all.iter().take(MOST).try_for_each(|nursery| {
                let indent = 2 * nursery.depth.min(INDENTED);
                writeln!(f, "{:indent$}{nursery}: {}", "", Tasks(nursery))?;
                stacks::show_body(f, nursery, indent + 2)
            })?;
            if all.len() > MOST {
                writeln!(f, "  .. and {} more inside", thousands(all.len() - MOST))?;
            }
        }
        Ok(())
    }
}

fn show_lot(f: &mut fmt::Formatter<'_>, lot: &Lot<'_>, width: usize) -> fmt::Result {
    write!(f, "\n{:>width$} {}", thousands(lot.tasks.len()), lot.doing)?;
    match since(&lot.tasks) {
        None => {}
        Some((one, same)) if one == same => write!(f, ", last polled {one} ago")?,
        Some((from, to)) => write!(f, ", last polled {from} to {to} ago")?,
    }
    match uncounted(&lot.tasks) {
        0 => {}
        _ if lot.tasks.len() == 1 => f.write_str("; its wakers are not counted")?,
        all if all == lot.tasks.len() => f.write_str("; their wakers are not counted")?,
        some => write!(f, "; the wakers of {} of them are not counted", thousands(some))?,
    }
    writeln!(f)?;
    stacks::show_lot(f, &lot.doing, &lot.stacks)?;
    show_places(f, &lot.places, width)
}

/// Shows a line for each place: one task by its name, several by their number.
fn show_places(f: &mut fmt::Formatter<'_>, places: &[Vec<&TaskInfo>], width: usize) -> fmt::Result {
    for tasks in places.iter().take(MOST) {
        match &tasks[..] {
            [one] => writeln!(f, "    {}", One(one))?,
            [first, ..] => {
                let count = thousands(tasks.len());
                writeln!(
                    f,
                    "    {count:>width$} spawned at {}, the first: {}",
                    first.location,
                    Named(first)
                )?;
            }
            [] => {}
        }
    }
    if places.len() > MOST {
        writeln!(f, "    .. and at {} more places", thousands(places.len() - MOST))?;
    }
    Ok(())
}

/// A task by its id, its name and its note.
struct Named<'a>(&'a TaskInfo);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.0.id)?;
        if let Some(name) = &self.0.name {
            write!(f, " `{}`", Escaped(name))?;
        }
        if let Some(note) = &self.0.note {
            write!(f, " \"{}\"", Escaped(note))?;
        }
        Ok(())
    }
}

/// A task, its own wait and its place.
struct One<'a>(&'a TaskInfo);

impl fmt::Display for One<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Named(self.0))?;
        if let Some(wait) = &self.0.waits {
            write!(f, " waiting {wait}")?;
        }
        write!(f, ", spawned at {}", self.0.location)
    }
}

/// How many tasks a nursery has.
struct Tasks<'a>(&'a NurseryInfo);

impl fmt::Display for Tasks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Count(self.0.tasks.len(), "task", "tasks"))
    }
}

/// So many of a thing.
struct Count(usize, &'static str, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => write!(f, "no {}", self.2),
            1 => write!(f, "1 {}", self.1),
            count => write!(f, "{} {}", thousands(count), self.2),
        }
    }
}

/// Writes a number in groups of three digits.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
