//! Going through a nursery and all that are inside it.

use super::Group;
use super::registry::Registry;
use crate::layers::base::counted::Weak;
use crate::layers::base::id::TaskId;

/// One nursery on the way.
pub(crate) struct Visit<'a> {
    pub(crate) group: &'a Weak<Group>,
    /// How deep it is; 0 for the one that the walk began at.
    pub(crate) depth: usize,
    /// The task that opened it; none if that was a nursery's body, or has ended.
    pub(crate) opened_by: Option<TaskId>,
}

impl Group {
    /// Calls `visit` for each nursery of the tree, outer ones first, with its lock held: one lock
    /// after the other. A loop, not a recursion: the tree may be thousands deep.
    pub(crate) fn walk(&self, mut visit: impl FnMut(Visit<'_>, &mut Registry)) {
        let mut found = vec![(self.weak(), 0, None)];
        while let Some((group, depth, opened_by)) = found.pop() {
            group.locked(|registry| {
                visit(Visit { group: &group, depth, opened_by }, registry);
                registry.nested.each(|nested, opener| {
                    let opener = opener.map(|number| TaskId { nursery: group.id, number });
                    found.push((nested.clone(), depth + 1, opener));
                });
            });
        }
    }
}
