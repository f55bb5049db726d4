//! Tasks that are alike, counted: by what they do and wait for, and then by where they were spawned.

use super::stacks::{Sets, waiting};
use crate::layers::base::age::Age;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::stacks::stack::Stack;
use crate::layers::base::sync::Arc;
use crate::layers::nursery::tree::info::{NextPoll, TaskInfo};
use crate::layers::nursery::tree::wait::WaitOn;
use std::collections::BTreeMap;

/// Tasks that do the same.
pub(crate) struct Lot<'a> {
    pub(crate) doing: String,
    /// Where they wait.
    pub(crate) stacks: Vec<Arc<Stack>>,
    pub(crate) tasks: Vec<&'a TaskInfo>,
    /// The same tasks, by the place of their spawns.
    pub(crate) places: Vec<Vec<&'a TaskInfo>>,
}

/// Returns the lots, the biggest first.
pub(crate) fn lots<'a>(tasks: impl Iterator<Item = &'a TaskInfo>) -> Vec<Lot<'a>> {
    let mut all = Sets::default();
    let mut by_doing = BTreeMap::<(String, usize), Vec<&TaskInfo>>::new();
    for task in tasks {
        let set = all.number(task.stacks);
        by_doing.entry((doing(task, all.of(set)), set)).or_default().push(task);
    }
    let mut lots: Vec<_> = by_doing
        .into_iter()
        .map(|((doing, set), tasks)| Lot {
            doing,
            stacks: all.of(set).to_vec(),
            places: by_place(&tasks),
            tasks,
        })
        .collect();
    lots.sort_by_key(|lot| std::cmp::Reverse(lot.tasks.len()));
    lots
}

/// Divides tasks by where they were spawned, the biggest part first.
pub(crate) fn by_place<'a>(tasks: &[&'a TaskInfo]) -> Vec<Vec<&'a TaskInfo>> {
    let mut by_place = BTreeMap::<_, Vec<&TaskInfo>>::new();
    for task in tasks {
        let place = task.location;
        by_place.entry((place.file(), place.line(), place.column())).or_default().push(task);
    }
    let mut places: Vec<_> = by_place.into_values().collect();
    places.sort_by_key(|tasks| std::cmp::Reverse(tasks.len()));
    places
}

/// Says what a task does, in words that others that do the like have too.
fn doing(task: &TaskInfo, stacks: &[Arc<Stack>]) -> String {
    let cancelled = if task.cancelled { ", cancelled" } else { "" };
    let what = match (task.state, &task.waits) {
        (TaskState::Queued, _) if task.polls == 0 => "queued for a first poll".into(),
        (TaskState::Queued, _) => "woken, and queued for a poll".into(),
        (TaskState::Running, _) => "being polled".into(),
        (TaskState::Ended, _) => "at its end".into(),
        (TaskState::Waiting, _) if task.is_unreachable() => "waiting, with no waker left".into(),
        (TaskState::Waiting, None) if task.is_in_place() => {
            "waiting in a scope, where it is not noted for what".into()
        }
        (TaskState::Waiting, None) if !stacks.is_empty() => waiting(stacks),
        (TaskState::Waiting, None) => "waiting for something that is not allhome's".into(),
        (TaskState::Waiting, Some(wait)) => {
            let on = match &wait.on {
                WaitOn::Child(_) => "a child".into(),
                WaitOn::Children(_) => "several children".into(),
                WaitOn::Nursery(_) => "a nursery".into(),
                WaitOn::Scope(_) => "a scope".into(),
                WaitOn::Idle(_) => "a nursery to be idle".into(),
                WaitOn::Shutdown(_) => "a nursery to shut down".into(),
                on => on.to_string(),
            };
            format!("waiting for {on}{}", if wait.among_others { ", among others" } else { "" })
        }
    };
    format!("{what}{cancelled}")
}

/// Says since when they wait: the shortest time and the longest.
pub(crate) fn since(tasks: &[&TaskInfo]) -> Option<(Age, Age)> {
    let ages = || tasks.iter().filter_map(|task| task.since_poll);
    Some((ages().min_by_key(|age| age.time())?, ages().max_by_key(|age| age.time())?))
}

/// Returns how many wait by wakers that are not counted.
pub(crate) fn uncounted(tasks: &[&TaskInfo]) -> usize {
    tasks.iter().filter(|task| task.next_poll == NextPoll::Unknown).count()
}
