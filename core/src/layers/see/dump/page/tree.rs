//! The nurseries of a page: each below the task that opened it, folded.

use super::parts::{Html, Line as TaskLine, show_places};
use crate::layers::base::id::NurseryId;
use crate::layers::nursery::tree::Tree;
use crate::layers::nursery::tree::info::{NurseryInfo, TaskInfo};
use crate::layers::see::dump::Dump;
use crate::layers::see::dump::count::{Count, thousands};
use crate::layers::see::dump::lots::by_place;
use std::fmt::{self, Display, Formatter};

/// So many tasks of a nursery are shown, and so many nurseries that were opened in one place.
const MOST: usize = 20;

/// So many nurseries of the process are shown.
const MOST_NURSERIES: usize = 1_000;

/// So deep nurseries stand inside each other. Browsers allow for some hundred elements.
const DEEPEST: usize = 40;

/// So deep they are unfolded.
const OPEN: usize = 2;

/// The section with the nurseries.
pub(super) struct Nurseries<'a>(pub(super) &'a Dump);

/// What is still to be written.
enum Line {
    Nursery(usize),
    Task(usize, usize),
    /// The tasks from this one on of a list of them, by their places.
    Rest(usize, Vec<usize>),
    More(usize),
    End,
}

impl Display for Nurseries<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.trees().is_empty() {
            return Ok(());
        }
        f.write_str("<section><h2>Nurseries</h2>\n<ul class=\"tree\">\n")?;
        let (mut left, mut hidden) = (MOST_NURSERIES, 0);
        for tree in self.0.trees() {
            let shown = if left == 0 { 0 } else { show_tree(f, tree, left)? };
            left -= shown;
            hidden += tree.nurseries().len() - shown;
        }
        f.write_str("</ul>\n")?;
        if hidden > 0 {
            let hidden = Count(hidden, "nursery is", "nurseries are");
            let all = "<a href=\"?format=json\">JSON</a>";
            writeln!(f, "<p class=\"more\">.. {hidden} not shown: the {all} has all</p>")?;
        }
        f.write_str("</section>\n")
    }
}

/// Shows so many nurseries of a tree at most, and returns how many.
fn show_tree(f: &mut Formatter<'_>, tree: &Tree, most: usize) -> Result<usize, fmt::Error> {
    let nurseries = tree.nurseries();
    let inside = tree.inside();
    let mut lines = vec![Line::Nursery(0)];
    let mut shown = 0;
    // A loop, not a recursion: the tree may be thousands deep.
    while let Some(line) = lines.pop() {
        match line {
            Line::End => f.write_str("</ul></details></li>\n")?,
            Line::More(count) => {
                let more = Count(count, "nursery more", "nurseries more");
                writeln!(f, "<li class=\"more\">.. {more}</li>")?;
            }
            Line::Task(nursery, task) => {
                let task = &nurseries[nursery].tasks[task];
                writeln!(f, "<li>{}</li>", TaskLine(task))?;
            }
            Line::Rest(nursery, tasks) => show_rest(f, &nurseries[nursery], &tasks)?,
            Line::Nursery(at) if shown < most && nurseries[at].depth < DEEPEST => {
                shown += 1;
                show_nursery(f, &nurseries[at])?;
                lines.push(Line::End);
                below(tree, at, &inside[at], &mut lines);
            }
            Line::Nursery(_) => {}
        }
    }
    Ok(shown)
}

/// Pushes what is below a nursery, the last first.
fn below(tree: &Tree, at: usize, inside: &[usize], lines: &mut Vec<Line>) {
    let tasks = &tree.nurseries()[at].tasks;
    let (first, by_task) = tree.by_opener(at, inside);
    // Those that have opened nurseries are not folded away as long as there is room.
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    order.sort_by_key(|&task| !by_task.contains_key(&tasks[task].id));
    let rest = order.split_off(order.len().min(MOST));
    order.sort_unstable();
    if !rest.is_empty() {
        lines.push(Line::Rest(at, rest));
    }
    for &task in order.iter().rev() {
        let opened = by_task.get(&tasks[task].id).map_or(&[][..], |opened| &opened[..]);
        push(opened, lines);
        lines.push(Line::Task(at, task));
    }
    push(&first, lines);
}

fn push(nurseries: &[usize], lines: &mut Vec<Line>) {
    if nurseries.len() > MOST {
        lines.push(Line::More(nurseries.len() - MOST));
    }
    lines.extend(nurseries.iter().take(MOST).rev().map(|at| Line::Nursery(*at)));
}

fn show_nursery(f: &mut Formatter<'_>, nursery: &NurseryInfo) -> fmt::Result {
    let open = if nursery.depth < OPEN { " open" } else { "" };
    let count = Count(nursery.tasks.len(), "task", "tasks");
    writeln!(f, "<li><details{open}><summary>{}: <b>{count}</b></summary><ul>", Html(nursery))
}

fn show_rest(f: &mut Formatter<'_>, nursery: &NurseryInfo, tasks: &[usize]) -> fmt::Result {
    let count = thousands(tasks.len());
    let tasks: Vec<&TaskInfo> = tasks.iter().map(|task| &nursery.tasks[*task]).collect();
    writeln!(f, "<li><details><summary class=\"more\">.. {count} more, by place</summary>")?;
    show_places(f, &by_place(&tasks))?;
    f.write_str("</details></li>\n")
}

/// Returns the nurseries around, the outermost first, and this one.
pub(super) fn around(dump: &Dump, id: NurseryId) -> Vec<&NurseryInfo> {
    let mut around: Vec<&NurseryInfo> = Vec::new();
    for nursery in dump.nurseries() {
        around.truncate(nursery.depth);
        around.push(nursery);
        if nursery.id == id {
            return around;
        }
    }
    Vec::new()
}
