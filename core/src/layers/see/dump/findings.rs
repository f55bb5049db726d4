//! What is worth a look first. Text, JSON and page have it from here.

use super::Dump;
use super::count::Count;
use super::lots::by_place;
use crate::layers::nursery::tree::info::TaskInfo;
use std::collections::BTreeMap;

/// One finding.
pub(crate) struct Finding<'a> {
    /// A word for programs.
    pub(crate) kind: &'static str,
    /// A line for people.
    pub(crate) title: String,
    /// The tasks that it is about, in parts: each part has a line.
    pub(crate) parts: Vec<Vec<&'a TaskInfo>>,
    /// What it says of each of them, if that is not what they wait for.
    pub(crate) lines: Vec<String>,
}

impl<'a> Finding<'a> {
    /// Returns the tasks that it is about.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &'a TaskInfo> {
        self.parts.iter().flatten().copied()
    }
}

/// Returns the findings of a dump, the gravest first.
pub(crate) fn findings(dump: &Dump) -> Vec<Finding<'_>> {
    let lost: Vec<_> = dump.unreachable().collect();
    let mut findings = Vec::new();
    findings.extend(of_tasks("only_by_cancel", &lost, ", with no waker left: only a cancel ends"));
    let mut rings = dump.rings().peekable();
    if rings.peek().is_some() {
        let by_id: BTreeMap<_, _> = dump.all_tasks().map(|task| (task.id, task)).collect();
        findings.extend(rings.map(|ring| Finding {
            kind: "ring",
            title: ring.title(),
            parts: ring.tasks().filter_map(|id| Some(vec![*by_id.get(&id)?])).collect(),
            lines: ring.lines(|id| by_id.get(&id).copied()),
        }));
    }
    let behind: Vec<_> = dump.behind().collect();
    findings.extend(of_tasks("dead", &behind, " for those alone, so only a cancel ends"));
    findings
}

/// One finding of several tasks that wait so, if there are any.
fn of_tasks<'a>(kind: &'static str, tasks: &[&'a TaskInfo], so: &str) -> Option<Finding<'a>> {
    let (wait, them) = if tasks.len() == 1 { ("waits", "it") } else { ("wait", "them") };
    let count = Count(tasks.len(), "task", "tasks");
    let title = format!("{count} {wait}{so} {them}");
    (!tasks.is_empty()).then(|| Finding { kind, title, parts: by_place(tasks), lines: Vec::new() })
}
