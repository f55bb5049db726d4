//! Going through a nursery and all that are inside it.

use super::Group;
use super::registry::{OpenedBy, Registry};
use crate::layers::base::counted::Weak;
use crate::layers::base::id::TaskId;

/// One nursery on the way.
pub(crate) struct Visit<'a> {
    pub(crate) group: &'a Weak<Group>,
    /// How deep it is; 0 for the one that the walk began at.
    pub(crate) depth: usize,
    /// What opened it.
    pub(crate) opened_by: Opener,
}

/// What opened a nursery of a [`Tree`](crate::task::Tree).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opener {
    /// The body of the nursery around it.
    Body,
    /// This task of the nursery around it.
    Task(TaskId),
    /// A task that is not in the tree: it has ended, or is a foreign one that has a handle. The
    /// outermost nursery's opener is never in its tree.
    Outside,
}

impl Group {
    /// Calls `visit` for each nursery of the tree, outer ones first, with its lock held: one lock
    /// after the other. A loop, not a recursion: the tree may be thousands deep.
    pub(crate) fn walk(&self, mut visit: impl FnMut(Visit<'_>, &mut Registry)) {
        let mut found = vec![(self.weak(), 0, Opener::Outside)];
        while let Some((group, depth, opened_by)) = found.pop() {
            group.locked(|registry| {
                visit(Visit { group: &group, depth, opened_by }, registry);
                registry.nested.each(|nested, opened_by| {
                    let opener = match opened_by {
                        OpenedBy::Body => Opener::Body,
                        OpenedBy::Task(task) => {
                            Opener::Task(TaskId { nursery: group.id, number: task.number() })
                        }
                        OpenedBy::None => Opener::Outside,
                    };
                    found.push((nested.clone(), depth + 1, opener));
                });
            });
        }
    }
}
