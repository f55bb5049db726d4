//! What is worth a look first. Text, JSON and page have it from here.

use super::Dump;
use super::lots::by_place;
use super::show::Count;
use crate::layers::nursery::tree::info::TaskInfo;

/// One finding.
pub(crate) struct Finding<'a> {
    /// A word for programs.
    pub(crate) kind: &'static str,
    /// A line for people.
    pub(crate) title: String,
    /// The tasks that it is about, in parts: each part has a line.
    pub(crate) parts: Vec<Vec<&'a TaskInfo>>,
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
        });
    }
    findings.extend(dump.rings().map(|ring| {
        let tasks = dump.all_tasks().filter(|task| ring.tasks.contains(&task.id));
        Finding {
            kind: "ring",
            title: ring.to_string(),
            parts: tasks.map(|task| vec![task]).collect(),
        }
    }));
    findings
}
