//! The stacks of a dump: those that are equal are shown once, below the tasks that have them.

use super::Dump;
use crate::layers::base::escaped::Escaped;
use crate::layers::base::stacks::armed;
use crate::layers::base::stacks::seen::Stacks;
use crate::layers::base::stacks::stack::{Frame, Stack};
use crate::layers::base::sync::Arc;
use crate::layers::nursery::tree::info::NurseryInfo;
use std::collections::BTreeMap;
use std::fmt;

/// So wide is the column of the functions.
const WIDTH: usize = 32;

/// So many frames of a stack are shown, from the innermost.
const MOST: usize = 24;

/// What each task's stacks show, each set once.
#[derive(Default)]
pub(super) struct Sets {
    sets: Vec<Vec<Arc<Stack>>>,
    known: BTreeMap<Stacks, usize>,
}

impl Sets {
    /// Returns the number of what these show: two that show the same have one number.
    pub(super) fn number(&mut self, stacks: Stacks) -> usize {
        if let Some(number) = self.known.get(&stacks) {
            return *number;
        }
        let set = stacks.to_vec();
        let number = self.sets.iter().position(|other| *other == set).unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        self.known.insert(stacks, number);
        number
    }

    pub(super) fn of(&self, number: usize) -> &[Arc<Stack>] {
        &self.sets[number]
    }
}

/// Says what a task waits for that has these stacks, and waits by no await of this crate.
pub(super) fn waiting(stacks: &[Arc<Stack>]) -> String {
    match stacks {
        [stack] => match (&stack.leaf, stack.frames.first()) {
            (Some(leaf), _) => format!("waiting for {leaf}"),
            (None, Some(frame)) => format!("waiting in {}", frame.function),
            // All of its functions are inlined, and there is no debug information.
            (None, None) => "waiting for something that is not allhome's".into(),
        },
        stacks => format!("waiting for one of {} things", stacks.len()),
    }
}

/// Shows where the tasks of a lot wait, below the line that says what they do.
pub(super) fn show_lot(
    f: &mut fmt::Formatter<'_>,
    doing: &str,
    stacks: &[Arc<Stack>],
) -> fmt::Result {
    match stacks {
        // The line has said it.
        [stack] if doing.starts_with(&waiting(stacks)) => show_frames(f, stack, 4),
        _ => show(f, stacks, 4),
    }
}

/// Where the tasks of a lot wait that do this.
pub(super) struct Where<'a>(pub(super) &'a str, pub(super) &'a [Arc<Stack>]);

impl fmt::Display for Where<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_lot(f, self.0, self.1)
    }
}

/// Shows stacks, each line of them indented.
fn show(f: &mut fmt::Formatter<'_>, stacks: &[Arc<Stack>], indent: usize) -> fmt::Result {
    for (number, stack) in stacks.iter().enumerate() {
        if stacks.len() > 1 {
            writeln!(f, "{:indent$}waits for {} of {}", "", number + 1, stacks.len())?;
        }
        if let Some(leaf) = &stack.leaf {
            writeln!(f, "{:indent$}  {}", "", Escaped(leaf))?;
        }
        show_frames(f, stack, indent)?;
    }
    Ok(())
}

fn show_frames(f: &mut fmt::Formatter<'_>, stack: &Stack, indent: usize) -> fmt::Result {
    for frame in stack.frames.iter().take(MOST) {
        writeln!(f, "{:indent$}    {}", "", Line(frame))?;
    }
    match stack.frames.len().checked_sub(MOST) {
        Some(more @ 1..) => writeln!(f, "{:indent$}    .. {more} more", ""),
        _ => Ok(()),
    }
}

/// Shows where a nursery's body waits, if it was looked at by itself.
pub(super) fn show_body(
    f: &mut fmt::Formatter<'_>,
    nursery: &NurseryInfo,
    indent: usize,
) -> fmt::Result {
    let stacks = nursery.body.as_ref().map(|body| body.stacks.to_vec()).unwrap_or_default();
    if !stacks.is_empty() {
        writeln!(f, "{:indent$}its body", "")?;
    }
    show(f, &stacks, indent)
}

/// A function, and where it awaits.
struct Line<'a>(&'a Frame);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Frame { function, file, line, column, .. } = self.0;
        let function = Escaped(function).to_string();
        let Some(file) = file else { return f.write_str(&function) };
        write!(f, "{function:WIDTH$} {}", Escaped(file))?;
        if let (Some(line), Some(column)) = (line, column) {
            write!(f, ":{line}:{column}")?;
        }
        Ok(())
    }
}

impl Dump {
    /// Says how stacks are seen, if there are none.
    pub(super) fn say_how_to_see(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.trees.is_empty() || self.all_tasks().any(|task| !task.stacks.is_empty()) {
            return Ok(());
        }
        f.write_str(match (armed::is_possible(), armed::is_armed()) {
            (false, _) => "\nno stacks are known: they cannot be seen on this target\n",
            (true, true) => "\nno stacks are known: no task was polled since they are armed\n",
            (true, false) => {
                "\nno stacks are known: set ALLHOME_STACKS=1, or call `allhome::see::stacks::arm`\n"
            }
        })
    }
}
