//! A snapshot of what is running: the tasks of a nursery and of the nurseries inside it.

mod show;

use super::Nursery;
use crate::layers::base::counted::Weak;
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::{Level, Reason};
use crate::layers::context::shown::Shown;
use crate::layers::group::registry::{Registry, doing};
use crate::layers::group::walk::{At, Opener, Visit};
use crate::layers::group::{Group, orphans};
use std::panic::Location;

/// A snapshot of a nursery, or of a scope in place, and of all that are open inside it, outermost
/// first.
///
/// Its text has each nursery and scope inside below the task that opened it. Those that the body
/// opened, or a task that is not in the tree, come first, and say so.
///
/// Each nursery is read under its own lock, one after the other: the picture of one nursery is
/// exact, and that of the whole is of no single moment. Taking it polls nothing.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
///
/// block_on(nursery().name("crawl").run(async |n: Nursery<std::io::Error>| {
///     n.task("fetch").spawn(std::future::pending());
///     let tree = n.tree();
///     assert_eq!(tree.tasks(), 1);
///     assert!(tree.to_string().contains("fetch"));
///     n.cancel();
///     Ok(())
/// }))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tree {
    nurseries: Vec<NurseryInfo>,
}

/// One nursery, or scope in place, of a [`Tree`].
///
/// `{:?}` is a line that counts the tasks, and `{:#?}` lists them, each on a line.
#[derive(Clone)]
#[non_exhaustive]
pub struct NurseryInfo {
    /// How deep it is in the tree; 0 for the outermost.
    pub depth: usize,
    /// Whether it is a scope in place: the task that opened it polls its tasks.
    pub in_place: bool,
    /// Its id.
    pub id: NurseryId,
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// Where it was opened.
    pub location: &'static Location<'static>,
    /// What opened it.
    pub opened_by: Opener,
    /// How far it is on its way to its end.
    pub level: Level,
    /// Why it was cancelled, if it was.
    pub reason: Option<Reason>,
    /// Whether its future was dropped: its tasks belong to its ancestors now.
    pub adopted: bool,
    /// Its tasks.
    pub tasks: Vec<TaskInfo>,
}

/// One task of a [`Tree`].
#[derive(Clone)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its id.
    pub id: TaskId,
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// What it is doing.
    pub state: TaskState,
    /// How often it was polled.
    pub polls: u32,
    /// Whether a cancel is visible to it.
    pub cancelled: bool,
}

impl<E: Send + Sync + 'static> Nursery<E> {
    /// Returns a snapshot of the nursery's tasks and of the nurseries inside it.
    pub fn tree(&self) -> Tree {
        Tree::of(&self.group.downgrade())
    }
}

impl NurseryInfo {
    fn of_scope(scope: &dyn Shown, depth: usize, opened_by: Opener) -> NurseryInfo {
        let mut tasks = Vec::new();
        scope.each_task(&mut |task| {
            tasks.push(TaskInfo {
                id: task.id,
                name: task.name.map(Box::from),
                location: task.place,
                state: task.state,
                polls: task.polls,
                cancelled: task.cancelled,
            });
        });
        tasks.sort_unstable_by_key(|task| task.id);
        NurseryInfo {
            depth,
            in_place: true,
            id: scope.id(),
            name: scope.name().map(Box::from),
            location: scope.place(),
            opened_by,
            level: scope.level(),
            reason: scope.reason(),
            adopted: false,
            tasks,
        }
    }
}

impl TaskInfo {
    /// Returns the members of a nursery, in the order of their spawns.
    fn all(group: &Group, registry: &mut Registry) -> Vec<TaskInfo> {
        // Those on the stack of the woken look as if they were polled.
        registry.members.queue_woken(group.woken());
        let mut tasks = Vec::with_capacity(registry.members.count());
        registry.members.each(|header| {
            tasks.push(TaskInfo {
                id: group.task_id(header),
                name: header.name().map(Box::from),
                location: header.location(),
                state: doing(header),
                polls: header.polls(),
                cancelled: header.state().is_cancelled(),
            });
        });
        tasks.sort_unstable_by_key(|task| task.id);
        tasks
    }
}

impl Tree {
    /// Takes the snapshot of a scope in place, alone.
    pub(crate) fn of_scope(scope: &dyn Shown) -> Tree {
        Tree { nurseries: vec![NurseryInfo::of_scope(scope, 0, Opener::Outside)] }
    }

    /// Takes the snapshot.
    pub(crate) fn of(group: &Weak<Group>) -> Tree {
        let mut nurseries = Vec::new();
        group.walk(|Visit { at, depth, opened_by }| {
            nurseries.push(match at {
                At::Nursery(group, registry) => NurseryInfo {
                    depth,
                    in_place: false,
                    id: group.id,
                    name: group.config.name.clone(),
                    location: group.config.place,
                    opened_by,
                    level: group.requested_level(),
                    reason: registry.cancel.requested_reason(),
                    adopted: registry.is_adopted(),
                    tasks: TaskInfo::all(group, registry),
                },
                At::Scope(scope) => NurseryInfo::of_scope(scope, depth, opened_by),
            });
        });
        Tree { nurseries }
    }

    /// Returns the nurseries and scopes, each before those inside it.
    pub fn nurseries(&self) -> &[NurseryInfo] {
        &self.nurseries
    }

    /// Returns the number of tasks in the whole tree.
    pub fn tasks(&self) -> usize {
        self.nurseries.iter().map(|nursery| nursery.tasks.len()).sum()
    }
}

/// Returns the nurseries whose root future was dropped while tasks of theirs were being polled, and
/// that still have such a task.
///
/// A nursery that is dropped destroys every task that is not being polled, and hands the others to
/// its nearest living ancestor. Only a root has no ancestor: its tasks end with the poll that they
/// are in, and stand here until then.
///
/// # Examples
///
/// ```
/// assert!(allhome::task::orphans().is_empty());
/// ```
pub fn orphans() -> Vec<Tree> {
    let groups = orphans::all();
    let trees = groups.iter().map(Tree::of).filter(|tree| tree.tasks() > 0);
    trees.collect()
}
