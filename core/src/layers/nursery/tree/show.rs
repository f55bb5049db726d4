//! How a tree is shown: each nursery below the task that opened it.

use super::Tree;
use super::info::{BodyInfo, NextPoll, NurseryInfo, TaskInfo};
use crate::layers::base::escaped::Escaped;
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::Level;
use crate::layers::base::stacks::stack::Stack;
use crate::layers::group::walk::Opener;
use std::collections::BTreeMap;
use std::fmt;

/// How deep lines are indented; deeper nurseries show their depth instead.
const INDENTED: usize = 32;

/// A line that is still to be written: of a nursery, or of its task with that number.
enum Line {
    Nursery(usize),
    Task(usize, usize),
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = self.inside();
        let mut lines = Vec::from_iter((!self.nurseries.is_empty()).then_some(Line::Nursery(0)));
        // A loop, not a recursion: the tree may be thousands deep.
        while let Some(line) = lines.pop() {
            match line {
                Line::Task(nursery, task) => {
                    let NurseryInfo { depth, tasks, .. } = &self.nurseries[nursery];
                    writeln!(f, "{:indent$}  {}", "", tasks[task], indent = indent(*depth))?;
                }
                Line::Nursery(at) => {
                    let (first, below) = self.by_opener(at, &inside[at]);
                    let nursery = &self.nurseries[at];
                    writeln!(f, "{:indent$}{nursery}", "", indent = indent(nursery.depth))?;
                    for (number, task) in nursery.tasks.iter().enumerate().rev() {
                        let below = below.get(&task.id).into_iter().flatten().rev();
                        lines.extend(below.map(|inner| Line::Nursery(*inner)));
                        lines.push(Line::Task(at, number));
                    }
                    lines.extend(first.into_iter().rev().map(Line::Nursery));
                }
            }
        }
        self.rings.iter().try_for_each(|ring| writeln!(f, "{ring}"))
    }
}

impl Tree {
    /// Returns which nurseries are directly inside each, the oldest first.
    pub(crate) fn inside(&self) -> Vec<Vec<usize>> {
        let mut inside = vec![Vec::new(); self.nurseries.len()];
        let mut around = Vec::new();
        for (at, nursery) in self.nurseries.iter().enumerate() {
            around.truncate(nursery.depth);
            if let Some(&outer) = around.last() {
                let outer: &mut Vec<usize> = &mut inside[outer];
                outer.push(at);
            }
            around.push(at);
        }
        for nurseries in &mut inside {
            nurseries.sort_unstable_by_key(|&at| self.nurseries[at].id);
        }
        inside
    }

    /// Divides the nurseries inside one: those that no task of its list opened, and those of each.
    pub(crate) fn by_opener(
        &self,
        at: usize,
        inside: &[usize],
    ) -> (Vec<usize>, BTreeMap<TaskId, Vec<usize>>) {
        let tasks = &self.nurseries[at].tasks;
        let (mut first, mut below) = (Vec::new(), BTreeMap::<_, Vec<usize>>::new());
        for &inner in inside {
            match self.nurseries[inner].opened_by {
                Opener::Task(id) if tasks.binary_search_by_key(&id, |task| task.id).is_ok() => {
                    below.entry(id).or_default().push(inner);
                }
                _ => first.push(inner),
            }
        }
        (first, below)
    }
}

/// The line of the nursery, without those of its tasks.
impl fmt::Display for NurseryInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.in_place { "scope" } else { "nursery" };
        write!(f, "{kind} {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " `{}`", Escaped(name))?;
        }
        if self.depth > INDENTED {
            write!(f, " [depth {}]", self.depth)?;
        }
        if self.level > Level::Running {
            write!(f, " [{:?}]", self.level)?;
        }
        if self.adopted {
            write!(f, " [adopted]")?;
        }
        match self.opened_by {
            Opener::Body => f.write_str(", opened by the body")?,
            Opener::Outside if self.depth > 0 && !self.adopted => {
                f.write_str(", opened from outside")?;
            }
            // Its task is the line above, and an adopted one's has ended.
            Opener::Task(_) | Opener::Outside => {}
        }
        if let Some(body) = &self.body {
            body.show(f)?;
        }
        if let Some(age) = self.age {
            write!(f, ", opened {age} ago")?;
        }
        write!(f, ", at {}", self.location)
    }
}

