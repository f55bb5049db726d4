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
    if !lost.is_empty() {
        let (wait, them) = if lost.len() == 1 { ("waits", "it") } else { ("wait", "them") };
        let count = Count(lost.len(), "task", "tasks");
        findings.push(Finding {
            kind: "only_by_cancel",
            title: format!("{count} {wait}, with no waker left: only a cancel ends {them}"),
            parts: by_place(&lost),
            lines: Vec::new(),
        });
    }
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
    if !behind.is_empty() {
        let (wait, them) = if behind.len() == 1 { ("waits", "it") } else { ("wait", "them") };
        let count = Count(behind.len(), "task", "tasks");
        findings.push(Finding {
            kind: "dead",
            title: format!("{count} {wait} for those alone, so only a cancel ends {them}"),
            parts: by_place(&behind),
            lines: Vec::new(),
        });
    }
    findings
}