impl BodyInfo {
    /// Nothing is said of a body of which nothing is known but that it is there.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.note.is_none() && self.waits.is_none() {
            return Ok(());
        }
        f.write_str(", its body")?;
        if let Some(note) = &self.note {
            write!(f, " \"{}\"", Escaped(note))?;
        }
        if let Some(waits) = &self.waits {
            write!(f, " waiting {waits}")?;
        }
        Ok(())
    }
}

/// A task by its id, its name and its note.
pub(crate) struct Label<'a>(&'a TaskInfo);

impl fmt::Display for Label<'_> {
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

impl TaskInfo {
    /// Returns how lines name it.
    pub(crate) fn label(&self) -> Label<'_> {
        Label(self)
    }

    /// Writes what it is doing, and why.
    pub(crate) fn show_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.state {
            TaskState::Queued => "queued",
            TaskState::Running => "running",
            TaskState::Waiting => "waiting",
            TaskState::Ended => "ended",
        };
        f.write_str(doing)?;
        match &self.waits {
            Some(waits) => write!(f, " {waits}")?,
            // Of several, a dump shows all.
            None if self.stacks.len() == 1 => {
                self.stacks.to_vec().iter().try_for_each(|stack| show_short(f, stack))?;
            }
            None => {}
        }
        match self.next_poll {
            NextPoll::Dead => f.write_str(", and only a cancel ends it"),
            _ if self.is_unreachable() => {
                f.write_str(", with no waker left: only a cancel ends it")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.label())?;
        self.show_state(f)?;
        if self.cancelled {
            f.write_str(" [cancelled]")?;
        }
        let polls = if self.polls == 1 { "poll" } else { "polls" };
        write!(f, ", {} {polls}", self.polls)?;
        if let Some(age) = self.since_poll {
            write!(f, ", the last {age} ago")?;
        }
        if let Some(age) = self.age {
            write!(f, ", spawned {age} ago")?;
        }
        write!(f, ", at {}", self.location)
    }
}

/// Writes what is waited for, and where.
fn show_short(f: &mut fmt::Formatter<'_>, stack: &Stack) -> fmt::Result {
    if let Some(leaf) = &stack.leaf {
        write!(f, " for {leaf}")?;
    }
    stack.frames.first().map_or(Ok(()), |frame| write!(f, " in {frame}"))
}

fn indent(depth: usize) -> usize {
    depth.min(INDENTED) * 4
}

impl fmt::Debug for NurseryInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = f.alternate();
        let mut debug = f.debug_tuple("NurseryInfo");
        debug.field(&format_args!("{self}"));
        if let Opener::Task(task) = self.opened_by {
            debug.field(&format_args!("opened by task {task}"));
        }
        if let Some(reason) = &self.reason {
            debug.field(&format_args!("{reason}"));
        }
        match listed {
            true => debug.field(&List(&self.tasks)),
            false => debug.field(&format_args!("{} tasks", self.tasks.len())),
        };
        debug.finish()
    }
}

impl fmt::Debug for BodyInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BodyInfo");
        debug.field("note", &self.note).field("running", &self.running);
        debug.field("waits", &self.waits).field("since_poll", &self.since_poll);
        debug.finish_non_exhaustive()
    }
}

impl fmt::Debug for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskInfo").field(&format_args!("{self}")).finish()
    }
}

/// Tasks as a list, each of them as a line.
struct List<'a>(&'a [TaskInfo]);

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for task in self.0 {
            list.entry(&format_args!("{task}"));
        }
        list.finish()
    }
}
